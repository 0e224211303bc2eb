/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing the configuration of a running daemon: read, validate, build, open new listeners, and only then publish.
 * Whatever fails before that changes nothing. Flows, counters, health and ejections stay; what is no longer configured
 * is retired and freed when its last flow has ended.
 *
 * Everything may change but the number of workers: that needs a restart, and a configuration that changes it is refused
 * whole, with a message.
 *
 * A configuration that waits for being confirmed holds off others: which one would come back must be plain to everybody.
 * Control thread.
 */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "config/diagnostics.h"
#include "config/diff.h"
#include "control/daemon.h"

#include <stdbool.h>

enum {
	RELOAD_PROBLEM_BYTES = 256,
	RELOAD_CONFIRM_MS_MAX = 24 * 60 * 60 * 1000,
};

struct reload_options {
	uint64_t confirm_ms; /* not 0: the old configuration comes back after this time unless it is confirmed */
	bool is_dry;         /* try everything that can fail, then change nothing */
};

enum reload_outcome {
	RELOAD_DONE,    /* or would be, in a dry run */
	RELOAD_INVALID, /* diagnostics tell what is wrong with it */
	RELOAD_REFUSED, /* it is valid but cannot be taken: problem tells why */
};

struct reload_report {
	enum reload_outcome outcome;
	uint64_t generation;                /* in force now */
	struct diagnostics diagnostics;     /* errors, and also the warnings of a configuration that was taken */
	struct diff diff;                   /* what changed, when it was done */
	char problem[RELOAD_PROBLEM_BYTES]; /* one sentence, unless it was done */
};

/* Reads the daemon's file again. The report is to be released with reload_report_done. Writes the event. */
void reload_file(struct daemon *daemon, const struct reload_options *options, struct reload_report *ret_report);

/* The same for a configuration that came another way; it is taken over. diagnostics: of its loading; taken over, too.
 * NULL when it was not valid. */
void reload_config(struct daemon *daemon, struct config *config, struct diagnostics *diagnostics,
		   const struct reload_options *options, struct reload_report *ret_report);

void reload_report_done(struct reload_report *report);

/* Keeps a configuration that waits for being confirmed. Returns false when none does. */
bool reload_confirm(struct daemon *daemon);

/* Drops what waits for being confirmed, at the daemon's end. */
void reload_done(struct daemon *daemon);

#endif
