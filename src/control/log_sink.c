/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_sink.h"

#include "base/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: a path may name a pipe or a terminal. */
enum {
	OPEN_FLAGS = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	FILE_MODE = 0640,
};

static void choose_way(struct log_sink *sink, mode_t mode)
{
	sink->is_pipe = S_ISFIFO(mode);
	sink->way = S_ISSOCK(mode) ? LOG_SINK_SEND : LOG_SINK_WRITE;
}

static int open_file(struct log_sink *sink, const char *path)
{
	struct stat status;
	int fd = open(path, OPEN_FLAGS | O_APPEND | O_CREAT, FILE_MODE);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	if (sink->owns_fd)
		fd_close(&sink->fd);
	sink->fd = fd;
	sink->owns_fd = true;
	choose_way(sink, status.st_mode);
	return 0;
}

static void open_stderr(struct log_sink *sink)
{
	struct stat status;
	char path[32];
	sink->fd = STDERR_FILENO;
	if (fstat(STDERR_FILENO, &status) < 0)
		return;
	choose_way(sink, status.st_mode);
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", STDERR_FILENO);
	int fd = open(path, OPEN_FLAGS);
	sink->owns_fd = fd >= 0;
	sink->fd = fd >= 0 ? fd : STDERR_FILENO;
	sink->way = fd >= 0 ? LOG_SINK_WRITE : LOG_SINK_POLL;
}

int log_sink_open(const struct config_log *config, _Atomic uint64_t *all_dropped, struct log_sink **ret_sink)
{
	struct log_sink *sink = memory_alloc_zeroed(1, sizeof(*sink));
	sink->fd = -1;
	sink->all_dropped = all_dropped;
	if (config->sink == CONFIG_LOG_FILE) {
		int error = open_file(sink, config->path);
		if (error < 0) {
			free(sink);
			return error;
		}
		sink->path = memory_copy_text(config->path);
	} else {
		open_stderr(sink);
	}
	sink->buffer = memory_alloc(LOG_SINK_BUFFER_BYTES);
	*ret_sink = sink;
	return 0;
}

bool log_sink_is_of(const struct log_sink *sink, const struct config_log *config)
{
	if (config->sink != CONFIG_LOG_FILE)
		return sink->path == NULL;
	return sink->path != NULL && strcmp(sink->path, config->path) == 0;
}

bool log_sink_is_namesake(const struct log_sink *a, const struct log_sink *b)
{
	if (a->path == NULL || b->path == NULL)
		return a->path == b->path;
	return strcmp(a->path, b->path) == 0;
}

/* In this order, and log_sink_dropped acquires: whoever adds up all sinks never finds more than there are in all. */
static void count_dropped(struct log_sink *sink, uint64_t lines)
{
	atomic_fetch_add_explicit(sink->all_dropped, lines, memory_order_relaxed);
	atomic_fetch_add_explicit(&sink->dropped, lines, memory_order_release);
}

uint64_t log_sink_dropped(const struct log_sink *sink)
{
	return atomic_load_explicit(&sink->dropped, memory_order_acquire);
}

static uint64_t count_lines(const char *text, size_t len)
{
	uint64_t lines = 0;
	for (const char *end = text + len; (text = memchr(text, '\n', (size_t)(end - text))) != NULL; text++)
		lines++;
	return lines;
}

/* Bytes up to and including the first newline; all of them when there is none. */
static size_t first_line(const char *text, size_t len)
{
	const char *newline = memchr(text, '\n', len);
	return newline != NULL ? (size_t)(newline - text) + 1 : len;
}

/* All lines go but the rest of one whose beginning has been written: without it the next line would stick to it. */
static void drop_buffered(struct log_sink *sink)
{
	const char *data = sink->buffer + sink->start;
	size_t kept = sink->is_torn ? first_line(data, sink->len) : 0;
	count_dropped(sink, count_lines(data + kept, sink->len - kept));
	sink->len = kept;
}

void log_sink_close(struct log_sink **sink_pointer)
{
	struct log_sink *sink = *sink_pointer;
	*sink_pointer = NULL;
	sink->is_torn = false;
	drop_buffered(sink);
	if (sink->owns_fd)
		fd_close(&sink->fd);
	free(sink->buffer);
	free(sink->path);
	free(sink);
}

static bool has_room(const struct log_sink *sink, size_t len)
{
	return len <= LOG_SINK_BUFFER_BYTES - sink->len;
}

void log_sink_append(struct log_sink *sink, const char *line, size_t len)
{
	if (!has_room(sink, len) && !sink->is_blocked)
		log_sink_flush(sink);
	if (!has_room(sink, len)) {
		count_dropped(sink, 1);
		return;
	}
	if (len > LOG_SINK_BUFFER_BYTES - sink->start - sink->len) {
		memmove(sink->buffer, sink->buffer + sink->start, sink->len);
		sink->start = 0;
	}
	memcpy(sink->buffer + sink->start + sink->len, line, len);
	sink->len += len;
}

/*
 * How much to write at once. Everything, unless it is a pipe: then as many whole lines as PIPE_BUF bytes hold. A line
 * longer than that cannot be written in one piece.
 */
static size_t next_bytes(const struct log_sink *sink)
{
	const char *data = sink->buffer + sink->start;
	if (sink->len <= PIPE_BUF || (!sink->is_pipe && sink->way != LOG_SINK_POLL))
		return sink->len;
	const char *last = memrchr(data, '\n', PIPE_BUF);
	return last != NULL ? (size_t)(last - data) + 1 : PIPE_BUF;
}

static ssize_t write_once(const struct log_sink *sink, const char *data, size_t len)
{
	struct pollfd pollfd = { .fd = sink->fd, .events = POLLOUT };
	if (sink->way == LOG_SINK_SEND)
		return send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sink->way == LOG_SINK_POLL && poll(&pollfd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(sink->fd, data, len);
}

void log_sink_flush(struct log_sink *sink)
{
	sink->is_blocked = false;
	while (sink->len > 0) {
		const char *data = sink->buffer + sink->start;
		ssize_t written = write_once(sink, data, next_bytes(sink));
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			sink->is_blocked = written < 0 && errno == EAGAIN;
			if (!sink->is_blocked)
				drop_buffered(sink);
			return;
		}
		sink->is_torn = data[written - 1] != '\n';
		sink->start += (size_t)written;
		sink->len -= (size_t)written;
	}
	sink->start = 0;
}

int log_sink_reopen(struct log_sink *sink)
{
	if (sink->path == NULL)
		return 0;
	log_sink_flush(sink);
	int error = open_file(sink, sink->path);
	if (error < 0)
		return error;
	/* The beginning of a torn line stays in the old file; its rest would be a fragment in the new one. */
	if (sink->is_torn) {
		size_t rest = first_line(sink->buffer + sink->start, sink->len);
		sink->start += rest;
		sink->len -= rest;
		sink->is_torn = false;
		count_dropped(sink, 1);
	}
	return 0;
}
