/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_listener.h"

#include "base/fd.h"
#include "net/socket.h"
#include "relay/flow_admission.h"
#include "relay/udp_header.h"
#include "relay/udp_reply.h"
#include "relay/udp_request.h"
#include "relay/udp_session.h"

#include <string.h>

/* A listener's share of a turn; the loop comes back to a socket that has more (level-triggered). */
enum { BATCHES_PER_TURN = 4, BATCHES_AT_THE_END = 64 };

static bool have_same_route(const struct datagram *a, const struct datagram *b)
{
	return endpoint_equal(&a->peer, &b->peer) && endpoint_equal(&a->client, &b->client) &&
	       a->has_local == b->has_local &&
	       (!a->has_local || memcmp(a->local_ip, b->local_ip, sizeof(a->local_ip)) == 0);
}

/* The datagrams from `first` on that belong together: of the same client to the same address. */
static uint32_t run_length(const struct datagram_batch *batch, uint32_t first)
{
	uint32_t end = first + 1;
	while (end < batch->count && have_same_route(&batch->entries[first], &batch->entries[end]))
		end++;
	return end - first;
}

/* Nothing can be sent back to port 0 or to an address that is not one; and who it is of has to be known. */
static bool is_answerable(const struct datagram *datagram)
{
	return datagram->peer.family != 0 && datagram->peer.port != 0 && datagram->client.family != 0;
}

/* Where datagrams are limited they come one by one, see choose_trains. */
static uint32_t count_admitted(const struct udp_session *session, uint32_t count)
{
	struct service *service = session->service;
	if (!guard_limits_packets(service->guard))
		return count;
	return flow_admit_packets(session->relay, service, &session->client, count);
}

static void hand_out(struct udp_listener *listener, struct datagram_batch *batch)
{
	for (uint32_t first = 0; first < batch->count;) {
		struct datagram *datagram = &batch->entries[first];
		uint32_t run = run_length(batch, first);
		struct udp_session *session = is_answerable(datagram) ? udp_session_find(listener, datagram) : NULL;
		if (session == NULL) {
			first++;
			continue;
		}
		uint64_t room = udp_session_room(session);
		uint32_t count = run < room ? run : (uint32_t)room;
		uint32_t admitted = count_admitted(session, count);
		if (admitted > 0)
			udp_session_forward(session, datagram, admitted);
		first += count;
	}
	udp_request_flush(listener->relay);
}

/* Datagrams are told apart one by one where each counts, or has a header of its own; a reload may change that. */
static void choose_trains(struct udp_listener *listener)
{
	const struct service_policy *policy = service_policy(listener->service);
	const struct pool_policy *pool = pool_policy(policy->pool);
	bool wants_trains = policy->session_requests == 0 && policy->proxy_network_count == 0 &&
			    !guard_limits_packets(listener->service->guard) &&
			    !(pool->proxy_version == 2 && pool->is_proxy_header_once);
	if (wants_trains == listener->takes_trains)
		return;
	if (wants_trains)
		datagram_enable_trains(listener->source.fd);
	else
		datagram_disable_trains(listener->source.fd);
	listener->takes_trains = wants_trains;
}

static void receive(struct udp_listener *listener, int batches_max)
{
	struct datagram_batch *batch = &listener->relay->requests;
	choose_trains(listener);
	for (int i = 0; i < batches_max; i++) {
		batch->count = 0;
		int received = datagram_receive(listener->source.fd, batch, DATAGRAM_BATCH_MAX);
		if (received <= 0)
			return;
		udp_header_take_all(listener, batch);
		udp_session_prefetch(listener, batch);
		hand_out(listener, batch);
		if (received < DATAGRAM_BATCH_MAX)
			return;
	}
}

static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	if (source->fd >= 0)
		receive(LIST_OWNER(source, struct udp_listener, source), BATCHES_PER_TURN);
}

void udp_listener_finish(struct udp_listener *listener)
{
	receive(listener, BATCHES_AT_THE_END);
	udp_reply_flush(listener->relay);
}

int udp_listener_open(struct udp_listener *listener, struct relay *relay, struct service *service, int fd)
{
	*listener = (struct udp_listener){
		.source = { .on_event = on_event, .fd = fd, .is_late = true },
		.relay = relay,
		.service = service,
		.bound = socket_local_endpoint(fd),
	};
	listener->family = listener->bound.family;
	choose_trains(listener);
	return loop_add(relay->loop, &listener->source, EPOLLIN);
}

void udp_listener_close(struct udp_listener *listener)
{
	fd_close(&listener->source.fd);
}
