/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_pump.h"

#include "base/check.h"
#include "net/socket.h"
#include "relay/throttle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { WARM_TAILS = 64 };

static void copy_from_now_on(struct tcp_side *side)
{
	side->is_only_copied = true;
	side->is_stream = false;
}

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
	/* Splicing stops before an urgent byte (RFC 9293, 3.8.5) and cannot step over it, as reading does. */
	if (events & EPOLLPRI)
		copy_from_now_on(side);
}

bool tcp_pump_has_tails(const struct relay *relay)
{
	return !slab_is_full(&relay->tails) && relay_may_keep(relay, sizeof(struct tcp_tail));
}

static void give_tail(struct relay *relay, struct tcp_tail *tail)
{
	slab_give_large(&relay->tails, tail, WARM_TAILS);
	counter_subtract(&relay->tails_active, 1);
}

static void drop_tail(struct relay *relay, struct tcp_side *side)
{
	give_tail(relay, side->tail);
	side->tail = NULL;
}

static void drop_pipe(struct relay *relay, struct tcp_side *side)
{
	counter_subtract(&relay->piped_bytes, side->pipe->splice.held_bytes);
	tcp_pipes_give(&relay->pipes, side->pipe);
	side->pipe = NULL;
}

void tcp_pump_drop_unsent(struct relay *relay, struct tcp_side *side)
{
	if (side->tail != NULL)
		drop_tail(relay, side);
	if (side->pipe != NULL)
		drop_pipe(relay, side);
}

/* A system call that connections with one request do without. */
static void send_at_once(struct tcp_side *to)
{
	if (to->may_delay)
		socket_send_at_once(to->source.fd);
	to->may_delay = false;
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
	send_at_once(to);
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

/* Writes the tail. UNFINISHED: the side is clear now; WAIT: it is still blocked. */
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
		return TCP_PUMP_WAIT;
	}
	drop_tail(relay, to);
	return TCP_PUMP_UNFINISHED;
}

/* The same with a pipe. */
static enum tcp_pump_result flush_pipe(struct relay *relay, struct tcp_side *to, bool *moved)
{
	struct splice_pipe *pipe = &to->pipe->splice;
	ssize_t sent = splice_drain(pipe, to->source.fd);
	if (sent < 0)
		return TCP_PUMP_SINK_RESET;
	*moved |= sent > 0;
	counter_subtract(&relay->piped_bytes, (uint64_t)sent);
	if (pipe->held_bytes > 0) {
		to->is_writable = false;
		return TCP_PUMP_WAIT;
	}
	drop_pipe(relay, to);
	return TCP_PUMP_UNFINISHED;
}

static enum tcp_pump_result flush_unsent(struct relay *relay, struct tcp_side *to, bool *moved)
{
	if (to->tail != NULL)
		return flush_tail(relay, to, moved);
	return to->pipe != NULL ? flush_pipe(relay, to, moved) : TCP_PUMP_UNFINISHED;
}

static void note_read(struct tcp_side *from, struct tcp_side *to, size_t got, bool *moved)
{
	if (from->bytes_read > 0)
		send_at_once(to);
	from->bytes_read += got;
	*moved = true;
}

/* What a read of at most `room` bytes has brought: the number of bytes, or -errno. */
static enum tcp_pump_result note_received(struct tcp_side *from, struct tcp_side *to, ssize_t got, ssize_t room,
					  bool *moved)
{
	if (got == -EINTR)
		return TCP_PUMP_UNFINISHED;
	if (got < 0) {
		from->is_readable = false;
		return got == -EAGAIN ? TCP_PUMP_WAIT : TCP_PUMP_SOURCE_RESET;
	}
	if (got == 0) {
		from->has_ended = true;
		return TCP_PUMP_UNFINISHED;
	}
	note_read(from, to, (size_t)got, moved);
	/*
	 * A short read has emptied the socket (epoll(7)), unless the end of the stream is still to be read, or the read
	 * stopped at an urgent byte, behind which there may be more.
	 */
	if (got < room && !from->has_hung_up && !from->has_error && !from->is_only_copied)
		from->is_readable = false;
	return TCP_PUMP_UNFINISHED;
}

/* How many of the bytes that were read the sink has taken; negative when it is broken. */
static enum tcp_pump_result note_sent(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, ssize_t got,
				      ssize_t sent)
{
	if (sent < 0)
		return TCP_PUMP_SINK_RESET;
	if (sent < got)
		keep_tail(relay, to, bytes + sent, (size_t)(got - sent));
	return TCP_PUMP_UNFINISHED;
}

/* Reads once and passes on what came. WAIT: nothing more there; UNFINISHED: there may be more. */
static enum tcp_pump_result copy_once(struct relay *relay, struct tcp_side *from, struct tcp_side *to, size_t bytes_max,
				      bool *moved)
{
	size_t room = bytes_max < TCP_SCRATCH_BYTES ? bytes_max : TCP_SCRATCH_BYTES;
	ssize_t got = recv(from->source.fd, relay->scratch, room, 0);
	enum tcp_pump_result result = note_received(from, to, got < 0 ? -errno : got, (ssize_t)room, moved);
	if (got <= 0)
		return result;
	from->is_stream = got == TCP_SCRATCH_BYTES && !from->is_only_copied;
	return note_sent(relay, to, relay->scratch, got, write_some(to, relay->scratch, (size_t)got));
}

