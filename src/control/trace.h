/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rule and which server a client would get at this moment, and why. Goes the way a new flow goes, asks the same
 * code, and changes nothing. What depends on the moment (limits, turns, counts) may be otherwise when the client comes.
 * Control thread.
 */
#ifndef CONTROL_TRACE_H
#define CONTROL_TRACE_H

#include "control/daemon.h"

#include <jansson.h>

struct trace_question {
	struct endpoint client;
	const char *service;
	enum flow_protocol protocol;
};

/*
 * {"verdict":"server","server":...,"reason":"","rule":{...},"limits":[...],"why":[sentences],"servers":[...]} or, for a
 * refusal, "verdict":"refused" with its reason. A new reference; NULL when there is no such service.
 */
json_t *trace_build(struct daemon *daemon, const struct trace_question *question);

#endif
