/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_session.h"

#include "balance/view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "guard/guard.h"
#include "guard/reflection.h"
#include "net/socket.h"
#include "relay/flow_admission.h"
#include "relay/flow_loss.h"
#include "relay/flow_observe.h"
#include "relay/flow_report.h"
#include "relay/own_flows.h"
#include "relay/udp_header.h"
#include "relay/udp_offload.h"
#include "relay/udp_reply.h"
#include "relay/udp_unanswered.h"
#include "relay/upstream.h"
#include "relay/udp_throttle.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

static struct service_counters *counters_of(const struct udp_session *session)
{
	return &session->service->counters[session->relay->worker_index];
}

static struct server_counters *server_counters_of(const struct udp_session *session)
{
	return &session->server->counters[session->relay->worker_index];
}

/* --- the index --------------------------------------------------------------------------------------------------- */

struct session_key {
	struct endpoint client;
	struct endpoint peer;
	uint8_t local_ip[16];
	const struct udp_listener *listener;
};

static struct session_key key_of(const struct udp_listener *listener, const struct datagram *datagram)
{
	struct session_key key = { .client = datagram->client, .peer = datagram->peer, .listener = listener };
	if (datagram->has_local)
		memcpy(key.local_ip, datagram->local_ip, sizeof(key.local_ip));
	return key;
}

/* Clients choose most of the key, so the hash is keyed with a secret. */
static uint32_t hash_of(const struct relay *relay, const struct session_key *key)
{
	return (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), relay->session_hash_key);
}

static bool has_key(const struct udp_session *session, const struct session_key *key)
{
	return session->listener == key->listener && endpoint_equal(&session->client, &key->client) &&
	       endpoint_equal(&session->peer, &key->peer) &&
	       memcmp(session->local_ip, key->local_ip, sizeof(key->local_ip)) == 0;
}

static struct udp_session *look_up(const struct relay *relay, const struct session_key *key, uint32_t hash)
{
	struct udp_session *session = hash_table_find(&relay->session_index, hash);
	while (session != NULL && !has_key(session, key))
		session = hash_table_find_next(&relay->session_index, session);
	return session;
}

