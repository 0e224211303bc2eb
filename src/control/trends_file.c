/* SPDX-License-Identifier: Apache-2.0 */
#include "control/trends_file.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/trends_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum { CLOSE_WAIT_MS = 2000 };

struct trends_file {
	pthread_t thread;
	pthread_mutex_t lock; /* for what follows, up to the thread's own */
	pthread_cond_t changed;
	struct byte_writer chunk; /* the thread's while busy */
	enum trends_file_progress progress;
	bool is_ending;    /* the thread is to finish the file */
	bool is_abandoned; /* or to throw it away */
	bool is_left;      /* nobody waits for the thread: it frees all this */
	bool has_ended;
	int error;
	/* The thread's own. */
	char path[PATH_MAX];
	char new_path[PATH_MAX];
	int fd;
	uint64_t bytes;
	XXH3_state_t *checksum;
};

/* --- the thread -------------------------------------------------------------------------------------------------- */

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len > 0) {
		ssize_t written = write(fd, at, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		at += written;
		len -= (size_t)written;
	}
	return 0;
}

static int open_new(struct trends_file *file)
{
	uint8_t head[TRENDS_HEAD_BYTES];
	/* Whoever knows the secret in it can make sources that collide: it is for its owner only. */
	file->fd = open(file->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd < 0)
		return errno;
	trends_state_write_head(head);
	return write_all(file->fd, head, sizeof(head));
}

static int write_chunk(struct trends_file *file)
{
	XXH3_64bits_update(file->checksum, file->chunk.bytes, file->chunk.len);
	file->bytes += file->chunk.len;
	return write_all(file->fd, file->chunk.bytes, file->chunk.len);
}

static int finish_file(struct trends_file *file)
{
	uint8_t tail[TRENDS_TAIL_BYTES];
	trends_state_write_tail(file->bytes, XXH3_64bits_digest(file->checksum), tail);
	int error = write_all(file->fd, tail, sizeof(tail));
	if (error == 0 && fsync(file->fd) < 0)
		error = errno;
	if (error == 0 && rename(file->new_path, file->path) < 0)
		error = errno;
	return error;
}

static void destroy(struct trends_file *file)
{
	byte_writer_done(&file->chunk);
	XXH3_freeState(file->checksum);
	pthread_cond_destroy(&file->changed);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

/* Holding the lock. */
static void set_progress(struct trends_file *file, enum trends_file_progress progress, int error)
{
	file->progress = error == 0 ? progress : TRENDS_FILE_FAILED;
	file->error = error;
	pthread_cond_broadcast(&file->changed);
}

/* Holding the lock, but for the work itself. */
static void do_one(struct trends_file *file, int (*work)(struct trends_file *file), enum trends_file_progress next)
{
	pthread_mutex_unlock(&file->lock);
	int error = work(file);
	pthread_mutex_lock(&file->lock);
	set_progress(file, next, error);
}

static bool has_orders(const struct trends_file *file)
{
	return file->is_abandoned || file->is_ending || file->chunk.len > 0;
}

static void *run(void *argument)
{
	struct trends_file *file = argument;
	pthread_mutex_lock(&file->lock);
	do_one(file, open_new, TRENDS_FILE_READY);
	while (file->progress != TRENDS_FILE_DONE && !file->is_abandoned) {
		while (!has_orders(file))
			pthread_cond_wait(&file->changed, &file->lock);
		bool is_good = file->progress != TRENDS_FILE_FAILED && !file->is_abandoned;
		if (is_good && file->chunk.len > 0)
			do_one(file, write_chunk, TRENDS_FILE_READY);
		else if (is_good)
			do_one(file, finish_file, TRENDS_FILE_DONE);
		byte_writer_clear(&file->chunk);
		if (file->progress == TRENDS_FILE_FAILED)
			break;
	}
	if (file->progress != TRENDS_FILE_DONE && file->fd >= 0)
		unlink(file->new_path);
	fd_close(&file->fd);
	file->has_ended = true;
	bool is_left = file->is_left;
	pthread_cond_broadcast(&file->changed);
	pthread_mutex_unlock(&file->lock);
	if (is_left)
		destroy(file);
	return NULL;
}

/* --- control ----------------------------------------------------------------------------------------------------- */

int trends_file_begin(const char *path, struct trends_file **ret_file)
{
	struct trends_file *file = memory_alloc_zeroed(1, sizeof(*file));
	int len = snprintf(file->path, sizeof(file->path), "%s", path);
	int new_len = snprintf(file->new_path, sizeof(file->new_path), "%s.new", path);
	if (len >= (int)sizeof(file->path) || new_len >= (int)sizeof(file->new_path)) {
		free(file);
		return -ENAMETOOLONG;
	}
	file->fd = -1;
	file->progress = TRENDS_FILE_BUSY;
	file->checksum = XXH3_createState();
	CHECK(file->checksum != NULL);
	XXH3_64bits_reset(file->checksum);
	pthread_mutex_init(&file->lock, NULL);
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&file->changed, &clock);
	pthread_condattr_destroy(&clock);
	int error = pthread_create(&file->thread, NULL, run, file);
	if (error != 0) {
		destroy(file);
		return -error;
	}
	*ret_file = file;
	return 0;
}

