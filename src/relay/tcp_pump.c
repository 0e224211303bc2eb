/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_pump.h"

#include "base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Tail buffers given back keep their memory up to this many; beyond it the memory goes back to the system. */
enum { WARM_TAILS = 64 };

void tcp_pump_note(struct tcp_side *side, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		side->is_readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		side->is_writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		side->has_hung_up = true;
	if (events & EPOLLERR)
		side->has_error = true;
}

bool tcp_pump_has_tails(const struct relay *relay)
{
	uint64_t bytes_max = atomic_load_explicit(&relay->settings->budget->tail_bytes_max, memory_order_relaxed);
	return !slab_is_full(&relay->tails) && (relay->tails.taken_count + 1) * sizeof(struct tcp_tail) <= bytes_max;
}

static void give_tail(struct relay *relay, struct tcp_tail *tail)
{
	slab_give(&relay->tails, tail);
	counter_subtract(&relay->tails_active, 1);
	/* The slab keeps its free list in the first bytes of the object, so the first page stays. */
	if (relay->tails.taken_count > WARM_TAILS) {
		uintptr_t begin = ((uintptr_t)tail + sizeof(void *) + 4095) & ~(uintptr_t)4095;
		uintptr_t end = ((uintptr_t)tail + sizeof(*tail)) & ~(uintptr_t)4095;
		madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
}

void tcp_pump_drop_tail(struct relay *relay, struct tcp_side *side)
{
	if (side->tail != NULL)
		give_tail(relay, side->tail);
	side->tail = NULL;
}

static void keep_tail(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, size_t len)
{
	to->tail = slab_take(&relay->tails);
	CHECK(to->tail != NULL); /* looked at before reading */
	counter_add(&relay->tails_active, 1);
	to->tail->offset = 0;
	to->tail->len = (uint32_t)len;
	memcpy(to->tail->bytes, bytes, len);
	to->is_writable = false;
}

/* Writes as much as the side takes. Returns the number of bytes, or -1 when the connection is broken. */
static ssize_t write_some(struct tcp_side *to, const uint8_t *bytes, size_t len)
{
	for (;;) {
		ssize_t sent = send(to->source.fd, bytes, len, MSG_NOSIGNAL);
		if (sent >= 0)
			return sent;
		if (errno == EAGAIN)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* Writes the tail. WAIT: the side is clear now; UNFINISHED: it is still blocked. */
static enum tcp_pump_result flush_tail(struct relay *relay, struct tcp_side *to, bool *moved)
{
	struct tcp_tail *tail = to->tail;
	ssize_t sent = write_some(to, tail->bytes + tail->offset, tail->len);
	if (sent < 0)
		return TCP_PUMP_SINK_RESET;
	*moved |= sent > 0;
	tail->offset += (uint32_t)sent;
	tail->len -= (uint32_t)sent;
	if (tail->len > 0) {
		to->is_writable = false;
		return TCP_PUMP_UNFINISHED;
	}
	tcp_pump_drop_tail(relay, to);
	return TCP_PUMP_WAIT;
}

/* Reads once and passes on what came. WAIT: nothing more there; UNFINISHED: there may be more. */
static enum tcp_pump_result move_once(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved)
{
	ssize_t got = recv(from->source.fd, relay->scratch, TCP_SCRATCH_BYTES, 0);
	if (got < 0) {
		if (errno == EINTR)
			return TCP_PUMP_UNFINISHED;
		from->is_readable = false;
		return errno == EAGAIN ? TCP_PUMP_WAIT : TCP_PUMP_SOURCE_RESET;
	}
	if (got == 0) {
		from->has_ended = true;
		return TCP_PUMP_UNFINISHED;
	}
	*moved = true;
	from->bytes_read += (uint64_t)got;
	/* A short read has emptied the socket (epoll(7)), unless the end of the stream is still to be read. */
	if (got < TCP_SCRATCH_BYTES && !from->has_hung_up && !from->has_error)
		from->is_readable = false;
	ssize_t sent = write_some(to, relay->scratch, (size_t)got);
	if (sent < 0)
		return TCP_PUMP_SINK_RESET;
	if (sent < got)
		keep_tail(relay, to, relay->scratch + sent, (size_t)(got - sent));
	return TCP_PUMP_UNFINISHED;
}

/* When the other direction has ended already, closing the descriptors, which follows at once, says the same. */
static void pass_on_end(const struct tcp_side *from, struct tcp_side *to)
{
	bool is_last = to->has_ended && from->is_shut;
	if (!to->is_shut && !is_last)
		shutdown(to->source.fd, SHUT_WR);
	to->is_shut = true;
}

enum tcp_pump_result tcp_pump_run(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved)
{
	for (int reads = 0;; reads++) {
		if (!to->is_writable)
			return TCP_PUMP_WAIT;
		if (to->tail != NULL) {
			enum tcp_pump_result result = flush_tail(relay, to, moved);
			if (result != TCP_PUMP_WAIT)
				return result == TCP_PUMP_UNFINISHED ? TCP_PUMP_WAIT : result;
		}
		if (from->has_ended) {
			pass_on_end(from, to);
			return TCP_PUMP_WAIT;
		}
		if (!from->is_readable)
			return TCP_PUMP_WAIT;
		if (reads == TCP_READS_PER_TURN)
			return TCP_PUMP_UNFINISHED;
		if (!tcp_pump_has_tails(relay))
			return TCP_PUMP_STARVED;
		enum tcp_pump_result result = move_once(relay, from, to, moved);
		if (result != TCP_PUMP_UNFINISHED)
			return result;
	}
}