static void remove_from_index(struct udp_session *session)
{
	if (session->is_indexed)
		hash_table_remove(&session->relay->session_index, session);
	session->is_indexed = false;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void release_memory(struct loop_deferred *deferred)
{
	struct udp_session *session = LIST_OWNER(deferred, struct udp_session, deferred);
	udp_throttle_detach(session);
	slab_give(&session->relay->sessions, session);
}

static void give_back_admission(struct relay *relay, const struct service *service, const struct endpoint *client,
				struct guard_ticket ticket)
{
	struct flow_budget *budget = relay->settings->budget;
	guard_release(service->guard, GUARD_SESSION, client, ticket);
	flow_ceiling_give(&budget->sessions, 1);
	flow_ceiling_give(&budget->descriptors, 1);
}

static struct own_flow_key own_key_of(const struct udp_session *session)
{
	struct own_flow_key key = { .to = session->server->endpoint, .protocol = FLOW_UDP };
	key.from = socket_local_endpoint(session->upstream.fd);
	return key;
}

static void forget_own_flow(const struct udp_session *session)
{
	if (!session->is_own_flow)
		return;
	struct own_flow_key key = own_key_of(session);
	own_flows_remove(session->relay->settings->own_flows, &key);
}

void udp_session_end(struct udp_session *session, enum reason reason)
{
	struct relay *relay = session->relay;
	CHECK(!session->is_ended);
	session->is_ended = true;
	udp_offload_end(session);
	if (session->has_requests)
		udp_request_flush(relay);
	udp_throttle_stop(session);
	flow_report_session(session, reason);
	forget_own_flow(session);
	counter_add(&counters_of(session)->ended[reason], 1);
	flow_observe_end(relay, session->service, &session->client, session->bytes_in, session->bytes_out);
	histogram_observe(&counters_of(session)->duration, &histogram_flow_scale,
			  (relay->loop->now_ns - session->start_ns) / CLOCK_NS_PER_US);
	counter_subtract(&counters_of(session)->flows_active[FLOW_UDP], 1);
	counter_subtract(&relay->sessions_active, 1);
	tcp_queue_give_place(relay, session->server);
	give_back_admission(relay, session->service, &session->client, session->ticket);
	remove_from_index(session);
	udp_unanswered_remove(session);
	timer_disarm(relay->wheel, &session->timer);
	session->listener->session_count--;
	fd_close(&session->upstream.fd);
	loop_defer(relay->loop, &session->deferred, release_memory);
}

/* --- trouble with the server ------------------------------------------------------------------------------------- */

static void note_server_failure(struct relay *relay, struct server *server)
{
	uint32_t failures_max = pool_policy(server->pool)->eject_failures;
	if (server_note_failure(server, failures_max))
		mailbox_post(relay->settings->to_control,
			     (struct message){ .kind = RELAY_REPORT_EJECTED, .subject = server });
}

static void count_connect_failure(struct relay *relay, struct server *server, int error)
{
	struct server_counters *counters = &server->counters[relay->worker_index];
	counter_add(error == ECONNREFUSED ? &counters->connect_refused : &counters->connect_failed, 1);
	note_server_failure(relay, server);
}

/*
 * An ICMP error has come back. It concerns this session only; the socket goes on working. That the path is narrower than
 * a datagram (EMSGSIZE) is nothing that the server has done.
 */
static void note_icmp_error(struct udp_session *session, int error)
{
	if (error == EMSGSIZE)
		return;
	count_connect_failure(session->relay, session->server, error);
	session->is_unreachable = !session->is_answered;
}

/* --- replies ----------------------------------------------------------------------------------------------------- */

static void note_answer(struct udp_session *session)
{
	const struct service_policy *policy = service_policy(session->service);
	session->is_answered = true;
	udp_unanswered_note_answer(session);
	session->is_unreachable = false;
	server_note_success(session->server);
	/* The timer is set for `new`; it finds out about `idle` when it fires, unless that is sooner. */
	if (policy->session_idle_ms < policy->session_new_ms)
		timer_arm(session->relay->wheel, &session->timer,
			  session->relay->loop->now_ms + policy->session_idle_ms);
}

/* All replies that are expected have come, and were passed on. */
static void end_if_complete(struct udp_session *session)
{
	const struct service_policy *policy = service_policy(session->service);
	if (policy->has_session_replies && session->packets_out >= policy->session_replies * session->packets_in &&
	    !udp_throttle_holds_any(session))
		udp_session_end(session, REASON_REPLIES_DONE);
}

static void on_upstream_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct udp_session *session = LIST_OWNER(source, struct udp_session, upstream);
	if (!session->is_ended)
		udp_reply_take(session);
}

uint32_t udp_session_admit_reply(struct udp_session *session, const struct datagram *reply)
{
	uint64_t amplification = service_policy(session->service)->session_amplification;
	uint32_t count = datagram_count(reply);
	if (amplification == 0 || session->is_verified) {
		session->has_delivered = true;
		return count;
	}
	uint64_t bytes_max = amplification * session->bytes_in;
	uint64_t room = bytes_max > session->unverified_bytes ? bytes_max - session->unverified_bytes : 0;
	uint64_t bytes = reply->len;
	if (bytes > room) {
		count = reply->segment_bytes > 0 ? (uint32_t)(room / reply->segment_bytes) : 0;
		bytes = (uint64_t)count * reply->segment_bytes;
	}
	session->unverified_bytes += bytes;
	session->has_delivered |= count > 0;
	return count;
}