static enum tcp_pump_result note_nothing_spliced(struct tcp_side *from, ssize_t got)
{
	switch (got) {
	case 0: /* the end, or an urgent byte with the end behind it: reading tells */
		from->is_stream = false;
		return TCP_PUMP_UNFINISHED;
	case -EINVAL:
		copy_from_now_on(from);
		return TCP_PUMP_UNFINISHED;
	default:
		from->is_readable = false;
		return got == -EAGAIN ? TCP_PUMP_WAIT : TCP_PUMP_SOURCE_RESET;
	}
}

/* The same through the sink's pipe, which is empty. */
static enum tcp_pump_result splice_once(struct relay *relay, struct tcp_side *from, struct tcp_side *to,
					size_t bytes_max, bool *moved)
{
	ssize_t got = splice_fill(&to->pipe->splice, from->source.fd, bytes_max);
	if (got <= 0) {
		drop_pipe(relay, to);
		return note_nothing_spliced(from, got);
	}
	note_read(from, to, (size_t)got, moved);
	from->is_stream = got >= TCP_STREAM_BYTES_MIN;
	counter_add(&relay->piped_bytes, (uint64_t)got);
	return flush_pipe(relay, to, moved);
}

static enum tcp_pump_result move_once(struct relay *relay, struct tcp_side *from, struct tcp_side *to, size_t bytes_max,
				      bool *moved)
{
	if (from->is_stream && relay_may_keep(relay, SPLICE_PIPE_BYTES))
		to->pipe = tcp_pipes_take(&relay->pipes);
	return to->pipe != NULL ? splice_once(relay, from, to, bytes_max, moved)
				: copy_once(relay, from, to, bytes_max, moved);
}

/* Is there nothing but the end left to be read? */
static bool is_at_end(const struct tcp_side *side)
{
	uint8_t byte;
	return side->has_hung_up && recv(side->source.fd, &byte, sizeof(byte), MSG_PEEK) == 0;
}

/* The same, of no more than may pass. */
static enum tcp_pump_result move_throttled(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved)
{
	uint32_t room;
	if (throttle_take(from->gate, 1, SPLICE_PIPE_BYTES, &room)) {
		uint64_t before = from->bytes_read;
		enum tcp_pump_result result = move_once(relay, from, to, room, moved);
		throttle_settle(from->gate, (uint32_t)(from->bytes_read - before));
		return result;
	}
	from->has_ended = is_at_end(from);
	return from->has_ended ? TCP_PUMP_UNFINISHED : TCP_PUMP_THROTTLED;
}

/* When the other direction has ended already, closing the descriptors, which follows at once, says the same. */
static void pass_on_end(const struct tcp_side *from, struct tcp_side *to)
{
	bool is_last = to->has_ended && from->is_shut;
	if (!to->is_shut && !is_last)
		shutdown(to->source.fd, SHUT_WR);
	to->is_shut = true;
}

static enum tcp_pump_result run(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved)
{
	if (from->has_failed_read)
		return TCP_PUMP_SOURCE_RESET;
	if (to->has_failed_write)
		return TCP_PUMP_SINK_RESET;
	for (int reads = 0;; reads++) {
		if (!to->is_writable)
			return TCP_PUMP_WAIT;
		enum tcp_pump_result result = flush_unsent(relay, to, moved);
		if (result != TCP_PUMP_UNFINISHED)
			return result;
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
		result = from->gate == NULL ? move_once(relay, from, to, SPLICE_PIPE_BYTES, moved)
					    : move_throttled(relay, from, to, moved);
		if (result != TCP_PUMP_UNFINISHED)
			return result;
	}
}

enum tcp_pump_result tcp_pump_run(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved)
{
	enum tcp_pump_result result = run(relay, from, to, moved);
	/* Who does not wait for the gate keeps no place before others who do. */
	if (from->gate != NULL && result != TCP_PUMP_THROTTLED)
		throttle_settle(from->gate, 0);
	return result;
}

bool tcp_pump_flush(struct relay *relay, struct tcp_side *to)
{
	bool moved = false;
	return !to->is_writable || flush_unsent(relay, to, &moved) != TCP_PUMP_SINK_RESET;
}

bool tcp_pump_begin(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, size_t len)
{
	if (!tcp_pump_has_tails(relay))
		return false;
	to->has_failed_write =
		note_sent(relay, to, bytes, (ssize_t)len, write_some(to, bytes, len)) == TCP_PUMP_SINK_RESET;
	/* Nagle's algorithm would hold back what follows until the server has said that it has got this. */
	send_at_once(to);
	return true;
}

bool tcp_pump_can_batch(const struct relay *relay, const struct tcp_side *from, const struct tcp_side *to,
			uint32_t batched_count)
{
	return from->is_readable && !from->has_ended && !from->is_stream && to->is_writable && to->tail == NULL &&
	       to->pipe == NULL && relay->tails.taken_count + batched_count < relay->tails.capacity &&
	       relay_may_keep(relay, (batched_count + 1) * sizeof(struct tcp_tail));
}

void tcp_pump_note_received(struct tcp_side *from, struct tcp_side *to, ssize_t got, size_t room, bool *moved)
{
	from->has_failed_read = note_received(from, to, got, (ssize_t)room, moved) == TCP_PUMP_SOURCE_RESET;
}

void tcp_pump_note_sent(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, size_t len, ssize_t sent)
{
	if (sent == -EAGAIN)
		sent = 0;
	to->has_failed_write = note_sent(relay, to, bytes, (ssize_t)len, sent) == TCP_PUMP_SINK_RESET;
}
