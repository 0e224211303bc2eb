/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_reply.h"

#include <string.h>

/* One session's share of a turn; the loop comes back to a socket that has more (level-triggered). */
enum { REPLIES_PER_EVENT = 16 };

void udp_reply_flush(struct relay *relay)
{
	struct datagram_batch *batch = &relay->replies;
	for (uint32_t first = 0; first < batch->count;) {
		struct udp_listener *listener = relay->reply_listeners[first];
		uint32_t end = first + 1;
		while (end < batch->count && relay->reply_listeners[end] == listener)
			end++;
		struct datagram_route route = { .fd = listener->source.fd, .family = listener->family };
		uint32_t unsent = datagram_send(&route, &batch->entries[first], end - first, NULL);
		counter_add(&listener->service->counters[relay->worker_index].packets_dropped, unsent);
		first = end;
	}
	batch->count = 0;
}

static void on_end_of_turn(struct loop_deferred *deferred)
{
	udp_reply_flush(LIST_OWNER(deferred, struct relay, reply_flush));
}

/*
 * Most servers answer with one datagram, so one is asked for: who has more has an event in the next turn again. That is
 * a burst, and from then on its session asks for many and for trains.
 */
static int receive(struct udp_session *session, struct datagram_batch *batch)
{
	uint32_t turn = session->relay->loop->turn;
	if (!session->has_bursts && session->reply_turn == turn - 1) {
		session->has_bursts = true;
		datagram_enable_trains(session->upstream.fd);
	}
	session->reply_turn = turn;
	return session->has_bursts ? datagram_receive(session->upstream.fd, batch, REPLIES_PER_EVENT)
				   : datagram_receive_one(session->upstream.fd, batch);
}

int udp_reply_receive(struct udp_session *session, uint64_t *ret_bytes)
{
	struct relay *relay = session->relay;
	struct datagram_batch *batch = &relay->replies;
	if (batch->count == DATAGRAM_BATCH_MAX)
		udp_reply_flush(relay);
	uint32_t first = batch->count;
	int received = receive(session, batch);
	if (received <= 0)
		return received;
	uint64_t bytes = 0;
	uint32_t datagrams = 0;
	for (uint32_t i = first; i < batch->count; i++) {
		struct datagram *reply = &batch->entries[i];
		reply->peer = session->client;
		reply->has_local = session->has_local;
		memcpy(reply->local_ip, session->local_ip, sizeof(reply->local_ip));
		relay->reply_listeners[i] = session->listener;
		bytes += reply->len;
		datagrams += datagram_count(reply);
	}
	loop_defer(relay->loop, &relay->reply_flush, on_end_of_turn);
	*ret_bytes = bytes;
	return (int)datagrams;
}
