/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_writer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/log_sink.h"

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

/*
 * Sleeping and waking. Two flags cross: the producer puts a message, then looks whether the writer sleeps; the writer
 * says that it sleeps, then looks whether there are messages. With a full fence between the two steps on both sides at
 * least one of them sees the other, so no message is left lying. The fence is the one of liburcu, which thread
 * sanitizer accepts; what is in the rings is ordered by the rings themselves.
 *
 * Stopping. Control sets is_stopping and waits for finished_fd, for a limited time. A writer that hangs inside a system
 * call (a dead network file system) is left behind with all its memory: the process is about to end.
 */

enum {
	MESSAGES_PER_TURN = 256, /* from each ring */
	EVENT_RING_BYTES = 256 * 1024,
	STOP_POLL_MS = 50,
	JOIN_GRACE_MS = 500,
};

/* An event in control's ring: its line in each form that a sink wants, one behind the other. */
struct event_message {
	uint32_t level;
	uint32_t json_bytes;
	uint32_t text_bytes;
	char lines[2 * RECORD_LINE_BYTES];
};

struct log_writer {
	struct log_sink *sinks;
	struct pollfd *pollfds; /* one for each sink and one for wake_fd */
	size_t sink_count;
	bool wants_form[2]; /* by enum config_log_format */
	struct ring events;
	struct ring *worker_rings[CONFIG_WORKERS_MAX];
	size_t ring_count;
	int wake_fd;
	int finished_fd; /* readable when the thread has done all it will do */
	pthread_t thread;
	bool is_started;
	bool is_abandoned;
	struct record_line control_line; /* scratch of control */
	struct event_message control_message;
	struct record_line line; /* scratch of the writer, as is the rest */
	struct event_message event;
	struct flow_record record;
	_Atomic bool is_stopping;
	_Atomic bool is_reopening;
	alignas(64) _Atomic bool is_sleeping;
};

static bool has_stderr(const struct log_writer *log)
{
	for (size_t i = 0; i < log->sink_count; i++) {
		if (log->sinks[i].path == NULL)
			return true;
	}
	return false;
}

static int open_sinks(struct log_writer *log, const struct config *config, const struct config_log **ret_failed)
{
	for (; log->sink_count < config->log_count; log->sink_count++) {
		const struct config_log *directive = &config->logs[log->sink_count];
		int error = log_sink_open(&log->sinks[log->sink_count], directive);
		if (error < 0) {
			*ret_failed = directive;
			return error;
		}
		log->wants_form[directive->format] = true;
	}
	return 0;
}

int log_writer_new(const struct config *config, struct log_writer **ret_log, const struct config_log **ret_failed)
{
	struct log_writer *log = aligned_alloc(alignof(struct log_writer), sizeof(*log));
	CHECK(log != NULL);
	memset(log, 0, sizeof(*log));
	*ret_failed = NULL;
	log->sinks = memory_alloc_zeroed(config->log_count, sizeof(*log->sinks));
	log->pollfds = memory_alloc_zeroed(config->log_count + 1, sizeof(*log->pollfds));
	ring_init(&log->events, EVENT_RING_BYTES);
	log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	log->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool has_fds = log->wake_fd >= 0 && log->finished_fd >= 0;
	int error = has_fds ? open_sinks(log, config, ret_failed) : -errno;
	if (error < 0) {
		log_writer_free(&log);
		return error;
	}
	*ret_log = log;
	return 0;
}

