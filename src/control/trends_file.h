/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that trends are kept in: written in chunks by a thread of its own, so that a slow disk holds up nobody, into
 * PATH.new, which becomes PATH only when all of it is on the disk. One at a time; control hands over a chunk whenever
 * the thread has done with the one before. Control thread.
 */
#ifndef CONTROL_TRENDS_FILE_H
#define CONTROL_TRENDS_FILE_H

#include "base/byte_stream.h"

#include <stdbool.h>
#include <stdint.h>

enum { TRENDS_FILE_BYTES_MAX = 1 << 30 }; /* what is larger is not read */

struct trends_file;

enum trends_file_progress {
	TRENDS_FILE_READY, /* takes a chunk, or the end */
	TRENDS_FILE_BUSY,
	TRENDS_FILE_DONE,
	TRENDS_FILE_FAILED,
};

/* Starts the thread. Returns 0 or -errno. */
int trends_file_begin(const char *path, struct trends_file **ret_file);
/* ret_error: with TRENDS_FILE_FAILED a positive errno. */
enum trends_file_progress trends_file_progress(struct trends_file *file, int *ret_error);
/* As the progress, but waits until it is not TRENDS_FILE_BUSY any more, or for so long. */
enum trends_file_progress trends_file_wait(struct trends_file *file, uint32_t wait_ms, int *ret_error);
/* Takes the chunk's bytes; the chunk is empty afterwards. Only when it is ready. */
void trends_file_put(struct trends_file *file, struct byte_writer *chunk);
/* Nothing more comes. Only when it is ready. */
void trends_file_finish(struct trends_file *file);
/*
 * Ends the thread; what was not finished is thrown away. A thread that hangs in the disk is left behind, with its
 * memory. Accepts NULL; clears the pointer.
 */
void trends_file_close(struct trends_file **file);

/* The whole file, on the heap. Returns 0 or -errno; -EFBIG when it is too large, -EINVAL when it is no regular file. */
int trends_file_read(const char *path, struct span *ret_bytes);

/* Puts the file aside as PATH.damaged, in place of one that was there before. Returns 0 or -errno. */
int trends_file_set_aside(const char *path);

#endif
