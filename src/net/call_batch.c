/* SPDX-License-Identifier: Apache-2.0 */
#include "net/call_batch.h"

#include "base/check.h"

#include <errno.h>
#include <sys/socket.h>

enum { FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL };

int call_batch_open(struct call_batch *batch)
{
	CHECK(!batch->has_ring && batch->count == 0);
	/* Only this thread enters the ring, and only to wait for what it has just submitted. */
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
	int result = io_uring_queue_init_params(CALL_BATCH_MAX, &batch->ring, &params);
	batch->has_ring = result == 0;
	return result;
}

void call_batch_close(struct call_batch *batch)
{
	CHECK(batch->count == 0);
	if (batch->has_ring)
		io_uring_queue_exit(&batch->ring);
	batch->has_ring = false;
}

static int32_t make_now(const struct call_batch_call *call)
{
	ssize_t result;
	do
		result = call->is_send ? send(call->fd, call->buf, call->len, FLAGS)
				       : recv(call->fd, call->buf, call->len, FLAGS);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : (int32_t)result;
}

static void submit(struct call_batch *batch, const struct call_batch_call *call, uint32_t index)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);
	CHECK(entry != NULL); /* as many as the batch holds */
	if (call->is_send)
		io_uring_prep_send(entry, call->fd, call->buf, call->len, FLAGS);
	else
		io_uring_prep_recv(entry, call->fd, call->buf, call->len, FLAGS);
	entry->user_data = index;
}

/* A call that stays alone is cheaper without the ring, so the first one waits for a second. */
static void enter(struct call_batch *batch, struct call_batch_call call)
{
	CHECK(!call_batch_is_full(batch));
	uint32_t index = batch->count++;
	if (!batch->has_ring) {
		batch->results[index] = make_now(&call);
		return;
	}
	if (index == 0) {
		batch->first = call;
		return;
	}
	if (index == 1)
		submit(batch, &batch->first, 0);
	submit(batch, &call, index);
}

void call_batch_recv(struct call_batch *batch, int fd, void *buf, size_t buf_bytes)
{
	enter(batch, (struct call_batch_call){ .fd = fd, .buf = buf, .len = buf_bytes });
}

void call_batch_send(struct call_batch *batch, int fd, const void *bytes, size_t len)
{
	enter(batch, (struct call_batch_call){ .fd = fd, .is_send = true, .buf = (void *)bytes, .len = len });
}

static void collect(struct call_batch *batch)
{
	struct io_uring_cqe *done;
	unsigned int head;
	unsigned int count = 0;
	io_uring_for_each_cqe(&batch->ring, head, done)
	{
		batch->results[done->user_data] = done->res;
		count++;
	}
	io_uring_cq_advance(&batch->ring, count);
	batch->count -= count;
}

void call_batch_run(struct call_batch *batch)
{
	if (batch->has_ring && batch->count == 1)
		batch->results[0] = make_now(&batch->first);
	if (!batch->has_ring || batch->count == 1)
		batch->count = 0;
	while (batch->count > 0) {
		int result = io_uring_submit_and_wait(&batch->ring, batch->count);
		CHECK(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY);
		collect(batch);
	}
}
