/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on stderr and in files.
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
 */
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

enum way { WAY_WRITE, WAY_POLL, WAY_SEND };

struct file_sink {
	struct log_sink sink;
	bool owns_fd;
	bool is_pipe;
	bool is_torn; /* the buffer begins with the rest of a line */
	enum way way;
	char *buffer;
	size_t start;
	size_t len;
};

static struct file_sink *file_of(struct log_sink *sink)
{
	return LIST_OWNER(sink, struct file_sink, sink);
}

static void choose_way(struct file_sink *file, mode_t mode)
{
	file->is_pipe = S_ISFIFO(mode);
	file->way = S_ISSOCK(mode) ? WAY_SEND : WAY_WRITE;
}

static int open_file(struct file_sink *file, const char *path)
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
	if (file->owns_fd)
		fd_close(&file->sink.fd);
	file->sink.fd = fd;
	file->owns_fd = true;
	choose_way(file, status.st_mode);
	return 0;
}

static void open_stderr(struct file_sink *file)
{
	struct stat status;
	char path[32];
	file->sink.fd = STDERR_FILENO;
	if (fstat(STDERR_FILENO, &status) < 0)
		return;
	choose_way(file, status.st_mode);
	if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", STDERR_FILENO);
	int fd = open(path, OPEN_FLAGS);
	file->owns_fd = fd >= 0;
	file->sink.fd = fd >= 0 ? fd : STDERR_FILENO;
	file->way = fd >= 0 ? WAY_WRITE : WAY_POLL;
}

static const struct log_sink_kind file_kind;

/* A closed stderr is not an error: what is written to it is dropped. */
int log_sink_file_open(const struct config_log *config, struct log_sink **ret_sink)
{
	struct file_sink *file = memory_alloc_zeroed(1, sizeof(*file));
	file->sink.kind = &file_kind;
	file->sink.fd = -1;
	int error = 0;
	if (config->sink == CONFIG_LOG_FILE)
		error = open_file(file, config->path);
	else
		open_stderr(file);
	if (error < 0) {
		free(file);
		return error;
	}
	file->buffer = memory_alloc(LOG_SINK_BUFFER_BYTES);
	*ret_sink = &file->sink;
	return 0;
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
static void drop_buffered(struct file_sink *file)
{
	const char *data = file->buffer + file->start;
	size_t kept = file->is_torn ? first_line(data, file->len) : 0;
	log_sink_count_dropped(&file->sink, count_lines(data + kept, file->len - kept));
	file->len = kept;
	file->sink.has_unwritten = kept > 0;
}

static void close_file(struct log_sink *sink)
{
	struct file_sink *file = file_of(sink);
	file->is_torn = false;
	drop_buffered(file);
	if (file->owns_fd)
		fd_close(&sink->fd);
	free(file->buffer);
}

static bool has_room(const struct file_sink *file, size_t len)
{
	return len <= LOG_SINK_BUFFER_BYTES - file->len;
}

static void flush_lines(struct log_sink *sink);

static void append_line(struct log_sink *sink, const struct log_message *message)
{
	struct file_sink *file = file_of(sink);
	size_t len = message->line.len;
	if (!has_room(file, len) && !sink->is_blocked)
		flush_lines(sink);
	if (!has_room(file, len)) {
		log_sink_count_dropped(sink, 1);
		return;
	}
	if (len > LOG_SINK_BUFFER_BYTES - file->start - file->len) {
		memmove(file->buffer, file->buffer + file->start, file->len);
		file->start = 0;
	}
	memcpy(file->buffer + file->start + file->len, message->line.data, len);
	file->len += len;
	sink->has_unwritten = true;
}

/*
 * How much to write at once. Everything, unless it is a pipe: then as many whole lines as PIPE_BUF bytes hold. A line
 * longer than that cannot be written in one piece.
 */
static size_t next_bytes(const struct file_sink *file)
{
	const char *data = file->buffer + file->start;
	if (file->len <= PIPE_BUF || (!file->is_pipe && file->way != WAY_POLL))
		return file->len;
	const char *last = memrchr(data, '\n', PIPE_BUF);
	return last != NULL ? (size_t)(last - data) + 1 : PIPE_BUF;
}

static ssize_t write_once(const struct file_sink *file, const char *data, size_t len)
{
	struct pollfd pollfd = { .fd = file->sink.fd, .events = POLLOUT };
	if (file->way == WAY_SEND)
		return send(file->sink.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (file->way == WAY_POLL && poll(&pollfd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(file->sink.fd, data, len);
}

static void flush_lines(struct log_sink *sink)
{
	struct file_sink *file = file_of(sink);
	sink->is_blocked = false;
	while (file->len > 0) {
		const char *data = file->buffer + file->start;
		ssize_t written = write_once(file, data, next_bytes(file));
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			sink->is_blocked = written < 0 && errno == EAGAIN;
			if (!sink->is_blocked)
				drop_buffered(file);
			return;
		}
		file->is_torn = data[written - 1] != '\n';
		file->start += (size_t)written;
		file->len -= (size_t)written;
	}
	file->start = 0;
	sink->has_unwritten = false;
}

static int reopen_file(struct log_sink *sink)
{
	struct file_sink *file = file_of(sink);
	flush_lines(sink);
	int error = open_file(file, sink->target.path);
	if (error < 0)
		return error;
	/* The beginning of a torn line stays in the old file; its rest would be a fragment in the new one. */
	if (file->is_torn) {
		size_t rest = first_line(file->buffer + file->start, file->len);
		file->start += rest;
		file->len -= rest;
		file->is_torn = false;
		log_sink_count_dropped(sink, 1);
		sink->has_unwritten = file->len > 0;
	}
	return 0;
}

static const struct log_sink_kind file_kind = {
	.append = append_line,
	.flush = flush_lines,
	.reopen = reopen_file,
	.close = close_file,
};
