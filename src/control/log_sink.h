/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One place where lines are written: stderr or a file, with a buffer of its own, so that a sink that does not take
 * anything holds up neither the others nor the writer.
 *
 * Writing never waits for a reader. How depends on what the descriptor is:
 *
 *   regular file     written at once; the disk is trusted to answer
 *   pipe, terminal   opened a second time through /proc/self/fd and made non-blocking there: O_NONBLOCK on the shared
 *                    stderr itself would also hit every other process that has it. Where that is not allowed, poll
 *                    first, then at most PIPE_BUF bytes, which a pipe that polls as writable takes without blocking.
 *   socket           send with MSG_DONTWAIT
 *
 * Lines stay whole: a pipe is given whole lines of at most PIPE_BUF bytes at a time (atomic, pipe(7)), and the rest of
 * a line that was begun is always written before the next one. A full buffer and a write error (no space, no reader)
 * drop lines that are not begun, and count them.
 *
 * Owns its descriptor and its buffer. Used by the log writer's thread; log_sink_dropped by any.
 */
#ifndef CONTROL_LOG_SINK_H
#define CONTROL_LOG_SINK_H

#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_SINK_BUFFER_BYTES = 512 * 1024 };

enum log_sink_way { LOG_SINK_WRITE, LOG_SINK_POLL, LOG_SINK_SEND };

struct log_sink {
	enum config_log_format format;
	enum config_log_level level;
	char *path; /* NULL: stderr */
	int fd;
	bool owns_fd;
	bool is_pipe;
	bool is_blocked; /* the last flush left something behind because the reader is slow */
	bool is_torn;    /* the buffer begins with the rest of a line */
	enum log_sink_way way;
	char *buffer;
	size_t start;
	size_t len;
	_Atomic uint64_t dropped; /* lines */
};

/* Returns 0 or -errno of opening the file. A closed stderr is not an error: what is written to it is dropped. */
int log_sink_open(struct log_sink *sink, const struct config_log *config);
/* Lines still in the buffer are counted as dropped. */
void log_sink_close(struct log_sink *sink);

/* Adds one whole line to the buffer. */
void log_sink_append(struct log_sink *sink, const char *line, size_t len);

/* Writes what can be written without waiting. */
void log_sink_flush(struct log_sink *sink);

/* Opens the file of that name anew; nothing changes on failure. Does nothing to stderr. Returns 0 or -errno. */
int log_sink_reopen(struct log_sink *sink);

uint64_t log_sink_dropped(const struct log_sink *sink);

#endif
