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
	LOG_STOP_MS = 1000, /* how long log_writer_stop waits for sinks that do not take what is left */
};

struct log_writer;

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

/* Opens files anew, soon and by their names; what cannot be opened stays as it was, and an event says so. */
void log_writer_reopen(struct log_writer *log);

/*
 * Writes everything that is in the rings and ends the thread; gives up on blocked sinks after LOG_STOP_MS. Without a
 * thread it writes what is there by itself. Accepts NULL.
 */
void log_writer_stop(struct log_writer *log);

/* Accepts NULL; clears the pointer. After stop. */
void log_writer_free(struct log_writer **log);

/* Does any sink want access records? They are of level info. */
bool log_writer_wants_flows(const struct log_writer *log);

/* Records and events dropped so far, by full rings and by all sinks. */
uint64_t log_writer_dropped(const struct log_writer *log);

/* The same by place: 0 is the rings, then the sinks in the order written. False when there is no such place. */
struct log_writer_place {
	const char *name; /* "rings", "stderr" or the path; lives as long as the log */
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

/* fields ends with one whose key is NULL. */
void log_writer_put_event(struct log_writer *log, enum config_log_level level, const char *name,
			  const struct record_field *fields);

#endif