void udp_session_note_replies(struct udp_session *session, int received, uint64_t bytes)
{
	if (received < 0) {
		note_icmp_error(session, -received);
		return;
	}
	session->last_activity_ms = session->relay->loop->now_ms;
	session->bytes_out += bytes;
	session->packets_out += (uint64_t)received;
	counter_add(&counters_of(session)->bytes_out, bytes);
	counter_add(&counters_of(session)->packets_out, (uint64_t)received);
	counter_add(&server_counters_of(session)->bytes_out, bytes);
	if (!session->is_answered)
		note_answer(session);
	end_if_complete(session);
}

void udp_session_note_delivered(struct udp_session *session)
{
	session->last_activity_ms = session->relay->loop->now_ms;
	end_if_complete(session);
}

/* --- deadlines --------------------------------------------------------------------------------------------------- */

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct udp_session *session = LIST_OWNER(timer, struct udp_session, timer);
	const struct service_policy *policy = service_policy(session->service);
	udp_offload_fold(session);
	uint64_t limit_ms = session->is_answered ? policy->session_idle_ms : policy->session_new_ms;
	if (udp_throttle_holds_any(session)) /* that is not being idle */
		session->last_activity_ms = now_ms;
	if (now_ms < session->last_activity_ms + limit_ms) {
		timer_arm(session->relay->wheel, timer, session->last_activity_ms + limit_ms);
		return;
	}
	bool wants_replies = !policy->has_session_replies || policy->session_replies > 0;
	if (!session->is_answered && wants_replies)
		note_server_failure(session->relay, session->server);
	udp_session_end(session, REASON_IDLE_TIMEOUT);
}

/* --- the beginning ----------------------------------------------------------------------------------------------- */

static struct endpoint asked_endpoint(const struct udp_listener *listener, const struct datagram *datagram)
{
	struct endpoint asked = listener->bound;
	if (datagram->has_local)
		memcpy(asked.ip, datagram->local_ip, sizeof(asked.ip));
	return asked;
}

void udp_session_refuse(struct udp_listener *listener, const struct datagram *datagram, enum reason reason)
{
	struct endpoint asked = asked_endpoint(listener, datagram);
	struct addr listen;
	endpoint_to_addr(&asked, &listen);
	struct flow_refusal refusal = {
		.service = listener->service,
		.protocol = FLOW_UDP,
		.reason = reason,
		.client = datagram->client,
		.listen = &listen,
	};
	flow_report_refusal(listener->relay, &refusal);
}

static bool comes_back(const struct udp_listener *listener, const struct datagram *datagram)
{
	struct own_flows *own_flows = listener->relay->settings->own_flows;
	if (own_flows_is_empty(own_flows))
		return false;
	struct own_flow_key key = {
		.from = datagram->peer,
		.to = asked_endpoint(listener, datagram),
		.protocol = FLOW_UDP,
	};
	return own_flows_returns(own_flows, &key, listener->service);
}

static bool is_suspect(const struct relay *relay, const struct datagram *datagram)
{
	const struct reflection *reflection = published_read(relay->settings->reflection);
	return reflection_is_suspect(reflection, &datagram->client) ||
	       reflection_is_suspect(reflection, &datagram->peer);
}

/* What all services share: a descriptor and a place under the daemon's ceiling. */
static enum reason take_budget(struct relay *relay)
{
	struct flow_budget *budget = relay->settings->budget;
	if (!relay_take_descriptors(relay, 1))
		return REASON_LIMIT_MEMORY;
	if (flow_ceiling_take(&budget->sessions, 1))
		return REASON_NONE;
	flow_ceiling_give(&budget->descriptors, 1);
	return REASON_LIMIT_SESSIONS;
}

static enum reason take_budget_or_replace(struct relay *relay)
{
	enum reason reason = take_budget(relay);
	struct udp_session *oldest = reason != REASON_NONE ? udp_unanswered_find(relay) : NULL;
	if (oldest == NULL)
		return reason;
	udp_unanswered_evict(oldest);
	return take_budget(relay);
}

