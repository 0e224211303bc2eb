/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes one way: from one side of a connection to the other.
 *
 * What is read into the worker's scratch buffer is sent at once; only what the sink does not take is copied into a tail
 * buffer, and while there is a tail the source is not read: back-pressure is the kernel's window. So a connection holds
 * no buffer unless its sink is slower than its source, and then at most TCP_SCRATCH_BYTES in each direction. When no tail
 * buffer is free the source is not read either, so nothing that was read is ever lost.
 *
 * A source that fills the scratch buffer is a stream. Streams are spliced through a pipe (tcp_pipes.h), which does not copy
 * them and takes sixteen times as much at once; one that brings little goes back to being copied, which takes fewer calls
 * to find out that a socket is empty. What its sink does not take stays in the pipe.
 *
 * Where bandwidth is limited no more is read than may pass (throttle.h), so that back-pressure is the kernel's window there,
 * too. An end behind which there is nothing does not wait.
 */
#ifndef RELAY_TCP_PUMP_H
#define RELAY_TCP_PUMP_H

#include "relay/relay.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	TCP_SCRATCH_BYTES = 64 * 1024,
	TCP_READS_PER_TURN = 16,          /* one connection's share of a turn, in each direction */
	TCP_STREAM_BYTES_MIN = 32 * 1024, /* a move that brings less is none of a stream */
};

/* Bytes that a side has not taken yet. */
struct tcp_tail {
	uint32_t offset; /* of the first byte still to be sent */
	uint32_t len;
	uint8_t bytes[TCP_SCRATCH_BYTES];
};

struct tcp_side {
	struct loop_source source;
	struct tcp_tail *tail;      /* on its way to this side */
	struct tcp_pipe *pipe;      /* likewise; one of both at most */
	struct throttle_gate *gate; /* what comes from this side passes it; NULL: bandwidth is not limited */
	uint64_t bytes_read;        /* from this side */
	bool is_readable;           /* reading may bring something */
	bool is_writable;           /* writing may succeed */
	bool has_hung_up;           /* the peer has sent its FIN, which may stand behind unread bytes */
	bool has_error;             /* epoll has reported an error */
	bool has_ended;             /* its FIN has been read */
	bool is_shut;               /* a FIN has been sent to it */
	bool is_stream;             /* what comes from it is spliced */
	bool may_delay; /* Nagle's algorithm is on: what is sent first is not delayed by it, what comes later may be */
	bool has_failed_read;  /* in a batch; what follows from it is done by the next run of the pump */
	bool has_failed_write; /* likewise */
	bool is_only_copied;   /* what comes from it cannot be spliced */
};

enum tcp_pump_result {
	TCP_PUMP_WAIT,         /* nothing more to do until something happens */
	TCP_PUMP_UNFINISHED,   /* its share of the turn is used up */
	TCP_PUMP_STARVED,      /* no more may be kept for slow sides */
	TCP_PUMP_THROTTLED,    /* no more may pass now; the gate tells when it is open */
	TCP_PUMP_SOURCE_RESET, /* reading failed */
	TCP_PUMP_SINK_RESET,   /* writing failed */
};

/* Moves what can be moved now. *moved is set when bytes were moved (and left alone otherwise). */
enum tcp_pump_result tcp_pump_run(struct relay *relay, struct tcp_side *from, struct tcp_side *to, bool *moved);

/* Sends what is kept for the side, as far as it takes it. Returns false when the side is broken. */
bool tcp_pump_flush(struct relay *relay, struct tcp_side *to);

/* Sends what the connection begins with, before anything else; false when there is no room to keep what is not taken. */
bool tcp_pump_begin(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, size_t len);

/* For batches (tcp_batch.h): may the next step be to read from the one and write to the other, beside so many others? */
bool tcp_pump_can_batch(const struct relay *relay, const struct tcp_side *from, const struct tcp_side *to,
			uint32_t batched_count);
/* The outcome of such a read of `room` bytes, and of the write of all `len` bytes that it brought; or -errno. */
void tcp_pump_note_received(struct tcp_side *from, struct tcp_side *to, ssize_t got, size_t room, bool *moved);
void tcp_pump_note_sent(struct relay *relay, struct tcp_side *to, const uint8_t *bytes, size_t len, ssize_t sent);

/* Is there room for one more tail, within the memory that the daemon allows? */
bool tcp_pump_has_tails(const struct relay *relay);

/* Gives back the tail or pipe of a side that will not be written to any more. */
void tcp_pump_drop_unsent(struct relay *relay, struct tcp_side *side);

/* Notes what epoll has reported for a side. */
void tcp_pump_note(struct tcp_side *side, uint32_t events);

#endif
