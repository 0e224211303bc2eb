/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_writer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/memory.h"
#include "control/log_sink.h"
#include "control/log_sink_set.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu/arch.h>
#include <xxhash.h>

/*
 * Sleeping and waking. Two flags cross: the producer puts a message, then looks whether the writer sleeps; the writer
 * says that it sleeps, then looks whether there are messages. With a full fence between the two steps on both sides at
 * least one of them sees the other, so no message is left lying. The fence is the one of liburcu, which thread
 * sanitizer accepts; what is in the rings is ordered by the rings themselves.
 *
 * Changing the sinks. Control appends a set to the chain; the writer goes on to it. Nobody waits for the other. Where the
 * set begins in each ring is written down in it: what stands before belongs to the older sinks, what comes after to the
 * newer ones, for which control formats events from then on. Whoever puts a message because of the new set (control
 * itself, a worker that was told to write records) has appended it or seen it before; so a writer that finds the
 * message finds the set, too, if it looks for it between finding and taking.
 *
 * A removed sink leaves: it gets nothing new and is closed when its buffer is empty, or after LOG_STOP_MS. If a new sink
 * has the same name, it waits for that, so that lines neither mix nor change their order.
 *
 * Stopping. Control sets is_stopping and waits for finished_fd, for a limited time. A writer that hangs inside a system
 * call (a dead network file system) is left behind with all its memory: the process is about to end.
 */

enum {
	MESSAGES_PER_TURN = 256, /* from each ring */
	EVENT_RING_BYTES = 256 * 1024,
	STOP_POLL_MS = 50,
	JOIN_GRACE_MS = 2000,
};

/* An event in control's ring, in each form that a sink wants, one behind the other. */
struct event_message {
	int64_t realtime_us;
	const char *name; /* a constant of the program */
	uint32_t level;
	uint32_t bytes[RECORD_FORM_COUNT];
	char lines[RECORD_FORM_COUNT * RECORD_LINE_BYTES];
};

struct log_writer {
	struct log_sink_set *newest;   /* control's; the end of the chain */
	uint32_t changes_given;        /* likewise: sets appended ever */
	_Atomic uint32_t changes_done; /* of these, what the writer has gone on to */
	struct log_sink_set *active;   /* the writer's; the beginning of the chain */
	struct list leaving;           /* likewise: removed sinks */
	size_t leaving_count;
	struct pollfd *pollfds;         /* likewise: one for each sink and one for wake_fd */
	_Atomic uint64_t sinks_dropped; /* by all sinks there ever were */
	struct ring events;
	struct ring *worker_rings[CONFIG_WORKERS_MAX];
	size_t ring_count;
	int wake_fd;
	int finished_fd; /* readable when the thread has done all it will do */
	pthread_t thread;
	bool is_started;
	bool is_abandoned;
	void (*on_event)(void *owner, struct span record); /* control's; see log_writer_observe */
	void *observer;
	struct record_line control_line; /* scratch of control */
	struct event_message control_message;
	struct record_line lines[RECORD_FORM_COUNT]; /* scratch of the writer, as is the rest */
	uint64_t line_samples[RECORD_FORM_COUNT];    /* what the lines of an access record say of sampling */
	struct event_message event;
	struct flow_record record;
	_Atomic bool is_stopping;
	_Atomic bool is_reopening;
	alignas(64) _Atomic bool is_sleeping;
};

static bool has_stderr(const struct log_sink_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->entries[i].sink->target.sink == CONFIG_LOG_STDERR)
			return true;
	return false;
}

static void make_room_for_polling(struct log_writer *log)
{
	log->pollfds = memory_resize(log->pollfds, 1 + log->active->count + log->leaving_count, sizeof(*log->pollfds));
}

static int open_first_sinks(struct log_writer *log, const struct config *config, const struct config_log **ret_failed)
{
	int error = log_sink_set_open(config, NULL, &log->sinks_dropped, &log->newest, ret_failed);
	if (error < 0)
		return error;
	log->active = log->newest;
	make_room_for_polling(log);
	return 0;
}

