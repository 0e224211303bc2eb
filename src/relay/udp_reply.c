/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_reply.h"

#include "relay/udp_throttle.h"

#include <errno.h>
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

void udp_reply_queue(struct udp_session *session, uint32_t first)
{
	struct relay *relay = session->relay;
	for (uint32_t i = first; i < relay->replies.count; i++) {
		struct datagram *reply = &relay->replies.entries[i];
		reply->peer = session->peer;
		reply->has_local = session->has_local;
		memcpy(reply->local_ip, session->local_ip, sizeof(reply->local_ip));
		relay->reply_listeners[i] = session->listener;
		loop_defer(relay->loop, &relay->reply_flush, on_end_of_turn);
	}
}

static void swap(struct datagram *a, struct datagram *b)
{
	struct datagram former = *a;
	if (a == b)
		return;
	*a = *b;
	*b = former;
}

/*
 * Takes out of the batch's entries from `first` on what the client may not have, because it may be a forged address.
 * Entries keep memory of their own, whatever place they are in.
 */
static void drop_excess(struct udp_session *session, uint32_t first)
{
	struct datagram_batch *batch = &session->relay->replies;
	uint32_t end = batch->count;
	batch->count = first;
	for (uint32_t i = first; i < end; i++) {
		struct datagram *reply = &batch->entries[i];
		uint32_t count = datagram_count(reply);
		uint32_t admitted = udp_session_admit_reply(session, reply);
		if (admitted < count) {
			udp_session_note_lost(session, count - admitted);
			reply->len = admitted * reply->segment_bytes;
		}
		if (admitted > 0)
			swap(reply, &batch->entries[batch->count++]);
	}
}

/* The batch's entries from `first` on have come from the session's server. */
static void take_in(struct udp_session *session, uint32_t first)
{
	struct datagram_batch *batch = &session->relay->replies;
	struct udp_sum sum = { 0 };
	for (uint32_t i = first; i < batch->count; i++) {
		sum.bytes += batch->entries[i].len;
		sum.datagrams += datagram_count(&batch->entries[i]);
	}
	drop_excess(session, first);
	if (udp_throttle_is_needed(session)) {
		struct udp_sum lost = udp_throttle_hold_replies(session, first);
		sum.bytes -= lost.bytes;
		sum.datagrams -= lost.datagrams;
	}
	udp_reply_queue(session, first);
	udp_session_note_replies(session, (int)sum.datagrams, sum.bytes);
}

static void receive_burst(struct udp_session *session)
{
	struct relay *relay = session->relay;
	struct datagram_batch *batch = &relay->replies;
	if (batch->count == DATAGRAM_BATCH_MAX)
		udp_reply_flush(relay);
	uint32_t first = batch->count;
	int received = datagram_receive(session->upstream.fd, batch, REPLIES_PER_EVENT);
	if (received < 0)
		udp_session_note_replies(session, received, 0);
	else if (received > 0)
		take_in(session, first);
}

/*
 * Most servers answer with one datagram, so one is asked for: who has more has an event in the next turn again. That is
 * a burst, and from then on its session asks for many and for trains.
 */
void udp_reply_take(struct udp_session *session)
{
	struct relay *relay = session->relay;
	uint32_t turn = relay->loop->turn;
	if (!session->has_bursts && session->reply_turn == turn - 1) {
		session->has_bursts = true;
		datagram_enable_trains(session->upstream.fd);
	}
	session->reply_turn = turn;
	if (session->has_bursts)
		receive_burst(session);
	else
		relay->replying[relay->replying_count++] = session; /* one for each event */
}

/* What the calls for these sessions brought stands behind the batch's end, with gaps, which are closed. */
static void settle(struct relay *relay, struct udp_session *const *sessions, uint32_t count)
{
	struct datagram_batch *batch = &relay->replies;
	uint32_t first = batch->count;
	for (uint32_t i = 0; i < count; i++) {
		int32_t result = relay->calls.results[i];
		if (result == -EAGAIN)
			continue;
		if (result < 0) {
			udp_session_note_replies(sessions[i], result, 0);
			continue;
		}
		struct datagram *came = &batch->entries[first + i];
		struct datagram *place = &batch->entries[batch->count];
		uint8_t *bytes = came->bytes;
		came->bytes = place->bytes;
		*place = (struct datagram){ .bytes = bytes, .len = (uint32_t)result };
		take_in(sessions[i], batch->count++);
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void receive_some(struct relay *relay, struct udp_session *const *sessions, uint32_t count)
{
	struct udp_session *alive[CALL_BATCH_MAX];
	uint32_t alive_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (sessions[i]->is_ended)
			continue;
		uint8_t *bytes = relay->replies.entries[relay->replies.count + alive_count].bytes;
		call_batch_recv(&relay->calls, sessions[i]->upstream.fd, bytes, DATAGRAM_BYTES_MAX);
		alive[alive_count++] = sessions[i];
	}
	call_batch_run(&relay->calls);
	settle(relay, alive, alive_count);
}

void udp_reply_receive_all(struct relay *relay)
{
	for (uint32_t first = 0; first < relay->replying_count;) {
		if (relay->replies.count == DATAGRAM_BATCH_MAX)
			udp_reply_flush(relay);
		uint32_t room = least(CALL_BATCH_MAX, DATAGRAM_BATCH_MAX - relay->replies.count);
		uint32_t count = least(relay->replying_count - first, room);
		receive_some(relay, relay->replying + first, count);
		first += count;
	}
	relay->replying_count = 0;
}
