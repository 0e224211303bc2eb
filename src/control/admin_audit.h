/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wanted to change what, and what came of it: an event `audit` in the log for each request by another method than
 * GET, and for each that was refused for want of a token or as foreign.
 *
 *   {"event":"audit","method":"PATCH","path":"/v1/pools/web/servers/a","arguments":"","change":"{\"weight\":5}",
 *    "peer":"unix","uid":0,"pid":4711,"status":200}
 *
 * path is as it was sent; arguments and change (the beginning of the body) are left empty for those who were refused
 * before anybody looked at them. Texts are bounded and escaped like in all records (record_format.h). No header is
 * written, so no token is.
 *
 * Whoever is refused can go on asking: after AUDIT_REFUSED_BURST events of refused requests they are bounded to
 * AUDIT_REFUSED_PER_SECOND, and an event `audit_suppressed` tells how many were left out. Those who may not ask (or not
 * in this way) are counted apart from those who may, so that they cannot hide them. What was done is always told.
 *
 * Control thread.
 */
#ifndef CONTROL_ADMIN_AUDIT_H
#define CONTROL_ADMIN_AUDIT_H

#include "control/admin_answer.h"

#include <stdint.h>

enum {
	AUDIT_REFUSED_BURST = 20,
	AUDIT_REFUSED_PER_SECOND = 2,
	AUDIT_SUPPRESSED_MS = 10 * 1000, /* how long they are counted before the count is told */
};

struct admin_audit_bound {
	uint64_t last_ms;
	uint32_t used_ms; /* of the burst, in the time that it takes to come back */
};

struct admin_audit {
	struct timer timer;
	struct daemon *daemon;
	uint64_t suppressed_count;
	struct admin_audit_bound strangers;
	struct admin_audit_bound others;
};

void admin_audit_init(struct admin_audit *audit, struct daemon *daemon);
/* Tells what has been counted. */
void admin_audit_done(struct admin_audit *audit);

/* request->peer may be NULL. */
void admin_audit_write(struct admin_audit *audit, const struct admin_request *request,
		       const struct admin_answer *answer);

#endif
