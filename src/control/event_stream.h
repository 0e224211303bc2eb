/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens, told to all who watch (GET /v1/events): each event of the log at once, and the numbers of services and
 * servers about once a second, as server-sent events (WHATWG HTML, section 9.2):
 *
 *   retry: 2000
 *
 *   event: change                      event: tick
 *   id: 17                             data: {"ts":...,"is_full":true,"services":[...],"servers":[...]}
 *   data: {"ts":...,"event":...}
 *
 * Nobody who is slow holds up anything or makes memory grow. A subscriber has one document under way and at most one
 * waiting; the documents of ticks are made once for all. One that has not taken its tick is left out of the next, and the
 * first that it gets then tells everything. Changes are not kept for anybody: they are read from the history when their
 * turn comes, and who has fallen behind what is remembered is closed; by the number of the last change it knows it can
 * come back.
 *
 * The numbers are taken only while somebody watches. A newcomer and a reload do not wait for the second to pass: then
 * everybody gets a tick, but not within EVENT_TICK_SPACING_MS of the last. Control thread.
 */
#ifndef CONTROL_EVENT_STREAM_H
#define CONTROL_EVENT_STREAM_H

#include "base/span.h"
#include "control/admin_stream.h"

#include <stdint.h>

enum {
	EVENT_SUBSCRIBERS_MAX = 24, /* fewer than connections of one peer, which has to be able to ask besides */
	EVENT_TICK_MS = 1000,
	EVENT_TICK_SPACING_MS = 100,
	EVENT_RETRY_MS = 2000,
};

struct daemon;
struct event_history;
struct event_stream;

/* Remembers what daemon->log is told from now on, and tells it. The daemon stays the caller's, and has a loop. */
struct event_stream *event_stream_new(struct daemon *daemon);
/* Without subscribers. Accepts NULL; clears the pointer. */
void event_stream_free(struct event_stream **events);

/*
 * A new subscriber; the stream closes itself. after: the last change that it knows, 0 for none; those that are remembered
 * after it come first. UINT64_MAX: only what happens from now on. A number that is not reached yet is of a former run of
 * the daemon, and counts as none. NULL when there are too many.
 */
struct admin_stream *event_stream_subscribe(struct event_stream *events, uint64_t after);

const struct event_history *event_stream_history(const struct event_stream *events);

/* Counts since the start, but for the first. All 0 without a stream. */
struct event_stream_counts {
	uint64_t subscribers; /* now */
	uint64_t subscribed;
	uint64_t refused; /* for there were too many */
	uint64_t cut;     /* ended with something unsent: fell behind, took nothing for too long, or left */
	uint64_t ticks;   /* made, each for all */
	uint64_t skipped; /* ticks that a subscriber did not get, for it had not taken the one before */
};
struct event_stream_counts event_stream_counts(const struct event_stream *events);

#endif
