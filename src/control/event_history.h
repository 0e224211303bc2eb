/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latest events, whatever the log's sinks and levels are: each as the JSON text of its record, with a number that
 * rises by one from 1 at the start of the daemon. Access records are not events.
 *
 * Bounded in number and in bytes of text; the oldest are forgotten first. Control thread.
 */
#ifndef CONTROL_EVENT_HISTORY_H
#define CONTROL_EVENT_HISTORY_H

#include "base/span.h"

#include <stdint.h>

enum {
	EVENT_HISTORY_COUNT_MAX = 4096,
	EVENT_HISTORY_BYTES_MAX = 1024 * 1024,
};

struct event_history;

/* bytes_max has to be enough for any one record. */
struct event_history *event_history_new(size_t count_max, size_t bytes_max);
/* Accepts NULL; clears the pointer. */
void event_history_free(struct event_history **history);

/* A copy of the record, a JSON object without a newline. Returns its number. */
uint64_t event_history_add(struct event_history *history, struct span record);

/* Those remembered are first to last; nothing is when first is last + 1. */
uint64_t event_history_first(const struct event_history *history);
uint64_t event_history_last(const struct event_history *history);

/* Stays until the next is added. It has to be one of those remembered. */
struct span event_history_record(const struct event_history *history, uint64_t id);

#endif