/* The service has as many sessions as it may. */
static enum reason admit_instead(struct udp_listener *listener, const struct endpoint *client,
				 struct guard_ticket *ret_ticket)
{
	struct relay *relay = listener->relay;
	struct udp_session *oldest = udp_unanswered_find_in(relay, listener->service);
	if (oldest == NULL)
		return REASON_LIMIT_SESSIONS;
	enum reason reason = flow_admit_instead(relay, listener->service, GUARD_SESSION, client, ret_ticket);
	if (reason == REASON_NONE)
		udp_unanswered_evict(oldest);
	return reason;
}

/*
 * REASON_NONE: guard and budget have given a place, to be given back with give_back_admission. Nobody is ended for a client
 * that is refused for what it is itself.
 */
static enum reason admit(struct udp_listener *listener, const struct datagram *datagram,
			 struct guard_ticket *ret_ticket)
{
	struct relay *relay = listener->relay;
	const struct endpoint *client = &datagram->client;
	if (relay->is_draining)
		return REASON_SHUTDOWN;
	if (comes_back(listener, datagram) || is_suspect(relay, datagram))
		return REASON_DENIED_ACCESS;
	if (!endpoint_equal(&datagram->peer, client) && flow_is_kept_out(relay, &datagram->peer))
		return REASON_BLOCKED;
	if (slab_is_full(&relay->sessions)) /* thousands have ended in this very turn */
		return REASON_LIMIT_MEMORY;
	enum reason reason = flow_admit(relay, listener->service, GUARD_SESSION, client, ret_ticket);
	if (reason == REASON_LIMIT_SESSIONS)
		reason = admit_instead(listener, client, ret_ticket);
	if (reason != REASON_NONE)
		return reason;
	reason = take_budget_or_replace(relay);
	if (reason != REASON_NONE)
		guard_release(listener->service->guard, GUARD_SESSION, client, *ret_ticket);
	return reason;
}

/* What a new session gets: its place in the guard, a server that was entered, and a socket connected to it. */
struct route {
	struct guard_ticket ticket;
	struct server *server;
	int fd;
	uint8_t algorithm;
	uint32_t tried_count;
	struct server *tried[FLOW_TRIED_MAX];
};

/* With a header a datagram may be larger than client and server could find out that it may be. */
static void prepare_for_headers(const struct route *route)
{
	if (pool_policy(route->server->pool)->proxy_version == 2)
		socket_allow_fragments(route->fd, route->server->addr.sa.sa_family);
}

/*
 * Finds a server that the kernel has a route to. route->tried holds servers not to be chosen. On success the route holds
 * the place in the server and the socket.
 */
static enum reason find_route(struct udp_listener *listener, const struct endpoint *client, struct route *route)
{
	const struct service_policy *policy = service_policy(listener->service);
	uint32_t tries_left = policy->retries + 1;
	enum reason reason = REASON_NO_SERVER;
	for (; tries_left > 0 && route->tried_count < FLOW_TRIED_MAX; tries_left--) {
		struct balance_request request = {
			.client = client,
			.random = &listener->relay->random,
			.tried = route->tried,
			.tried_count = route->tried_count,
		};
		route->algorithm = (uint8_t)pool_policy(policy->pool)->algorithm;
		route->server = balance_enter(policy->pool, &request);
		if (route->server == NULL)
			return reason;
		struct upstream_request upstream = { .server = route->server, .client = client, .type = SOCK_DGRAM };
		int result = upstream_connect(listener->relay, &upstream, &route->fd);
		if (result == 0) {
			prepare_for_headers(route);
			return REASON_NONE;
		}
		tcp_queue_give_place(listener->relay, route->server);
		if (result == UPSTREAM_NO_SOURCE)
			return REASON_CONNECT_FAILED;
		if (socket_is_shortage(-result) || result == -EAGAIN /* no local port */)
			return REASON_LIMIT_MEMORY;
		count_connect_failure(listener->relay, route->server, -result);
		route->tried[route->tried_count++] = route->server;
		reason = REASON_CONNECT_FAILED;
	}
	return reason;
}