void log_writer_free(struct log_writer **log_pointer)
{
	struct log_writer *log = *log_pointer;
	*log_pointer = NULL;
	if (log == NULL || log->is_abandoned)
		return;
	CHECK(!log->is_started);
	for (size_t i = 0; i < log->sink_count; i++)
		log_sink_close(&log->sinks[i]);
	fd_close(&log->wake_fd);
	fd_close(&log->finished_fd);
	ring_done(&log->events);
	free(log->pollfds);
	free(log->sinks);
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

bool log_writer_wants_flows(const struct log_writer *log)
{
	for (size_t i = 0; i < log->sink_count; i++) {
		if (log->sinks[i].level >= CONFIG_LEVEL_INFO)
			return true;
	}
	return false;
}

static uint64_t rings_dropped(const struct log_writer *log)
{
	uint64_t dropped = atomic_load_explicit(&log->events.dropped, memory_order_relaxed);
	for (size_t i = 0; i < log->ring_count; i++)
		dropped += atomic_load_explicit(&log->worker_rings[i]->dropped, memory_order_relaxed);
	return dropped;
}

bool log_writer_read_place(const struct log_writer *log, size_t index, struct log_writer_place *ret_place)
{
	if (index > log->sink_count)
		return false;
	if (index == 0) {
		*ret_place = (struct log_writer_place){ "rings", rings_dropped(log) };
		return true;
	}
	const struct log_sink *sink = &log->sinks[index - 1];
	*ret_place = (struct log_writer_place){ sink->path != NULL ? sink->path : "stderr", log_sink_dropped(sink) };
	return true;
}

uint64_t log_writer_dropped(const struct log_writer *log)
{
	uint64_t dropped = 0;
	struct log_writer_place place;
	for (size_t i = 0; log_writer_read_place(log, i, &place); i++)
		dropped += place.dropped;
	return dropped;
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

void log_writer_put_event(struct log_writer *log, enum config_log_level level, const char *name,
			  const struct record_field *fields)
{
	if (log == NULL)
		return;
	struct record_event event = make_event(name, fields);
	struct event_message *message = &log->control_message;
	struct record_line *line = &log->control_line;
	*message = (struct event_message){ .level = level };
	if (log->wants_form[CONFIG_LOG_JSON]) {
		record_format_event(&event, CONFIG_LOG_JSON, line);
		memcpy(message->lines, line->text, line->len);
		message->json_bytes = (uint32_t)line->len;
	}
	if (log->wants_form[CONFIG_LOG_TEXT]) {
		record_format_event(&event, CONFIG_LOG_TEXT, line);
		memcpy(message->lines + message->json_bytes, line->text, line->len);
		message->text_bytes = (uint32_t)line->len;
	}
	ring_put(&log->events, message,
		 offsetof(struct event_message, lines) + message->json_bytes + message->text_bytes);
	log_writer_wake(log);
}

/* The writer thread from here on. */

static void append_line(struct log_writer *log, enum config_log_format format, enum config_log_level level,
			struct span line)
{
	for (size_t i = 0; i < log->sink_count; i++) {
		struct log_sink *sink = &log->sinks[i];
		if (sink->format == format && sink->level >= level)
			log_sink_append(sink, line.data, line.len);
	}
}

static size_t take_events(struct log_writer *log)
{
	struct event_message *event = &log->event;
	size_t count = 0;
	for (; count < MESSAGES_PER_TURN && ring_take(&log->events, event, sizeof(*event)) > 0; count++) {
		append_line(log, CONFIG_LOG_JSON, event->level, (struct span){ event->lines, event->json_bytes });
		append_line(log, CONFIG_LOG_TEXT, event->level,
			    (struct span){ event->lines + event->json_bytes, event->text_bytes });
	}
	return count;
}

static void append_record(struct log_writer *log)
{
	for (enum config_log_format format = CONFIG_LOG_TEXT; format <= CONFIG_LOG_JSON; format++) {
		if (!log->wants_form[format])
			continue;
		record_format_flow(&log->record, format, &log->line);
		append_line(log, format, CONFIG_LEVEL_INFO, (struct span){ log->line.text, log->line.len });
	}
}

static size_t take_records(struct log_writer *log, struct ring *ring)
{
	size_t count = 0;
	for (; count < MESSAGES_PER_TURN && ring_take(ring, &log->record, sizeof(log->record)) > 0; count++)
		append_record(log);
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
		size_t count = take_records(log, log->worker_rings[i]);
		most = count > most ? count : most;
	}
	size_t count = take_events(log);
	return count > most ? count : most;
}

/* Returns true when a sink waits for its reader. */
static bool flush_sinks(struct log_writer *log)
{
	bool is_blocked = false;
	for (size_t i = 0; i < log->sink_count; i++) {
		log_sink_flush(&log->sinks[i]);
		is_blocked = is_blocked || log->sinks[i].is_blocked;
	}
	return is_blocked;
}

static void append_own_event(struct log_writer *log, enum config_log_level level, const struct record_event *event)
{
	for (enum config_log_format format = CONFIG_LOG_TEXT; format <= CONFIG_LOG_JSON; format++) {
		record_format_event(event, format, &log->line);
		append_line(log, format, level, (struct span){ log->line.text, log->line.len });
	}
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
	if (has_stderr(log) || poll(&pollfd, 1, 0) != 1)
		return;
	record_format_event(&event, CONFIG_LOG_TEXT, &log->line);
	ssize_t result = write(STDERR_FILENO, log->line.text, log->line.len);
	(void)result; /* there is nobody left to tell */
}

static void reopen_sinks(struct log_writer *log)
{
	uint64_t reopened_count = 0;
	for (size_t i = 0; i < log->sink_count; i++) {
		struct log_sink *sink = &log->sinks[i];
		if (sink->path == NULL)
			continue;
		int error = log_sink_reopen(sink);
		if (error < 0)
			report_reopen_failure(log, sink->path, error);
		else
			reopened_count++;
	}
	const struct record_field fields[] = { record_number("files", reopened_count), { 0 } };
	struct record_event event = make_event("log_reopened", fields);
	if (reopened_count > 0)
		append_own_event(log, CONFIG_LEVEL_INFO, &event);
}

/* Waits for a wake-up, for the reader of a blocked sink, or for the time to pass (-1: for ever). */
static void wait_for_work(struct log_writer *log, int timeout_ms)
{
	nfds_t count = 1;
	uint64_t ignored;
	log->pollfds[0] = (struct pollfd){ .fd = log->wake_fd, .events = POLLIN };
	for (size_t i = 0; i < log->sink_count; i++) {
		if (log->sinks[i].is_blocked)
			log->pollfds[count++] = (struct pollfd){ .fd = log->sinks[i].fd, .events = POLLOUT };
	}
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
		wait_for_work(log, -1);
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
