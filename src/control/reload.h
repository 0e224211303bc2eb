/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing the configuration of a running daemon: read, validate, build, open new listeners, and only then publish.
 * Whatever fails before that changes nothing. Flows, counters, health and ejections stay; what is no longer configured
 * is retired and freed when its last flow has ended.
 *
 * Everything may change but the number of workers, the log sinks and the admin listeners: those need a restart, and a
 * configuration that changes them is refused whole, with a message. Control thread.
 */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "config/diagnostics.h"
#include "config/diff.h"
#include "control/daemon.h"

#include <stdbool.h>

enum { RELOAD_PROBLEM_BYTES = 256 };

struct reload_report {
	bool is_done;
	uint64_t generation;                /* in force now */
	struct diagnostics diagnostics;     /* errors, and also the warnings of a configuration that was taken */
	struct diff diff;                   /* what changed, when it was done */
	char problem[RELOAD_PROBLEM_BYTES]; /* what went wrong after the configuration was found valid; else empty */
};

/* Reads the daemon's file again. The report is to be released with reload_report_done. Writes the event. */
void reload_file(struct daemon *daemon, struct reload_report *ret_report);

void reload_report_done(struct reload_report *report);

#endif