static struct timespec deadline_in(uint32_t wait_ms)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += wait_ms / 1000;
	deadline.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000;
	}
	return deadline;
}

enum trends_file_progress trends_file_wait(struct trends_file *file, uint32_t wait_ms, int *ret_error)
{
	struct timespec deadline = deadline_in(wait_ms);
	pthread_mutex_lock(&file->lock);
	while (file->progress == TRENDS_FILE_BUSY &&
	       pthread_cond_timedwait(&file->changed, &file->lock, &deadline) == 0)
		;
	enum trends_file_progress progress = file->progress;
	*ret_error = file->error;
	pthread_mutex_unlock(&file->lock);
	return progress;
}

enum trends_file_progress trends_file_progress(struct trends_file *file, int *ret_error)
{
	pthread_mutex_lock(&file->lock);
	enum trends_file_progress progress = file->progress;
	*ret_error = file->error;
	pthread_mutex_unlock(&file->lock);
	return progress;
}

void trends_file_put(struct trends_file *file, struct byte_writer *chunk)
{
	if (chunk->len == 0)
		return;
	pthread_mutex_lock(&file->lock);
	CHECK(file->progress == TRENDS_FILE_READY && file->chunk.len == 0);
	struct byte_writer empty = file->chunk;
	file->chunk = *chunk;
	*chunk = empty;
	set_progress(file, TRENDS_FILE_BUSY, 0);
	pthread_mutex_unlock(&file->lock);
}

void trends_file_finish(struct trends_file *file)
{
	pthread_mutex_lock(&file->lock);
	CHECK(file->progress == TRENDS_FILE_READY);
	file->is_ending = true;
	set_progress(file, TRENDS_FILE_BUSY, 0);
	pthread_mutex_unlock(&file->lock);
}

void trends_file_close(struct trends_file **file)
{
	struct trends_file *closed = *file;
	if (closed == NULL)
		return;
	*file = NULL;
	struct timespec deadline = deadline_in(CLOSE_WAIT_MS);
	pthread_mutex_lock(&closed->lock);
	closed->is_abandoned = true;
	pthread_cond_broadcast(&closed->changed);
	int result = 0;
	while (!closed->has_ended && result == 0)
		result = pthread_cond_timedwait(&closed->changed, &closed->lock, &deadline);
	bool has_ended = closed->has_ended;
	closed->is_left = !has_ended;
	pthread_t thread = closed->thread;
	pthread_mutex_unlock(&closed->lock);
	if (!has_ended) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	destroy(closed);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int read_all(int fd, size_t len, char *bytes, size_t *ret_len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t got = read(fd, bytes + done, len - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_len = done;
	return 0;
}

int trends_file_read(const char *path, struct span *ret_bytes)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int result = fd < 0 ? -errno : 0;
	if (result == 0 && fstat(fd, &status) < 0)
		result = -errno;
	if (result == 0 && !S_ISREG(status.st_mode))
		result = -EINVAL;
	if (result == 0 && status.st_size > TRENDS_FILE_BYTES_MAX)
		result = -EFBIG;
	if (result == 0) {
		char *bytes = memory_alloc((size_t)status.st_size);
		size_t len = 0;
		result = read_all(fd, (size_t)status.st_size, bytes, &len);
		if (result == 0)
			*ret_bytes = (struct span){ bytes, len };
		else
			free(bytes);
	}
	fd_close(&fd);
	return result;
}

int trends_file_set_aside(const char *path)
{
	char aside[PATH_MAX];
	if (snprintf(aside, sizeof(aside), "%s.damaged", path) >= (int)sizeof(aside))
		return -ENAMETOOLONG;
	return rename(path, aside) < 0 ? -errno : 0;
}