int log_writer_new(const struct config *config, struct log_writer **ret_log, const struct config_log **ret_failed)
{
	struct log_writer *log = aligned_alloc(alignof(struct log_writer), sizeof(*log));
	CHECK(log != NULL);
	memset(log, 0, sizeof(*log));
	*ret_failed = NULL;
	list_init(&log->leaving);
	ring_init(&log->events, EVENT_RING_BYTES);
	log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	log->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool has_fds = log->wake_fd >= 0 && log->finished_fd >= 0;
	int error = has_fds ? open_first_sinks(log, config, ret_failed) : -errno;
	if (error < 0) {
		log_writer_free(&log);
		return error;
	}
	*ret_log = log;
	return 0;
}

static void close_all_sinks(struct log_writer *log)
{
	for (struct list *link; (link = list_take_first(&log->leaving)) != NULL;) {
		struct log_sink *sink = LIST_OWNER(link, struct log_sink, link);
		log_sink_close(&sink);
	}
	while (log->active != NULL) {
		struct log_sink_set *next = log->active->next;
		log_sink_set_free(&log->active, next);
		log->active = next;
	}
}

void log_writer_free(struct log_writer **log_pointer)
{
	struct log_writer *log = *log_pointer;
	*log_pointer = NULL;
	if (log == NULL || log->is_abandoned)
		return;
	CHECK(!log->is_started);
	close_all_sinks(log);
	fd_close(&log->wake_fd);
	fd_close(&log->finished_fd);
	ring_done(&log->events);
	free(log->pollfds);
	free(log);
}

void log_writer_add_ring(struct log_writer *log, struct ring *worker_ring)
{
	CHECK(!log->is_started);
	CHECK(log->ring_count < CONFIG_WORKERS_MAX);
	log->worker_rings[log->ring_count++] = worker_ring;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t result = write(fd, &one, sizeof(one));
	(void)result; /* EAGAIN: it is signalled already */
}

void log_writer_wake(void *log_pointer)
{
	struct log_writer *log = log_pointer;
	cmm_smp_mb();
	if (atomic_load_explicit(&log->is_sleeping, memory_order_relaxed) &&
	    atomic_exchange_explicit(&log->is_sleeping, false, memory_order_relaxed))
		signal_fd(log->wake_fd);
}

int log_writer_prepare(struct log_writer *log, const struct config *config, struct log_sink_set **ret_change,
		       const struct config_log **ret_failed)
{
	struct log_sink_set *set;
	*ret_failed = NULL;
	int error = log_sink_set_open(config, log->newest, &log->sinks_dropped, &set, ret_failed);
	if (error < 0)
		return error;
	uint32_t waiting = log->changes_given - atomic_load_explicit(&log->changes_done, memory_order_relaxed);
	bool is_same = log_sink_set_equal(set, log->newest);
	if (is_same || waiting >= LOG_CHANGES_WAITING_MAX)
		log_sink_set_free(&set, log->newest);
	if (!is_same && set == NULL)
		return -EBUSY;
	*ret_change = set;
	return 0;
}

void log_writer_commit(struct log_writer *log, struct log_sink_set *change)
{
	if (change == NULL)
		return;
	change->first_event = ring_put_bytes(&log->events);
	for (size_t i = 0; i < log->ring_count; i++)
		change->first_records[i] = ring_put_bytes(log->worker_rings[i]);
	atomic_store_explicit(&log->newest->next, change, memory_order_release);
	log->newest = change;
	log->changes_given++;
	log_writer_wake(log);
}

void log_writer_abandon(const struct log_writer *log, struct log_sink_set *change)
{
	log_sink_set_free(&change, log->newest);
}

bool log_writer_wants_flows(const struct log_writer *log)
{
	return log->newest->wants_flows;
}

uint64_t log_writer_progress_ms(const struct log_writer *log)
{
	return log->newest->progress_ms;
}

static uint64_t rings_dropped(const struct log_writer *log)
{
	uint64_t dropped = atomic_load_explicit(&log->events.dropped, memory_order_relaxed);
	for (size_t i = 0; i < log->ring_count; i++)
		dropped += atomic_load_explicit(&log->worker_rings[i]->dropped, memory_order_relaxed);
	return dropped;
}

/* What sinks dropped that are no longer configured. */
static uint64_t removed_dropped(const struct log_writer *log)
{
	uint64_t present = 0;
	for (size_t i = 0; i < log->newest->count; i++)
		present += log_sink_dropped(log->newest->entries[i].sink);
	return atomic_load_explicit(&log->sinks_dropped, memory_order_relaxed) - present;
}