static struct udp_session *begin(struct udp_listener *listener, const struct datagram *datagram,
				 const struct route *route)
{
	const struct session_key key = key_of(listener, datagram);
	struct relay *relay = listener->relay;
	struct udp_session *session = slab_take(&relay->sessions);
	CHECK(session != NULL); /* admit has looked */
	*session = (struct udp_session){
		.upstream = { .on_event = on_upstream_event, .fd = route->fd },
		.timer = { .on_expiry = on_timer },
		.relay = relay,
		.listener = listener,
		.service = listener->service,
		.server = route->server,
		.client = key.client,
		.peer = key.peer,
		.id = relay->next_flow_id++,
		.start_ns = relay->loop->now_ns,
		.last_activity_ms = relay->loop->now_ms,
		.reply_turn = relay->loop->turn - 2,
		.ticket = route->ticket,
		.algorithm = route->algorithm,
		.has_local = datagram->has_local,
	};
	memcpy(session->local_ip, key.local_ip, sizeof(session->local_ip));
	hash_table_add(&relay->session_index, session, hash_of(relay, &key));
	session->is_indexed = true;
	udp_unanswered_add(session);
	listener->session_count++;
	session->is_own_flow = session->server->is_own;
	if (session->is_own_flow) {
		struct own_flow_key goes = own_key_of(session);
		struct own_flow_key came = {
			.from = session->peer,
			.to = udp_session_listen_endpoint(session),
			.protocol = FLOW_UDP,
		};
		own_flows_add(relay->settings->own_flows, &goes, session->service, &came);
	}
	counter_add(&counters_of(session)->flows[FLOW_UDP], 1);
	flow_observe_begin(relay, session->service, &session->client);
	counter_add(&counters_of(session)->flows_active[FLOW_UDP], 1);
	counter_add(&server_counters_of(session)->flows, 1);
	counter_add(&relay->sessions_active, 1);
	timer_arm(relay->wheel, &session->timer,
		  relay->loop->now_ms + service_policy(listener->service)->session_new_ms);
	return session;
}

/* avoid: a server not to be chosen, or NULL. */
static struct udp_session *begin_or_refuse(struct udp_listener *listener, const struct datagram *datagram,
					   struct server *avoid)
{
	struct relay *relay = listener->relay;
	struct route route = { .tried = { avoid }, .tried_count = avoid != NULL };
	enum reason reason = admit(listener, datagram, &route.ticket);
	if (reason != REASON_NONE) {
		udp_session_refuse(listener, datagram, reason);
		return NULL;
	}
	reason = find_route(listener, &datagram->client, &route);
	if (reason != REASON_NONE) {
		give_back_admission(relay, listener->service, &datagram->client, route.ticket);
		udp_session_refuse(listener, datagram, reason);
		return NULL;
	}
	struct udp_session *session = begin(listener, datagram, &route);
	if (loop_add(relay->loop, &session->upstream, EPOLLIN) == 0)
		return session;
	udp_session_end(session, REASON_INTERNAL_ERROR);
	return NULL;
}

/* Is there another server for the session's client? */
static bool has_alternative(struct udp_session *session)
{
	struct balance_request request = {
		.client = &session->client,
		.random = &session->relay->random,
		.tried = &session->server,
		.tried_count = 1,
	};
	struct server *other = balance_enter(service_policy(session->service)->pool, &request);
	if (other != NULL)
		tcp_queue_give_place(session->relay, other);
	return other != NULL;
}

void udp_session_prefetch(const struct udp_listener *listener, const struct datagram_batch *batch)
{
	const struct hash_table *index = &listener->relay->session_index;
	uint32_t hashes[DATAGRAM_BATCH_MAX];
	for (uint32_t i = 0; i < batch->count; i++) {
		struct session_key key = key_of(listener, &batch->entries[i]);
		hashes[i] = hash_of(listener->relay, &key);
		hash_table_prefetch_bucket(index, hashes[i]);
	}
	for (uint32_t i = 0; i < batch->count; i++)
		hash_table_prefetch_object(index, hashes[i]);
}

