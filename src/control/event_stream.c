/* SPDX-License-Identifier: Apache-2.0 */
#include "control/event_stream.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "control/admin_connection.h"
#include "control/daemon.h"
#include "control/event_history.h"
#include "control/status.h"
#include "control/tick.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)EVENT_SUBSCRIBERS_MAX < (int)ADMIN_PEER_CONNECTIONS_MAX, "a peer can still ask");

/* One server-sent event as text; shared by all whom it is for. */
struct notice {
	uint32_t references;
	size_t bytes;
	char text[];
};

struct subscriber {
	struct admin_stream stream;
	struct list link; /* in event_stream.subscribers */
	struct event_stream *events;
	struct notice *current; /* being sent; NULL: none */
	size_t sent_bytes;      /* of it */
	struct notice *tick;    /* waits for its turn; NULL: none */
	uint64_t next_id;       /* of the change that it gets next */
	bool is_greeted;
	bool wants_all; /* its next tick is a full one */
};

struct event_stream {
	struct daemon *daemon;
	struct event_history *history;
	struct tick *tick;
	struct list subscribers;
	struct timer tick_timer;
	uint64_t tick_due_ms; /* when the timer fires, if it is armed */
	uint64_t last_tick_ms;
	struct event_stream_counts counts;
};

/* --- notices ----------------------------------------------------------------------------------------------------- */

/* "HEAD" and the data behind it, which has no line ends (record_format.h and JSON see to that). */
static struct notice *notice_new(const char *head, struct span data)
{
	size_t head_bytes = strlen(head);
	size_t bytes = head_bytes + data.len + 2;
	struct notice *notice = memory_alloc(sizeof(*notice) + bytes);
	notice->references = 1;
	notice->bytes = bytes;
	memcpy(notice->text, head, head_bytes);
	memcpy(notice->text + head_bytes, data.data, data.len);
	memcpy(notice->text + head_bytes + data.len, "\n\n", 2);
	return notice;
}

static struct notice *notice_acquire(struct notice *notice)
{
	notice->references++;
	return notice;
}

/* Accepts NULL; clears the pointer. */
static void notice_release(struct notice **notice_pointer)
{
	struct notice *notice = *notice_pointer;
	*notice_pointer = NULL;
	if (notice != NULL && --notice->references == 0)
		free(notice);
}

static struct notice *make_greeting(void)
{
	char head[32];
	snprintf(head, sizeof(head), "retry: %d", EVENT_RETRY_MS);
	return notice_new(head, span_from_text(""));
}

static struct notice *make_change(const struct event_history *history, uint64_t id)
{
	char head[64];
	snprintf(head, sizeof(head), "event: change\nid: %llu\ndata: ", (unsigned long long)id);
	return notice_new(head, event_history_record(history, id));
}

static struct notice *make_tick(const struct tick *tick, enum tick_form form)
{
	size_t bytes;
	char *text = tick_format(tick, form, &bytes);
	struct notice *notice = notice_new("event: tick\ndata: ", (struct span){ text, bytes });
	free(text);
	return notice;
}

/* --- a subscriber reads ------------------------------------------------------------------------------------------ */

static struct subscriber *subscriber_of(struct admin_stream *stream)
{
	return LIST_OWNER(stream, struct subscriber, stream);
}

static void fall_behind(struct subscriber *subscriber)
{
	subscriber->events->counts.cut++;
	subscriber->next_id = UINT64_MAX;
	subscriber->stream.is_over = true;
}

/* What is to be sent next; NULL when there is nothing. */
static struct notice *take_next(struct subscriber *subscriber)
{
	const struct event_history *history = subscriber->events->history;
	struct notice *tick = subscriber->tick;
	if (!subscriber->is_greeted) {
		subscriber->is_greeted = true;
		return make_greeting();
	}
	if (subscriber->next_id < event_history_first(history)) {
		fall_behind(subscriber);
		return NULL;
	}
	if (subscriber->next_id <= event_history_last(history))
		return make_change(history, subscriber->next_id++);
	subscriber->tick = NULL;
	return tick;
}

static size_t on_read(struct admin_stream *stream, char *buf, size_t buf_bytes)
{
	struct subscriber *subscriber = subscriber_of(stream);
	size_t len = 0;
	while (len < buf_bytes) {
		if (subscriber->current == NULL)
			subscriber->current = take_next(subscriber);
		const struct notice *current = subscriber->current;
		if (current == NULL)
			break;
		size_t left = current->bytes - subscriber->sent_bytes;
		size_t bytes = left < buf_bytes - len ? left : buf_bytes - len;
		memcpy(buf + len, current->text + subscriber->sent_bytes, bytes);
		len += bytes;
		subscriber->sent_bytes += bytes;
		if (bytes < left)
			break;
		notice_release(&subscriber->current);
		subscriber->sent_bytes = 0;
	}
	return len;
}

static bool has_unsent(const struct subscriber *subscriber)
{
	return subscriber->current != NULL || subscriber->tick != NULL;
}

static void on_close(struct admin_stream *stream)
{
	struct subscriber *subscriber = subscriber_of(stream);
	struct event_stream *events = subscriber->events;
	events->counts.cut += has_unsent(subscriber);
	notice_release(&subscriber->current);
	notice_release(&subscriber->tick);
	list_remove(&subscriber->link);
	free(subscriber);
	if (--events->counts.subscribers == 0)
		timer_disarm(&events->daemon->wheel, &events->tick_timer);
}