bool log_writer_read_place(const struct log_writer *log, size_t index, struct log_writer_place *ret_place)
{
	size_t sink_count = log->newest->count;
	if (index == 0) {
		*ret_place = (struct log_writer_place){ "rings", rings_dropped(log) };
	} else if (index <= sink_count) {
		const struct log_sink *sink = log->newest->entries[index - 1].sink;
		*ret_place = (struct log_writer_place){ sink->name, log_sink_dropped(sink) };
	} else {
		*ret_place = (struct log_writer_place){ "removed", removed_dropped(log) };
		return index == sink_count + 1 && ret_place->dropped > 0;
	}
	return true;
}

uint64_t log_writer_dropped(const struct log_writer *log)
{
	return rings_dropped(log) + atomic_load_explicit(&log->sinks_dropped, memory_order_relaxed);
}

static size_t count_fields(const struct record_field *fields)
{
	size_t count = 0;
	while (fields[count].key != NULL)
		count++;
	return count;
}

static struct record_event make_event(const char *name, const struct record_field *fields)
{
	return (struct record_event){ clock_realtime_us(), name, fields, count_fields(fields) };
}

void log_writer_observe(struct log_writer *log, void (*on_event)(void *owner, struct span record), void *owner)
{
	if (log == NULL)
		return;
	log->on_event = on_event;
	log->observer = owner;
}

static void tell_observer(struct log_writer *log, const struct record_event *event)
{
	struct record_line *line = &log->control_line;
	if (log->on_event == NULL)
		return;
	record_format_event(event, RECORD_FORM_JSON, line);
	log->on_event(log->observer, (struct span){ line->text, line->len - 1 });
}

void log_writer_put_event(struct log_writer *log, enum config_log_level level, const char *name,
			  const struct record_field *fields)
{
	if (log == NULL)
		return;
	struct record_event event = make_event(name, fields);
	struct event_message *message = &log->control_message;
	struct record_line *line = &log->control_line;
	size_t len = 0;
	message->realtime_us = event.realtime_us;
	message->name = name;
	message->level = level;
	for (enum record_form form = 0; form < RECORD_FORM_COUNT; form++) {
		line->len = 0;
		if (log->newest->wants_form[form])
			record_format_event(&event, form, line);
		memcpy(message->lines + len, line->text, line->len);
		message->bytes[form] = (uint32_t)line->len;
		len += line->len;
	}
	ring_put(&log->events, message, offsetof(struct event_message, lines) + len);
	log_writer_wake(log);
	tell_observer(log, &event);
}

/* The writer thread from here on. */

/* A record in all forms that some sink wants. */
struct forms {
	struct span of[RECORD_FORM_COUNT];
};

static void append_event_to(const struct log_writer *log, const struct log_message *about, const struct forms *forms)
{
	for (size_t i = 0; i < log->active->count; i++) {
		const struct log_sink_entry *entry = &log->active->entries[i];
		struct log_message message = *about;
		message.line = forms->of[entry->format];
		message.journal = forms->of[RECORD_FORM_JOURNAL];
		if (entry->level >= about->level && message.line.len > 0)
			log_sink_append(entry->sink, &message);
	}
}

static void append_event(struct log_writer *log)
{
	const struct event_message *event = &log->event;
	const struct log_message about = { event->level, event->realtime_us, event->name, { 0 }, { 0 } };
	struct forms forms;
	size_t at = 0;
	for (enum record_form form = 0; form < RECORD_FORM_COUNT; form++) {
		forms.of[form] = (struct span){ event->lines + at, event->bytes[form] };
		at += event->bytes[form];
	}
	append_event_to(log, &about, &forms);
}

/* --- access records --- */

/* Is it one of the flows of which this sink writes? Always the same answer for a flow, all its records. */
static bool is_sampled(const struct log_sink_entry *entry, const struct flow_record *record)
{
	return entry->sample <= 1 || XXH3_64bits(&record->id, sizeof(record->id)) % entry->sample == 0;
}

/* Of a flow that goes on there is a record each time its age has passed a multiple of every_us. */
static bool is_due(const struct log_sink_entry *entry, const struct flow_record *record)
{
	if (!record->is_progress)
		return true;
	return entry->every_us > 0 && record->duration_us / entry->every_us > record->previous_us / entry->every_us;
}

