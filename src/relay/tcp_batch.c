/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_batch.h"

#include "base/check.h"
#include "base/memory.h"
#include "relay/relay.h"
#include "relay/tcp_connection.h"
#include "relay/throttle.h"

#include <stdlib.h>

void tcp_batch_init(struct tcp_batch *batch)
{
	*batch = (struct tcp_batch){ .buffers = memory_alloc((size_t)CALL_BATCH_MAX * TCP_BATCH_READ_BYTES) };
}

void tcp_batch_done(struct tcp_batch *batch)
{
	free(batch->buffers);
}

void tcp_batch_add(struct tcp_batch *batch, struct tcp_connection *connection)
{
	if (connection->is_ready)
		return;
	CHECK(batch->ready_count < LOOP_EVENTS_PER_TURN); /* one for each event */
	connection->is_ready = true;
	batch->ready[batch->ready_count++] = connection;
}

static uint8_t *buffer_of(const struct tcp_batch *batch, uint32_t i)
{
	return batch->buffers + (size_t)i * TCP_BATCH_READ_BYTES;
}

static void add_move(struct relay *relay, struct tcp_connection *connection, struct tcp_side *from, struct tcp_side *to)
{
	struct tcp_batch *batch = &relay->batch;
	uint32_t room = TCP_BATCH_READ_BYTES;
	if (!tcp_pump_can_batch(relay, from, to, batch->move_count))
		return;
	if (from->gate == NULL || throttle_take(from->gate, 1, room, &room))
		batch->moves[batch->move_count++] = (struct tcp_batch_move){ connection, from, to, room, 0 };
}

static void read_all(struct relay *relay)
{
	struct tcp_batch *batch = &relay->batch;
	for (uint32_t i = 0; i < batch->move_count; i++)
		call_batch_recv(&relay->calls, batch->moves[i].from->source.fd, buffer_of(batch, i),
				batch->moves[i].room);
	call_batch_run(&relay->calls);
	for (uint32_t i = 0; i < batch->move_count; i++) {
		struct tcp_batch_move *move = &batch->moves[i];
		int32_t got = relay->calls.results[i];
		tcp_connection_note_received(move->connection, move->from, got, move->room);
		move->len = got > 0 ? (uint32_t)got : 0;
		if (move->from->gate != NULL)
			throttle_settle(move->from->gate, move->len);
	}
}

static void send_all(struct relay *relay)
{
	struct tcp_batch *batch = &relay->batch;
	uint32_t places[CALL_BATCH_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < batch->move_count; i++) {
		if (batch->moves[i].len == 0)
			continue;
		call_batch_send(&relay->calls, batch->moves[i].to->source.fd, buffer_of(batch, i), batch->moves[i].len);
		places[count++] = i;
	}
	call_batch_run(&relay->calls);
	for (uint32_t i = 0; i < count; i++) {
		const struct tcp_batch_move *move = &batch->moves[places[i]];
		tcp_pump_note_sent(relay, move->to, buffer_of(batch, places[i]), move->len, relay->calls.results[i]);
	}
}

static void move_all(struct relay *relay)
{
	if (relay->batch.move_count == 0)
		return;
	read_all(relay);
	send_all(relay);
	relay->batch.move_count = 0;
}

void tcp_batch_run(struct relay *relay)
{
	struct tcp_batch *batch = &relay->batch;
	for (uint32_t i = 0; i < batch->ready_count; i++) {
		struct tcp_connection *connection = batch->ready[i];
		connection->is_ready = false;
		if (connection->state != TCP_ESTABLISHED)
			continue;
		if (batch->move_count + 2 > CALL_BATCH_MAX)
			move_all(relay);
		add_move(relay, connection, &connection->client, &connection->server);
		add_move(relay, connection, &connection->server, &connection->client);
	}
	move_all(relay);
	for (uint32_t i = 0; i < batch->ready_count; i++)
		tcp_connection_drive(batch->ready[i]);
	batch->ready_count = 0;
}
