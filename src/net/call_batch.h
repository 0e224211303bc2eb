/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving from many sockets, and sending to many, with one system call: io_uring (Linux 6.1), whose operations complete
 * at once here, because nothing is waited for. Without a ring - it was not opened, or refused: an older kernel,
 * kernel.io_uring_disabled, a seccomp filter as containers have - the same calls are made one by one.
 *
 * Calls of one batch are made in the order in which they were entered. Buffers have to stay until call_batch_run returns;
 * without a ring a call may be made, and its buffer filled, as soon as it is entered. Belongs to one thread.
 */
#ifndef NET_CALL_BATCH_H
#define NET_CALL_BATCH_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CALL_BATCH_MAX = 32 };

/* Private to call_batch.c. */
struct call_batch_call {
	int fd;
	bool is_send;
	void *buf;
	size_t len;
};

struct call_batch {
	struct io_uring ring;
	bool has_ring;
	uint32_t count; /* of calls that were entered */
	struct call_batch_call first;
	int32_t results[CALL_BATCH_MAX];
};

/* Zeroed, a batch works without a ring. Opens one, on the thread that it belongs to. Returns 0 or -errno: no ring. */
int call_batch_open(struct call_batch *batch);

/* Of an empty batch; does nothing without a ring. */
void call_batch_close(struct call_batch *batch);

static inline bool call_batch_is_full(const struct call_batch *batch)
{
	return batch->count == CALL_BATCH_MAX;
}

/* As recv and send with MSG_DONTWAIT and MSG_NOSIGNAL. The first call entered has index 0, and so on. Not when full. */
void call_batch_recv(struct call_batch *batch, int fd, void *buf, size_t buf_bytes);
void call_batch_send(struct call_batch *batch, int fd, const void *bytes, size_t len);

/* Makes the calls and empties the batch; results[i] is then what call i has returned, or -errno. Never -EINTR. */
void call_batch_run(struct call_batch *batch);

#endif
