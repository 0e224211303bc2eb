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
 * Owns its descriptor and its buffer. Opened by control, then used by the log writer's thread; its path, which does not
 * change, and log_sink_dropped by both.
 */
#ifndef CONTROL_LOG_SINK_H
#define CONTROL_LOG_SINK_H

#include "base/list.h"
#include "config/config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_SINK_BUFFER_BYTES = 512 * 1024 };

enum log_sink_way { LOG_SINK_WRITE, LOG_SINK_POLL, LOG_SINK_SEND };

struct log_sink {
	struct list link; /* for its owner, as is give_up_ms */
	uint64_t give_up_ms;
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
	_Atomic uint64_t *all_dropped;
};

/*
 * Returns 0 or -errno of opening the file. A closed stderr is not an error: what is written to it is dropped. Lines that
 * are dropped are also counted in *all_dropped, which sinks share and which outlives them.
 */
int log_sink_open(const struct config_log *config, _Atomic uint64_t *all_dropped, struct log_sink **ret_sink);
/* Lines still in the buffer are counted as dropped. Clears the pointer. */
void log_sink_close(struct log_sink **sink);

/* Is it the one that the directive names? */
bool log_sink_is_of(const struct log_sink *sink, const struct config_log *config);

/* Do both write to stderr, or to the same path? */
bool log_sink_is_namesake(const struct log_sink *a, const struct log_sink *b);

/* Adds one whole line to the buffer. */
void log_sink_append(struct log_sink *sink, const char *line, size_t len);

/* Writes what can be written without waiting. */
void log_sink_flush(struct log_sink *sink);

/* Opens the file of that name anew; nothing changes on failure. Does nothing to stderr. Returns 0 or -errno. */
int log_sink_reopen(struct log_sink *sink);

uint64_t log_sink_dropped(const struct log_sink *sink);

#endif