/* In the forms of this sink; formatted when the first sink wants them so. */
static struct span format_record(struct log_writer *log, enum record_form form, uint64_t sample)
{
	struct record_line *line = &log->lines[form];
	if (line->len == 0 || log->line_samples[form] != sample)
		record_format_flow(&log->record, form, sample, line);
	log->line_samples[form] = sample;
	return (struct span){ line->text, line->len };
}

static void append_record(struct log_writer *log)
{
	const struct flow_record *record = &log->record;
	struct log_message message = {
		.level = CONFIG_LEVEL_INFO,
		.realtime_us = record->end_realtime_us,
		.name = record_flow_event(record),
	};
	for (enum record_form form = 0; form < RECORD_FORM_COUNT; form++)
		log->lines[form].len = 0;
	for (size_t i = 0; i < log->active->count; i++) {
		const struct log_sink_entry *entry = &log->active->entries[i];
		if (entry->level < CONFIG_LEVEL_INFO || !is_due(entry, record) || !is_sampled(entry, record))
			continue;
		message.line = format_record(log, (enum record_form)entry->format, entry->sample);
		if (entry->sink->wants_journal)
			message.journal = format_record(log, RECORD_FORM_JOURNAL, entry->sample);
		log_sink_append(entry->sink, &message);
	}
}

static struct log_sink_set *next_sinks(const struct log_writer *log)
{
	return atomic_load_explicit(&log->active->next, memory_order_acquire);
}

static bool is_empty(const struct ring *ring)
{
	return ring_taken_bytes(ring) == ring_put_bytes(ring);
}

static void take_event(struct log_writer *log)
{
	ring_take(&log->events, &log->event, sizeof(log->event));
	append_event(log);
}

static void take_record(struct log_writer *log, struct ring *ring)
{
	ring_take(ring, &log->record, sizeof(log->record));
	append_record(log);
}

/* What was put for the active sinks before the next ones came. */
static void take_what_is_before(struct log_writer *log, const struct log_sink_set *next)
{
	for (size_t i = 0; i < log->ring_count; i++)
		while (ring_taken_bytes(log->worker_rings[i]) < next->first_records[i])
			take_record(log, log->worker_rings[i]);
	while (ring_taken_bytes(&log->events) < next->first_event)
		take_event(log);
}

/* Is there, in the list of the leaving before end, one of the same name as this sink? */
static bool has_namesake(const struct log_writer *log, const struct log_sink *sink, const struct list *end)
{
	for (const struct list *link = log->leaving.next; link != end; link = link->next)
		if (log_sink_is_namesake(LIST_OWNER(link, const struct log_sink, link), sink))
			return true;
	return false;
}

static void let_leave(struct log_writer *log, const struct log_sink_set *next)
{
	for (size_t i = 0; i < log->active->count; i++) {
		struct log_sink *sink = log->active->entries[i].sink;
		if (log_sink_set_has(next, sink))
			continue;
		sink->give_up_ms = clock_monotonic_ms() + LOG_STOP_MS;
		list_add_last(&log->leaving, &sink->link);
		log->leaving_count++;
	}
}

static void remove_leaving(struct log_writer *log, struct log_sink *sink)
{
	list_remove(&sink->link);
	log->leaving_count--;
	log_sink_close(&sink);
}

/* Returns true when one of them waits for its reader. */
static bool flush_leaving(struct log_writer *log)
{
	struct list *next;
	for (struct list *link = log->leaving.next; link != &log->leaving; link = next) {
		struct log_sink *sink = LIST_OWNER(link, struct log_sink, link);
		next = link->next;
		if (!has_namesake(log, sink, link))
			log_sink_flush(sink);
		if (!sink->has_unwritten || clock_monotonic_ms() >= sink->give_up_ms)
			remove_leaving(log, sink);
	}
	return !list_is_empty(&log->leaving);
}

/* A sink whose namesake is still leaving. Being blocked, it is only written to by flush_sinks, which asks first. */
static void hold_back_namesakes(struct log_writer *log)
{
	for (size_t i = 0; i < log->active->count; i++) {
		struct log_sink *sink = log->active->entries[i].sink;
		if (has_namesake(log, sink, &log->leaving))
			sink->is_blocked = true;
	}
}

/* Goes on to the next sinks, which are there. */
static void take_next_sinks(struct log_writer *log)
{
	struct log_sink_set *next = next_sinks(log);
	take_what_is_before(log, next);
	let_leave(log, next);
	flush_leaving(log);
	free(log->active); /* its sinks are next's, or leave */
	log->active = next;
	hold_back_namesakes(log);
	make_room_for_polling(log);
	atomic_fetch_add_explicit(&log->changes_done, 1, memory_order_relaxed);
}

