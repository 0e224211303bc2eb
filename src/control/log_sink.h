/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One place where records are written, of one of several kinds:
 *
 *   log_sink_file.c      stderr and files
 *   log_sink_syslog.c    syslog over a unix socket, UDP or TCP
 *   log_sink_journal.c   the journal of systemd
 *
 * Each has a buffer of its own, so that a sink that does not take anything holds up neither the others nor the writer:
 * nothing here ever waits. Records stay whole; what does not fit into the buffer or cannot be written is dropped and
 * counted.
 *
 * Opened by control, then used by the log writer's thread; its target and name, which do not change, and
 * log_sink_dropped by both.
 */
#ifndef CONTROL_LOG_SINK_H
#define CONTROL_LOG_SINK_H

#include "base/list.h"
#include "base/span.h"
#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_SINK_BUFFER_BYTES = 512 * 1024 };

/* One record, as a sink gets it. */
struct log_message {
	enum config_log_level level;
	int64_t realtime_us;
	const char *name;    /* of the event; a constant of the program */
	struct span line;    /* in the sink's format, with the newline at the end */
	struct span journal; /* its fields in the journal's form; empty where no sink wants them */
};

struct log_sink;

/* What the kinds do each in their own way. */
struct log_sink_kind {
	void (*append)(struct log_sink *sink, const struct log_message *message);
	void (*flush)(struct log_sink *sink);
	int (*reopen)(struct log_sink *sink); /* NULL: there is nothing that can be moved away */
	/* Counts as dropped what has not been written, and frees all but what struct log_sink has. */
	void (*close)(struct log_sink *sink);
};

struct log_sink {
	struct list link; /* for its owner, as is give_up_ms */
	uint64_t give_up_ms;
	const struct log_sink_kind *kind;
	struct config_log target; /* what it was opened from; the path is a copy */
	char *name;               /* log_target_name */
	bool wants_journal;       /* the journal's form of a record, besides the line */
	/* How the last flush left it. */
	bool has_unwritten;
	bool is_blocked;          /* something is left because the reader is slow, or absent */
	int fd;                   /* becomes writable when a blocked sink is to be flushed again; -1: none */
	uint64_t wake_ms;         /* monotonic: flush again then, at the latest; 0: no such moment */
	_Atomic uint64_t dropped; /* records */
	_Atomic uint64_t *all_dropped;
};

/*
 * Returns 0 or -errno of opening a file; the others connect when there is something to write, and are never refused.
 * Records that are dropped are also counted in *all_dropped, which sinks share and which outlives them.
 */
int log_sink_open(const struct config_log *config, _Atomic uint64_t *all_dropped, struct log_sink **ret_sink);
/* Records still in the buffer are counted as dropped. Clears the pointer. */
void log_sink_close(struct log_sink **sink);

/* Is it the one that the directive names? */
bool log_sink_is_of(const struct log_sink *sink, const struct config_log *config);

/* Do both write to the same? */
bool log_sink_is_namesake(const struct log_sink *a, const struct log_sink *b);

/* Adds one record to the buffer. */
static inline void log_sink_append(struct log_sink *sink, const struct log_message *message)
{
	sink->kind->append(sink, message);
}

/* Writes what can be written without waiting. */
static inline void log_sink_flush(struct log_sink *sink)
{
	sink->kind->flush(sink);
}

/* Can it be opened anew? Sockets are not: they connect again by themselves. */
static inline bool log_sink_can_reopen(const struct log_sink *sink)
{
	return sink->kind->reopen != NULL && sink->target.sink == CONFIG_LOG_FILE;
}

/* Opens the file of that name anew; nothing changes on failure. Returns 0 or -errno. */
int log_sink_reopen(struct log_sink *sink);

uint64_t log_sink_dropped(const struct log_sink *sink);

/* --- for the kinds --- */

void log_sink_count_dropped(struct log_sink *sink, uint64_t records);

/* Each returns 0, or -errno, and an object that begins with a struct log_sink. */
int log_sink_file_open(const struct config_log *config, struct log_sink **ret_sink);
int log_sink_syslog_open(const struct config_log *config, struct log_sink **ret_sink);
int log_sink_journal_open(const struct config_log *config, struct log_sink **ret_sink);

#endif
