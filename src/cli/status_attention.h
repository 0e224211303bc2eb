/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody should know about a daemon, worst first, one sentence each: pools without servers, limits reached, servers
 * and names that fail and why, records lost, what is unusual, what an operator has set aside. Found in the documents of
 * GET /v1/status, /v1/history and /v1/trends. Pure.
 */
#ifndef CLI_STATUS_ATTENTION_H
#define CLI_STATUS_ATTENTION_H

#include "cli/look.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STATUS_ATTENTION_MAX = 64, /* sentences kept; the others are counted */
	STATUS_ATTENTION_BYTES = 256,
	STATUS_ATTENTION_NEAR_PERCENT = 80, /* of a limit */
};

struct status_attention {
	size_t count; /* of all; those past STATUS_ATTENTION_MAX are not there */
	struct {
		enum look look;
		char text[STATUS_ATTENTION_BYTES];
	} items[STATUS_ATTENTION_MAX];
};

/* history and trends may be NULL. */
void status_attention_find(const json_t *status, const json_t *history, const json_t *trends,
			   struct status_attention *ret_attention);

/* The last event of the history that is of one of these names (NULL at the end), or NULL. */
const json_t *status_attention_last_event(const json_t *history, const char *const *names);

/* How many seconds ago the first of the servers that are down now went down. Returns false when none is. */
bool status_attention_find_since(const json_t *status, uint64_t *ret_seconds);

#endif