static size_t take_events(struct log_writer *log)
{
	const struct ring *ring = &log->events;
	size_t count = 0;
	for (; count < MESSAGES_PER_TURN && !is_empty(ring); count++) {
		while (next_sinks(log) != NULL && next_sinks(log)->first_event <= ring_taken_bytes(ring))
			take_next_sinks(log);
		take_event(log);
	}
	return count;
}

static size_t take_records(struct log_writer *log, size_t index)
{
	struct ring *ring = log->worker_rings[index];
	size_t count = 0;
	for (; count < MESSAGES_PER_TURN && !is_empty(ring); count++) {
		while (next_sinks(log) != NULL && next_sinks(log)->first_records[index] <= ring_taken_bytes(ring))
			take_next_sinks(log);
		take_record(log, ring);
	}
	return count;
}

/*
 * Returns how many messages the fullest ring gave: MESSAGES_PER_TURN means that there may be more. Events come last:
 * what an event tells (a server went down, strait stopped) is mostly the consequence of what the records tell.
 */
static size_t take_messages(struct log_writer *log)
{
	size_t most = 0;
	for (size_t i = 0; i < log->ring_count; i++) {
		size_t count = take_records(log, i);
		most = count > most ? count : most;
	}
	size_t count = take_events(log);
	most = count > most ? count : most;
	for (; next_sinks(log) != NULL; most = most > 0 ? most : 1)
		take_next_sinks(log);
	return most;
}

/* Returns true when a sink waits for its reader. */
static bool flush_sinks(struct log_writer *log)
{
	bool is_blocked = flush_leaving(log);
	for (size_t i = 0; i < log->active->count; i++) {
		struct log_sink *sink = log->active->entries[i].sink;
		if (!has_namesake(log, sink, &log->leaving))
			log_sink_flush(sink);
		is_blocked = is_blocked || sink->is_blocked;
	}
	return is_blocked;
}

static void append_own_event(struct log_writer *log, enum config_log_level level, const struct record_event *event)
{
	const struct log_message about = { level, event->realtime_us, event->name, { 0 }, { 0 } };
	struct forms forms;
	for (enum record_form form = 0; form < RECORD_FORM_COUNT; form++) {
		record_format_event(event, form, &log->lines[form]);
		forms.of[form] = (struct span){ log->lines[form].text, log->lines[form].len };
	}
	append_event_to(log, &about, &forms);
}

/* A log that has just been moved away may have no other reader, so stderr is told even if it is no sink. */
static void report_reopen_failure(struct log_writer *log, const char *path, int error)
{
	const struct record_field fields[] = { record_text("path", path),
					       record_text("cause", strerror(-error)),
					       { 0 } };
	struct record_event event = make_event("log_reopen_failed", fields);
	append_own_event(log, CONFIG_LEVEL_ERROR, &event);
	struct pollfd pollfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	if (has_stderr(log->active) || poll(&pollfd, 1, 0) != 1)
		return;
	const struct record_line *line = &log->lines[RECORD_FORM_TEXT];
	ssize_t result = write(STDERR_FILENO, line->text, line->len);
	(void)result; /* there is nobody left to tell */
}

/* Sinks that are about to leave are not opened anew, those that are about to come are. */
static void reopen_sinks(struct log_writer *log)
{
	uint64_t reopened_count = 0;
	const struct log_sink_set *last = log->active;
	for (const struct log_sink_set *next = last; next != NULL;
	     next = atomic_load_explicit(&last->next, memory_order_acquire))
		last = next;
	for (size_t i = 0; i < last->count; i++) {
		struct log_sink *sink = last->entries[i].sink;
		if (!log_sink_can_reopen(sink))
			continue;
		int error = log_sink_reopen(sink);
		if (error < 0)
			report_reopen_failure(log, sink->target.path, error);
		else
			reopened_count++;
	}
	const struct record_field fields[] = { record_number("files", reopened_count), { 0 } };
	struct record_event event = make_event("log_reopened", fields);
	if (reopened_count > 0)
		append_own_event(log, CONFIG_LEVEL_INFO, &event);
}

