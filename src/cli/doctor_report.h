/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `strait doctor` makes of what it has read: for each thing its state, whether that is as it should be, and what to do if not.
 * With a configuration it says what that needs; without one, what any would. Pure.
 */
#ifndef CLI_DOCTOR_REPORT_H
#define CLI_DOCTOR_REPORT_H

#include "cli/system_facts.h"
#include "config/config.h"
#include "control/ceilings.h"

#include <stddef.h>

enum {
	DOCTOR_CHECKS_MAX = 16,
	DOCTOR_STATE_BYTES = 96,
	DOCTOR_TEXT_BYTES = 256,
};

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_FINDING,
	DOCTOR_UNKNOWN, /* it could not be read */
	DOCTOR_VERDICT_COUNT
};

struct doctor_check {
	const char *name;
	enum doctor_verdict verdict;
	char state[DOCTOR_STATE_BYTES];
	char detail[DOCTOR_TEXT_BYTES]; /* what it means; empty: nothing to say */
	const char *fix;                /* of a finding; else NULL */
};

struct doctor_report {
	struct doctor_check checks[DOCTOR_CHECKS_MAX];
	size_t count;
	size_t finding_count;
};

/* "ok", "finding" or "unknown". */
const char *doctor_verdict_word(enum doctor_verdict verdict);

/* config: NULL: none. resources: of this machine, for what the configuration's limits come to. */
void doctor_examine(const struct system_facts *facts, const struct config *config,
		    const struct ceilings_resources *resources, struct doctor_report *ret_report);

#endif