struct udp_session *udp_session_find(struct udp_listener *listener, const struct datagram *datagram)
{
	struct session_key key = key_of(listener, datagram);
	struct udp_session *session = look_up(listener->relay, &key, hash_of(listener->relay, &key));
	if (session == NULL)
		return begin_or_refuse(listener, datagram, NULL);
	enum reason loss = flow_loss_of_session(session->server);
	struct server *avoid = NULL;
	if (loss != REASON_NONE) {
		udp_session_end(session, loss);
	} else if (udp_session_room(session) == 0) {
		remove_from_index(session);
	} else if (session->is_unreachable && has_alternative(session)) {
		avoid = session->server;
		udp_session_end(session, REASON_CONNECT_REFUSED);
	} else {
		return session;
	}
	return begin_or_refuse(listener, datagram, avoid);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

uint64_t udp_session_room(const struct udp_session *session)
{
	uint64_t requests = service_policy(session->service)->session_requests;
	if (requests == 0)
		return UINT64_MAX;
	return session->packets_in < requests ? requests - session->packets_in : 0;
}

void udp_session_forward(struct udp_session *session, struct datagram *datagrams, uint32_t count)
{
	uint64_t bytes = 0;
	uint32_t packets = 0;
	udp_header_put(session, datagrams, count);
	for (uint32_t i = 0; i < count; i++) {
		bytes += datagrams[i].len;
		packets += datagram_count(&datagrams[i]);
	}
	session->last_activity_ms = session->relay->loop->now_ms;
	session->is_verified = session->has_delivered;
	session->bytes_in += bytes;
	session->packets_in += packets;
	struct service_counters *counters = counters_of(session);
	counter_add(&counters->bytes_in, bytes);
	counter_add(&counters->packets_in, packets);
	counter_add(&server_counters_of(session)->bytes_in, bytes);
	if (udp_offload_is_due(session))
		udp_offload_begin(session);
	bool is_throttled = udp_throttle_is_needed(session);
	if (packets == 1) {
		if (!is_throttled || udp_throttle_admit(session, datagrams))
			udp_request_add(session, datagrams);
		return;
	}
	if (session->has_requests)
		udp_request_flush(session->relay);
	if (session->is_ended)
		udp_session_note_lost(session, packets);
	else if (is_throttled)
		udp_throttle_forward(session, datagrams, count);
	else
		udp_session_send(session, datagrams, count, 0);
}

void udp_session_send(struct udp_session *session, const struct datagram *datagrams, uint32_t count, int error)
{
	struct datagram_route route = { .fd = session->upstream.fd, .is_connected = true };
	int its_error = 0;
	uint32_t unsent = datagram_send(&route, datagrams, count, &its_error);
	udp_session_note_sent(session, unsent, its_error != 0 ? its_error : error);
}

void udp_session_note_lost(struct udp_session *session, uint32_t unsent)
{
	counter_add(&counters_of(session)->packets_dropped, unsent);
}

void udp_session_note_sent(struct udp_session *session, uint32_t unsent, int error)
{
	udp_session_note_lost(session, unsent);
	if (error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH)
		note_icmp_error(session, -error);
	const struct service_policy *policy = service_policy(session->service);
	if (policy->has_session_replies && policy->session_replies == 0 && !udp_throttle_holds_any(session))
		udp_session_end(session, REASON_REPLIES_DONE);
}

struct endpoint udp_session_listen_endpoint(const struct udp_session *session)
{
	struct endpoint endpoint = session->listener->bound;
	if (session->has_local)
		memcpy(endpoint.ip, session->local_ip, sizeof(endpoint.ip));
	return endpoint;
}