static nfds_t add_pollfd(struct log_writer *log, nfds_t count, const struct log_sink *sink, const struct list *end)
{
	if (!sink->is_blocked || sink->fd < 0 || has_namesake(log, sink, end))
		return count;
	log->pollfds[count] = (struct pollfd){ .fd = sink->fd, .events = POLLOUT };
	return count + 1;
}

/* The time-out, or less when a blocked sink wants to be flushed before. */
static int shorten_wait(const struct log_sink *sink, int timeout_ms)
{
	if (!sink->is_blocked || sink->wake_ms == 0)
		return timeout_ms;
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t wait_ms = sink->wake_ms > now_ms ? sink->wake_ms - now_ms : 0;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < wait_ms ? timeout_ms : (int)wait_ms;
}

/* Waits for a wake-up, for the reader of a blocked sink, or for the time to pass (-1: for ever). */
static void wait_for_work(struct log_writer *log, int timeout_ms)
{
	nfds_t count = 1;
	uint64_t ignored;
	log->pollfds[0] = (struct pollfd){ .fd = log->wake_fd, .events = POLLIN };
	for (size_t i = 0; i < log->active->count; i++) {
		count = add_pollfd(log, count, log->active->entries[i].sink, &log->leaving);
		timeout_ms = shorten_wait(log->active->entries[i].sink, timeout_ms);
	}
	for (const struct list *link = log->leaving.next; link != &log->leaving; link = link->next)
		count = add_pollfd(log, count, LIST_OWNER(link, const struct log_sink, link), link);
	poll(log->pollfds, count, timeout_ms);
	ssize_t result = read(log->wake_fd, &ignored, sizeof(ignored));
	(void)result; /* EAGAIN: it was not the wake-up */
}

/* Goes to sleep unless something came meanwhile; returns what take_messages did. */
static size_t sleep_until_woken(struct log_writer *log)
{
	atomic_store_explicit(&log->is_sleeping, true, memory_order_relaxed);
	cmm_smp_mb();
	size_t taken = take_messages(log);
	if (taken == 0)
		wait_for_work(log, list_is_empty(&log->leaving) ? -1 : STOP_POLL_MS);
	atomic_store_explicit(&log->is_sleeping, false, memory_order_relaxed);
	return taken;
}

static void drain(struct log_writer *log)
{
	uint64_t deadline_ms = clock_monotonic_ms() + LOG_STOP_MS;
	while (take_messages(log) > 0 && clock_monotonic_ms() < deadline_ms)
		flush_sinks(log);
	while (flush_sinks(log) && clock_monotonic_ms() < deadline_ms)
		wait_for_work(log, STOP_POLL_MS);
}

static void *run(void *log_pointer)
{
	struct log_writer *log = log_pointer;
	size_t taken = 0;
	while (!atomic_load_explicit(&log->is_stopping, memory_order_acquire)) {
		if (taken == 0)
			taken = sleep_until_woken(log);
		if (taken < MESSAGES_PER_TURN) {
			flush_sinks(log);
			wait_for_work(log, LOG_LINGER_MS);
		}
		if (atomic_exchange_explicit(&log->is_reopening, false, memory_order_acquire))
			reopen_sinks(log);
		taken = take_messages(log);
		flush_sinks(log);
	}
	drain(log);
	signal_fd(log->finished_fd);
	return NULL;
}

int log_writer_start(struct log_writer *log)
{
	sigset_t all;
	sigset_t before;
	/* Signals are for control; SIGPIPE of a sink without a reader, too, must not reach this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		return -error;
	pthread_setname_np(log->thread, "strait-log");
	log->is_started = true;
	return 0;
}

void log_writer_reopen(struct log_writer *log)
{
	atomic_store_explicit(&log->is_reopening, true, memory_order_release);
	signal_fd(log->wake_fd);
}

static void join(struct log_writer *log)
{
	struct pollfd pollfd = { .fd = log->finished_fd, .events = POLLIN };
	if (poll(&pollfd, 1, LOG_STOP_MS + JOIN_GRACE_MS) == 1) {
		pthread_join(log->thread, NULL);
	} else {
		pthread_detach(log->thread);
		log->is_abandoned = true;
	}
	log->is_started = false;
}

void log_writer_stop(struct log_writer *log)
{
	if (log == NULL || log->is_abandoned)
		return;
	if (!log->is_started) {
		drain(log);
		return;
	}
	atomic_store_explicit(&log->is_stopping, true, memory_order_release);
	signal_fd(log->wake_fd);
	join(log);
}
