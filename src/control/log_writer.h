/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes access records and events to all sinks of the configuration, on a thread of its own: neither a worker nor the
 * control thread ever waits for a sink, and a sink that takes nothing does not hold up the others.
 *
 *   workers --- one ring each, of struct flow_record ---+
 *                                                       +--> writer thread: formats --> a buffer per sink --> sink
 *   control --- one ring, of formatted events ----------+
 *
 * What does not fit into a ring or a sink's buffer, or cannot be written, is dropped and counted.
 *
 * Waking is cheap under load: the writer sleeps only when nothing came for a few milliseconds, so that a producer
 * mostly finds it awake and makes no system call. Therefore a record reaches its sink up to LOG_LINGER_MS late.
 *
 * Control calls everything here but log_writer_wake, which workers call. The rings of workers must stay until
 * log_writer_stop has returned.
 */
#ifndef CONTROL_LOG_WRITER_H
#define CONTROL_LOG_WRITER_H

#include "base/ring.h"
#include "config/config.h"
#include "control/record_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LOG_LINGER_MS = 4,
	LOG_STOP_MS =
		1000, /* how long a sink that goes may take for what is left in its buffer; at the stop, all together */
	LOG_CHANGES_WAITING_MAX = 16,
};

struct log_writer;
struct log_sink_set;

/*
 * Opens all sinks; the thread does not run yet, but events may be written already. Returns 0, or -errno with
 * *ret_failed set to the log directive whose file could not be opened, or to NULL when it was something else.
 */
int log_writer_new(const struct config *config, struct log_writer **ret_log, const struct config_log **ret_failed);

/* Before start. */
void log_writer_add_ring(struct log_writer *log, struct ring *worker_ring);

/* Returns 0 or -errno. */
int log_writer_start(struct log_writer *log);

/* A struct log_writer, after something was put into a ring. Any thread. */
void log_writer_wake(void *log);

/*
 * Changing the sinks while records are written, in two steps. Prepare opens the files that are new and says nothing to the
 * writer; commit cannot fail and does not wait. From there on records go to the new sinks; what was put before still
 * goes to the old ones, and those that are removed are closed after it. A sink of the same name keeps its open file.
 *
 * Prepare returns 0 and the change, NULL when nothing is to change (commit and abandon accept that); or -errno as
 * log_writer_new. It is -EBUSY when the writer hangs in a system call and LOG_CHANGES_WAITING_MAX changes wait for it.
 * Opening a file may block, as it may at the start.
 */
int log_writer_prepare(struct log_writer *log, const struct config *config, struct log_sink_set **ret_change,
		       const struct config_log **ret_failed);
void log_writer_commit(struct log_writer *log, struct log_sink_set *change);
/* Closes again what was opened. */
void log_writer_abandon(const struct log_writer *log, struct log_sink_set *change);

/* Opens files anew, soon and by their names; what cannot be opened stays as it was, and an event says so. */
void log_writer_reopen(struct log_writer *log);

/*
 * Writes everything that is in the rings and ends the thread; gives up on blocked sinks after LOG_STOP_MS. Without a
 * thread it writes what is there by itself. Accepts NULL.
 */
void log_writer_stop(struct log_writer *log);

/* Accepts NULL; clears the pointer. After stop. */
void log_writer_free(struct log_writer **log);

/* Does any sink want access records? They are of level info. To be asked again after each commit. */
bool log_writer_wants_flows(const struct log_writer *log);

/* How often workers are to tell of flows that go on, 0 for never. Likewise. */
uint64_t log_writer_progress_ms(const struct log_writer *log);

/* Records and events dropped so far, by full rings and by all sinks. */
uint64_t log_writer_dropped(const struct log_writer *log);

/*
 * The same by place: 0 is the rings, then the sinks in the order written, then, if they dropped any, those that are no
 * longer configured. False when there is no such place.
 */
struct log_writer_place {
	const char *name; /* "rings", "stderr", the path, or "removed"; lives until the next commit */
	uint64_t dropped;
};
bool log_writer_read_place(const struct log_writer *log, size_t index, struct log_writer_place *ret_place);

/*
 * Writes an event, now, to all sinks that want its level:
 *
 *   log_event(log, CONFIG_LEVEL_WARNING, "server_down", record_text("pool", pool->name),
 *             record_text("server", server->name), record_text("cause", verdict->cause));
 *
 * log may be NULL: then nothing happens. Control thread only.
 */
#define log_event(log, level, name, ...)                                                                               \
	log_writer_put_event(log, level, name, (const struct record_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/*
 * on_event is told of every event from now on, whatever sinks and levels are configured: its JSON record, without the
 * newline, which stays until it returns. It writes no events itself. NULL: nobody is told any more. What the writer
 * thread has to say for itself (log_reopened) is not told. Accepts NULL for log.
 */
void log_writer_observe(struct log_writer *log, void (*on_event)(void *owner, struct span record), void *owner);

/* fields ends with one whose key is NULL. */
void log_writer_put_event(struct log_writer *log, enum config_log_level level, const char *name,
			  const struct record_field *fields);

#endif
