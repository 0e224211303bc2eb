/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first step of all connections that have something to do in a turn: what can be read from them is read with one system
 * call for CALL_BATCH_MAX of them, and what came is sent with another (call_batch.h). What is left - ends, tails, streams,
 * a second read - each connection does by itself afterwards (tcp_pump.h). A worker has one; its thread.
 */
#ifndef RELAY_TCP_BATCH_H
#define RELAY_TCP_BATCH_H

#include "event/loop.h"
#include "net/call_batch.h"

#include <stdint.h>

struct relay;
struct tcp_connection;
struct tcp_side;

enum { TCP_BATCH_READ_BYTES = 16 * 1024 };

struct tcp_batch_move {
	struct tcp_connection *connection;
	struct tcp_side *from;
	struct tcp_side *to;
	uint32_t room; /* for so much is read */
	uint32_t len;  /* was read, and is to be sent */
};

struct tcp_batch {
	uint8_t *buffers; /* TCP_BATCH_READ_BYTES for each move */
	uint32_t ready_count;
	uint32_t move_count;
	struct tcp_connection *ready[LOOP_EVENTS_PER_TURN]; /* established; those that have had events */
	struct tcp_batch_move moves[CALL_BATCH_MAX];
};

void tcp_batch_init(struct tcp_batch *batch);
void tcp_batch_done(struct tcp_batch *batch);

/* Enters a connection that has had an event; once a turn is enough. */
void tcp_batch_add(struct tcp_batch *batch, struct tcp_connection *connection);

/* Moves bytes of all that were entered, and drives each. */
void tcp_batch_run(struct relay *relay);

#endif