static const struct admin_stream_kind kind = { .read = on_read, .close = on_close };

/* --- ticks ------------------------------------------------------------------------------------------------------- */

/* Unless one is due before then. */
static void set_tick(struct event_stream *events, uint64_t due_ms)
{
	if (timer_is_armed(&events->tick_timer) && events->tick_due_ms <= due_ms)
		return;
	events->tick_due_ms = due_ms;
	timer_arm(&events->daemon->wheel, &events->tick_timer, due_ms);
}

static void set_tick_soon(struct event_stream *events)
{
	uint64_t now_ms = events->daemon->loop.now_ms;
	uint64_t spaced_ms = events->last_tick_ms + EVENT_TICK_SPACING_MS;
	set_tick(events, now_ms > spaced_ms ? now_ms : spaced_ms);
}

static bool take_numbers(struct event_stream *events)
{
	const struct daemon *daemon = events->daemon;
	const struct tick_head head = {
		.realtime_us = clock_realtime_us(),
		.phase = daemon_phase_word(daemon->phase),
		.is_degraded = status_is_degraded(daemon),
	};
	return tick_take(events->tick, daemon->snapshot, &head);
}

/* documents: by enum tick_form; made when somebody needs them. */
static void give_tick(struct subscriber *subscriber, bool is_known, struct notice *documents[2])
{
	struct event_stream *events = subscriber->events;
	subscriber->wants_all |= !is_known;
	if (has_unsent(subscriber)) {
		subscriber->wants_all = true;
		events->counts.skipped++;
		return;
	}
	enum tick_form form = subscriber->wants_all ? TICK_FULL : TICK_CHANGES;
	if (documents[form] == NULL)
		documents[form] = make_tick(events->tick, form);
	subscriber->tick = notice_acquire(documents[form]);
	subscriber->wants_all = false;
	admin_stream_wake(&subscriber->stream);
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	struct event_stream *events = LIST_OWNER(timer, struct event_stream, tick_timer);
	struct notice *documents[2] = { NULL, NULL };
	bool is_known = take_numbers(events);
	for (struct list *link = events->subscribers.next; link != &events->subscribers; link = link->next)
		give_tick(LIST_OWNER(link, struct subscriber, link), is_known, documents);
	notice_release(&documents[TICK_CHANGES]);
	notice_release(&documents[TICK_FULL]);
	events->counts.ticks++;
	events->last_tick_ms = now_ms;
	set_tick(events, now_ms + EVENT_TICK_MS);
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

static void on_event(void *events_pointer, struct span record)
{
	struct event_stream *events = events_pointer;
	event_history_add(events->history, record);
	if (!list_is_empty(&events->subscribers) && !tick_is_of(events->tick, events->daemon->snapshot))
		set_tick_soon(events);
	for (struct list *link = events->subscribers.next; link != &events->subscribers; link = link->next)
		admin_stream_wake(&LIST_OWNER(link, struct subscriber, link)->stream);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct event_stream *event_stream_new(struct daemon *daemon)
{
	struct event_stream *events = memory_alloc_zeroed(1, sizeof(*events));
	events->daemon = daemon;
	events->history = event_history_new(EVENT_HISTORY_COUNT_MAX, EVENT_HISTORY_BYTES_MAX);
	events->tick = tick_new();
	events->tick_timer.on_expiry = on_tick;
	list_init(&events->subscribers);
	log_writer_observe(daemon->log, on_event, events);
	return events;
}

void event_stream_free(struct event_stream **events_pointer)
{
	struct event_stream *events = *events_pointer;
	*events_pointer = NULL;
	if (events == NULL)
		return;
	CHECK(list_is_empty(&events->subscribers));
	log_writer_observe(events->daemon->log, NULL, NULL);
	event_history_free(&events->history);
	tick_free(&events->tick);
	free(events);
}

static uint64_t first_after(const struct event_history *history, uint64_t after)
{
	uint64_t last = event_history_last(history);
	uint64_t next = after == UINT64_MAX ? last + 1 : after > last ? 1 : after + 1;
	uint64_t first = event_history_first(history);
	return next > first ? next : first;
}

struct admin_stream *event_stream_subscribe(struct event_stream *events, uint64_t after)
{
	if (events->counts.subscribers == EVENT_SUBSCRIBERS_MAX) {
		events->counts.refused++;
		return NULL;
	}
	struct subscriber *subscriber = memory_alloc_zeroed(1, sizeof(*subscriber));
	subscriber->stream.kind = &kind;
	subscriber->events = events;
	subscriber->next_id = first_after(events->history, after);
	subscriber->wants_all = true;
	list_add_last(&events->subscribers, &subscriber->link);
	events->counts.subscribers++;
	events->counts.subscribed++;
	set_tick_soon(events);
	return &subscriber->stream;
}

const struct event_history *event_stream_history(const struct event_stream *events)
{
	return events->history;
}

struct event_stream_counts event_stream_counts(const struct event_stream *events)
{
	return events != NULL ? events->counts : (struct event_stream_counts){ 0 };
}
