/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_connection.h"

#include "balance/balance.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "guard/guard.h"
#include "net/socket.h"
#include "relay/flow_admission.h"
#include "relay/flow_observe.h"
#include "relay/flow_report.h"
#include "relay/introduction.h"
#include "relay/own_flows.h"
#include "relay/tcp_greeting.h"
#include "relay/tcp_offload.h"
#include "relay/tcp_hello.h"
#include "relay/tcp_queue.h"
#include "relay/upstream.h"
#include "relay/tcp_throttle.h"

#include <errno.h>

enum { EVENTS = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | (int)EPOLLET };

static struct service_counters *counters_of(const struct tcp_connection *connection)
{
	return &connection->service->counters[connection->relay->worker_index];
}

static struct server_counters *target_counters(const struct tcp_connection *connection)
{
	return &connection->target->counters[connection->relay->worker_index];
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void release_memory(struct loop_deferred *deferred)
{
	struct tcp_connection *connection = LIST_OWNER(deferred, struct tcp_connection, deferred);
	tcp_throttle_detach(connection);
	slab_give(&connection->relay->connections, connection);
}

static void release_attempts(struct tcp_connection *connection)
{
	if (connection->attempts == NULL)
		return;
	for (uint32_t i = 0; i < connection->attempts->count; i++)
		server_release_reference(connection->attempts->servers[i]);
	slab_give(&connection->relay->attempts, connection->attempts);
	connection->attempts = NULL;
}

static void release_greeting(struct tcp_connection *connection)
{
	if (connection->greeting != NULL)
		tcp_greeting_give(&connection->relay->greetings, connection->greeting);
	connection->greeting = NULL;
}

static struct own_flow_key own_key_of(const struct tcp_connection *connection)
{
	struct own_flow_key key = { .to = connection->target->endpoint, .protocol = FLOW_TCP };
	key.from = socket_local_endpoint(connection->server.source.fd);
	return key;
}

/* It came from its peer, whoever a PROXY header said it was for. */
static void note_own_flow(const struct tcp_connection *connection)
{
	struct own_flow_key goes = own_key_of(connection);
	struct own_flow_key came = { .protocol = FLOW_TCP };
	came.from = socket_peer_endpoint(connection->client.source.fd);
	came.to = socket_local_endpoint(connection->client.source.fd);
	own_flows_add(connection->relay->settings->own_flows, &goes, connection->service, &came);
}

/* Before the descriptor of the server side is closed. */
static void forget_own_flow(struct tcp_connection *connection)
{
	if (!connection->is_own_flow)
		return;
	connection->is_own_flow = false;
	struct own_flow_key key = own_key_of(connection);
	own_flows_remove(connection->relay->settings->own_flows, &key);
}

static void count_begin(struct tcp_connection *connection)
{
	counter_add(&counters_of(connection)->flows[FLOW_TCP], 1);
	flow_observe_begin(connection->relay, connection->service, &connection->client_endpoint);
}

static void count_end(struct tcp_connection *connection, enum reason reason)
{
	struct service_counters *counters = counters_of(connection);
	if (connection->state != TCP_ESTABLISHED && reason_is_refusal(reason)) {
		counter_add(&counters->refused[reason], 1);
		flow_observe_refusal(connection->relay, connection->service, &connection->client_endpoint);
		return;
	}
	if (connection->state != TCP_ESTABLISHED)
		count_begin(connection);
	counter_add(&counters->ended[reason], 1);
	flow_observe_end(connection->relay, connection->service, &connection->client_endpoint,
			 connection->client.bytes_read, connection->server.bytes_read);
	uint64_t duration_ns = connection->relay->loop->now_ns - connection->start_ns;
	histogram_observe(&counters->duration, &histogram_flow_scale, duration_ns / CLOCK_NS_PER_US);
}

static void give_back_places(struct tcp_connection *connection)
{
	struct flow_budget *budget = connection->relay->settings->budget;
	if (connection->target != NULL)
		tcp_queue_give_place(connection->relay, connection->target);
	if (connection->state == TCP_WAITING)
		tcp_queue_leave_unserved(connection);
	if (connection->is_admitted)
		guard_release(connection->service->guard, GUARD_CONNECTION, &connection->client_endpoint,
			      connection->ticket);
	flow_ceiling_give(&budget->connections, 1);
	flow_ceiling_give(&budget->descriptors, 2);
	counter_subtract(&counters_of(connection)->flows_active[FLOW_TCP], 1);
	counter_subtract(&connection->relay->connections_active, 1);
}

/*
 * The one way out. Everything is accounted before the descriptors are closed: a peer that has seen the end and comes
 * again finds its place free and its record written.
 */
static void finish(struct tcp_connection *connection, enum reason reason)
{
	struct relay *relay = connection->relay;
	CHECK(connection->state != TCP_CLOSED);
	tcp_offload_stop(connection);
	flow_report_connection(connection, reason);
	forget_own_flow(connection);
	count_end(connection, reason);
	give_back_places(connection);
	release_attempts(connection);
	release_greeting(connection);
	timer_disarm(relay->wheel, &connection->timer);
	list_remove(&connection->wait.link);
	tcp_throttle_stop(connection);
	tcp_pump_drop_unsent(relay, &connection->client);
	tcp_pump_drop_unsent(relay, &connection->server);
	connection->state = TCP_CLOSED;
	connection->target = NULL;
	fd_close(&connection->server.source.fd);
	fd_close(&connection->client.source.fd);
	loop_defer(relay->loop, &connection->deferred, release_memory);
}

void tcp_connection_hand_over(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct flow_budget *budget = relay->settings->budget;
	flow_ceiling_give(&budget->connections, 1);
	flow_ceiling_give(&budget->descriptors, 2);
	counter_subtract(&relay->connections_active, 1);
	release_attempts(connection);
	timer_disarm(relay->wheel, &connection->timer);
	list_remove(&connection->wait.link);
	connection->state = TCP_CLOSED;
	connection->target = NULL;
	loop_defer(relay->loop, &connection->deferred, release_memory);
}

void tcp_connection_close(struct tcp_connection *connection, enum reason reason)
{
	finish(connection, reason);
}

void tcp_connection_abort(struct tcp_connection *connection, enum reason reason)
{
	tcp_offload_stop(connection);
	socket_reset_on_close(connection->client.source.fd);
	if (connection->server.source.fd >= 0)
		socket_reset_on_close(connection->server.source.fd);
	finish(connection, reason);
}

/* --- established: moving bytes ---------------------------------------------------------------------------------- */

static uint64_t idle_limit_ms(const struct tcp_connection *connection)
{
	const struct service_policy *policy = service_policy(connection->service);
	if (connection->first_fin != REASON_NONE && policy->half_closed_ms < policy->idle_ms)
		return policy->half_closed_ms;
	return policy->idle_ms;
}

static void note_first_fin(struct tcp_connection *connection)
{
	if (connection->first_fin != REASON_NONE || !(connection->client.has_ended || connection->server.has_ended))
		return;
	connection->first_fin = connection->client.has_ended ? REASON_CLIENT_FIN : REASON_SERVER_FIN;
	struct relay *relay = connection->relay;
	timer_arm(relay->wheel, &connection->timer, relay->loop->now_ms + idle_limit_ms(connection));
}

void tcp_connection_count_bytes(struct tcp_connection *connection, uint64_t in, uint64_t out)
{
	struct service_counters *service = counters_of(connection);
	struct server_counters *server = target_counters(connection);
	counter_add(&service->bytes_in, in);
	counter_add(&service->bytes_out, out);
	counter_add(&server->bytes_in, in);
	counter_add(&server->bytes_out, out);
}

static bool is_reset(enum tcp_pump_result result)
{
	return result == TCP_PUMP_SOURCE_RESET || result == TCP_PUMP_SINK_RESET;
}

static bool is_waiting(enum tcp_pump_result result)
{
	return result == TCP_PUMP_WAIT || result == TCP_PUMP_THROTTLED;
}

/*
 * Which side is broken, if any: reading from it or writing to it failed, or epoll has reported an error while it is not
 * being read, because its own stream has ended, the other side is slow, or its bandwidth is used up.
 */
static enum reason find_reset(const struct tcp_connection *connection, enum tcp_pump_result up,
			      enum tcp_pump_result down)
{
	if (up == TCP_PUMP_SOURCE_RESET || down == TCP_PUMP_SINK_RESET)
		return REASON_CLIENT_RST;
	if (down == TCP_PUMP_SOURCE_RESET || up == TCP_PUMP_SINK_RESET)
		return REASON_SERVER_RST;
	if (connection->client.has_error && is_waiting(up))
		return REASON_CLIENT_RST;
	if (connection->server.has_error && is_waiting(down))
		return REASON_SERVER_RST;
	return REASON_NONE;
}

static bool is_complete(const struct tcp_connection *connection)
{
	return connection->client.is_shut && connection->server.is_shut;
}

static void wait_for_turn(struct tcp_connection *connection, enum tcp_pump_result up, enum tcp_pump_result down)
{
	struct relay *relay = connection->relay;
	list_remove(&connection->wait.link);
	if (up == TCP_PUMP_UNFINISHED || down == TCP_PUMP_UNFINISHED)
		list_add_last(&relay->unfinished, &connection->wait.link);
	else if (up == TCP_PUMP_STARVED || down == TCP_PUMP_STARVED)
		list_add_last(&relay->starved, &connection->wait.link);
}

void tcp_connection_drive(struct tcp_connection *connection)
{
	if (connection->state != TCP_ESTABLISHED)
		return;
	if (tcp_offload_has_begun(connection)) {
		tcp_offload_drive(connection);
		return;
	}
	struct relay *relay = connection->relay;
	struct tcp_side *client = &connection->client;
	struct tcp_side *server = &connection->server;
	tcp_throttle_update(connection);
	uint64_t in = client->bytes_read;
	uint64_t out = server->bytes_read;
	bool moved = false;
	enum tcp_pump_result up = tcp_pump_run(relay, client, server, &moved);
	/* Even when the server takes nothing any more, what it had said before is passed on. */
	enum tcp_pump_result down =
		is_reset(up) && up != TCP_PUMP_SINK_RESET ? TCP_PUMP_WAIT : tcp_pump_run(relay, server, client, &moved);
	if (moved)
		connection->last_activity_ms = relay->loop->now_ms;
	tcp_connection_count_bytes(connection, client->bytes_read - in, server->bytes_read - out);
	note_first_fin(connection);
	enum reason reset = find_reset(connection, up, down);
	if (reset != REASON_NONE)
		tcp_connection_abort(connection, reset);
	else if (is_complete(connection))
		finish(connection, connection->first_fin);
	else if (tcp_offload_is_due(connection))
		tcp_offload_begin(connection);
	else
		wait_for_turn(connection, up, down);
}

void tcp_connection_note_received(struct tcp_connection *connection, struct tcp_side *from, ssize_t got, size_t room)
{
	bool is_client = from == &connection->client;
	bool moved = false;
	tcp_pump_note_received(from, is_client ? &connection->server : &connection->client, got, room, &moved);
	if (!moved)
		return;
	connection->last_activity_ms = connection->relay->loop->now_ms;
	tcp_connection_count_bytes(connection, is_client ? (uint64_t)got : 0, is_client ? 0 : (uint64_t)got);
}

/*
 * Nobody but proxies may begin with a PROXY header. What could still become one is not passed on before more has come, the
 * end has come, or the time for headers is over (on_timer). Returns false when the connection was ended.
 */
static bool check_beginning(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	if (!connection->is_unchecked || !connection->client.is_readable)
		return true;
	switch (tcp_greeting_look(connection->client.source.fd)) {
	case TCP_BEGINNING_HEADER:
		flow_note_misbehaviour(relay, connection->service, &connection->client_endpoint);
		tcp_connection_abort(connection, REASON_BAD_PROXY_HEADER);
		return false;
	case TCP_BEGINNING_SHORT:
		connection->is_unchecked = !connection->client.has_hung_up;
		connection->client.is_readable = !connection->is_unchecked;
		if (connection->is_unchecked)
			timer_arm(relay->wheel, &connection->timer,
				  relay->loop->now_ms + service_policy(connection->service)->proxy_header_ms);
		return true;
	case TCP_BEGINNING_OTHER:
		connection->is_unchecked = false;
		break;
	}
	return true;
}

static void greet(struct tcp_connection *connection);
static void look_for_hello(struct tcp_connection *connection);

static void on_client_event(struct loop_source *source, uint32_t events)
{
	struct tcp_connection *connection = LIST_OWNER(source, struct tcp_connection, client.source);
	if (connection->state == TCP_CLOSED)
		return;
	tcp_pump_note(&connection->client, events);
	if (tcp_offload_has_begun(connection))
		tcp_offload_drive(connection);
	else if (connection->state == TCP_ESTABLISHED && check_beginning(connection))
		tcp_batch_add(&connection->relay->batch, connection);
	else if (connection->state == TCP_ESTABLISHED || connection->state == TCP_CLOSED)
		return;
	else if (connection->client.has_error)
		tcp_connection_abort(connection, connection->is_admitted ? REASON_CLIENT_RST : REASON_BAD_PROXY_HEADER);
	else if (connection->state == TCP_GREETING)
		greet(connection);
	else if (connection->state == TCP_HELLO)
		look_for_hello(connection);
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

static void connect_next(struct tcp_connection *connection, enum reason last_failure);

static void count_failure(struct tcp_connection *connection, enum reason reason)
{
	struct server_counters *counters = target_counters(connection);
	if (reason == REASON_CONNECT_REFUSED)
		counter_add(&counters->connect_refused, 1);
	else if (reason == REASON_CONNECT_TIMEOUT)
		counter_add(&counters->connect_timeout, 1);
	else
		counter_add(&counters->connect_failed, 1);
}

static void note_failure(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct server *server = connection->target;
	if (server_note_failure(server, pool_policy(connection->pool)->eject_failures))
		mailbox_post(relay->settings->to_control,
			     (struct message){ .kind = RELAY_REPORT_EJECTED, .subject = server });
}

static void remember_attempt(struct tcp_connection *connection)
{
	if (connection->attempts == NULL) {
		connection->attempts = slab_take(&connection->relay->attempts);
		CHECK(connection->attempts != NULL); /* as many as connections */
		connection->attempts->count = 0;
	}
	CHECK(connection->attempts->count < FLOW_TRIED_MAX);
	server_acquire_reference(connection->target);
	connection->attempts->servers[connection->attempts->count++] = connection->target;
}

/* The target could not be reached: tries the next server or gives up. */
static void fail_target(struct tcp_connection *connection, enum reason reason)
{
	count_failure(connection, reason);
	note_failure(connection);
	remember_attempt(connection);
	forget_own_flow(connection);
	tcp_queue_give_place(connection->relay, connection->target);
	connection->target = NULL;
	fd_close(&connection->server.source.fd);
	if (connection->attempts->count > service_policy(connection->service)->retries)
		tcp_connection_abort(connection, reason);
	else
		connect_next(connection, reason);
}

static enum reason reason_of_connect_error(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_CONNECT_REFUSED;
	case ETIMEDOUT:
		return REASON_CONNECT_TIMEOUT;
	default:
		return REASON_CONNECT_FAILED;
	}
}

static bool wants_authority(const struct tcp_connection *connection)
{
	const struct tcp_greeting *greeting = connection->greeting;
	return introduction_wants_authority(pool_policy(connection->pool), greeting != NULL ? &greeting->header : NULL);
}

/* Tells the server who the client is. Returns false when there is no memory for that. */
static bool introduce(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct endpoint asked = socket_local_endpoint(connection->client.source.fd);
	struct introduction introduction = {
		.client = &connection->client_endpoint,
		.asked = &asked,
		.came = connection->greeting != NULL ? &connection->greeting->header : NULL,
		.flow_id = connection->id,
		.transport = PROXY_TRANSPORT_STREAM,
	};
	struct tls_hello hello;
	if (wants_authority(connection) && tcp_hello_look(connection->client.source.fd, &hello) == 1)
		introduction.authority = hello.server_name;
	size_t len =
		introduction_write(pool_policy(connection->pool), &introduction, relay->scratch, TCP_SCRATCH_BYTES);
	release_greeting(connection);
	return tcp_pump_begin(relay, &connection->server, relay->scratch, len);
}

static void become_established(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	uint64_t now_ms = relay->loop->now_ms;
	server_note_success(connection->target);
	connection->state = TCP_ESTABLISHED;
	tcp_throttle_update(connection);
	connection->connect_us = (uint32_t)((relay->loop->now_ns - connection->connect_start_ns) / CLOCK_NS_PER_US);
	connection->offload_at_ms = 0;
	connection->last_activity_ms = now_ms;
	count_begin(connection);
	counter_add(&target_counters(connection)->flows, 1);
	histogram_observe(&connection->pool->counters[relay->worker_index].connect, &histogram_answer_scale,
			  connection->connect_us);
	/* The timer, still set for the connect, finds out about idleness when it fires: no need to touch it again. */
	const struct service_policy *policy = service_policy(connection->service);
	if (policy->idle_ms < policy->connect_ms || policy->offloads[FLOW_TCP])
		tcp_connection_wait(connection);
	if (pool_policy(connection->pool)->proxy_version != 0 && !introduce(connection))
		tcp_connection_abort(connection, REASON_LIMIT_MEMORY);
	else if (check_beginning(connection))
		tcp_batch_add(&relay->batch, connection);
}

static void on_connect_event(struct tcp_connection *connection, uint32_t events)
{
	int error = events & (EPOLLERR | EPOLLHUP) ? socket_take_error(connection->server.source.fd) : 0;
	if (error != 0) {
		connection->server.has_error = false;
		fail_target(connection, reason_of_connect_error(error));
	} else if (events & (EPOLLOUT | EPOLLHUP)) {
		become_established(connection);
	}
}

static void on_server_event(struct loop_source *source, uint32_t events)
{
	struct tcp_connection *connection = LIST_OWNER(source, struct tcp_connection, server.source);
	if (connection->state == TCP_CLOSED)
		return;
	tcp_pump_note(&connection->server, events);
	if (tcp_offload_has_begun(connection))
		tcp_offload_drive(connection);
	else if (connection->state == TCP_ESTABLISHED)
		tcp_batch_add(&connection->relay->batch, connection);
	else
		on_connect_event(connection, events);
}

static struct balance_request make_request(struct tcp_connection *connection)
{
	struct tcp_attempts *attempts = connection->attempts;
	return (struct balance_request){
		.client = &connection->client_endpoint,
		.random = &connection->relay->random,
		.tried = attempts != NULL ? attempts->servers + connection->tried_from : NULL,
		.tried_count = attempts != NULL ? attempts->count - connection->tried_from : 0,
	};
}

static struct server *choose_server(struct tcp_connection *connection)
{
	struct balance_request request = make_request(connection);
	connection->algorithm = (uint8_t)pool_policy(connection->pool)->algorithm;
	return balance_enter(connection->pool, &request);
}

/* Starts to connect to the target. Returns 0 or -errno. */
static int start_connect(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	connection->server = (struct tcp_side){ .source = { .on_event = on_server_event, .fd = -1 } };
	connection->server.may_delay = connection->target->endpoint.family != AF_UNIX;
	connection->connect_start_ns = clock_monotonic_ns();
	struct upstream_request request = {
		.server = connection->target,
		.client = &connection->client_endpoint,
		.type = SOCK_STREAM,
		.wants_own_port = service_policy(connection->service)->offloads[FLOW_TCP],
	};
	int result = upstream_connect(relay, &request, &connection->server.source.fd);
	if (result < 0 && result != -EINPROGRESS)
		return result;
	connection->is_own_flow = connection->target->is_own;
	if (connection->is_own_flow)
		note_own_flow(connection);
	uint64_t connect_ms = service_policy(connection->service)->connect_ms;
	timer_arm(relay->wheel, &connection->timer, relay->loop->now_ms + connect_ms);
	return loop_add(relay->loop, &connection->server.source, EVENTS);
}

static bool has_queue(const struct tcp_connection *connection)
{
	return service_policy(connection->service)->queue_ms != 0;
}

/* All servers that could be chosen are full. Servers that it has tried may be chosen again when it has waited. */
static void wait_for_place(struct tcp_connection *connection)
{
	if (!tcp_queue_join(connection)) {
		tcp_connection_abort(connection, REASON_NO_SERVER);
		return;
	}
	connection->state = TCP_WAITING;
	connection->tried_from = connection->attempts != NULL ? (uint8_t)connection->attempts->count : 0;
}

static bool is_pool_full(struct tcp_connection *connection)
{
	struct balance_request request = make_request(connection);
	return balance_is_full(connection->pool, &request);
}

/* Starts to connect to the target. When that fails at once, connect_next comes back: at most `retries` deep. */
static void connect_to_target(struct tcp_connection *connection)
{
	int result = start_connect(connection);
	if (result == 0)
		return;
	if (socket_is_shortage(-result))
		tcp_connection_abort(connection, REASON_LIMIT_MEMORY);
	else if (result == UPSTREAM_NO_SOURCE)
		tcp_connection_abort(connection, REASON_CONNECT_FAILED);
	else
		fail_target(connection, reason_of_connect_error(-result));
}

/* Chooses a server and starts to connect to it; where all are full it may wait. */
static void connect_next(struct tcp_connection *connection, enum reason last_failure)
{
	connection->state = TCP_CONNECTING;
	connection->target = choose_server(connection);
	if (connection->target != NULL)
		connect_to_target(connection);
	else if (has_queue(connection) && is_pool_full(connection))
		wait_for_place(connection);
	else
		tcp_connection_abort(connection, last_failure != REASON_NONE ? last_failure : REASON_NO_SERVER);
}

bool tcp_connection_take_place(struct tcp_connection *connection)
{
	CHECK(connection->state == TCP_WAITING);
	struct server *server = choose_server(connection);
	if (server == NULL)
		return false;
	tcp_queue_leave_served(connection);
	connection->state = TCP_CONNECTING;
	connection->target = server;
	connect_to_target(connection);
	return true;
}

/* While others wait for the pool a new connection does not take a place before them. */
static bool stands_behind_others(struct tcp_connection *connection)
{
	return has_queue(connection) && !pool_queue_is_empty(&connection->pool->queue) && is_pool_full(connection);
}

static void enter_line_or_connect(struct tcp_connection *connection)
{
	if (stands_behind_others(connection))
		wait_for_place(connection);
	else
		connect_next(connection, REASON_NONE);
}

/* --- deadlines -------------------------------------------------------------------------------------------------- */

/* Connections that live long get what short ones do not need: four system calls saved for each of those. */
static void set_long_options(struct tcp_connection *connection)
{
	if (connection->has_long_options || connection->target->endpoint.family == AF_UNIX)
		return;
	struct socket_keepalive keepalive = { .user_timeout_ms = service_policy(connection->service)->idle_ms };
	socket_set_keepalive(connection->server.source.fd, &keepalive);
	connection->has_long_options = true;
}

void tcp_connection_wait(struct tcp_connection *connection)
{
	uint64_t deadline_ms = connection->last_activity_ms + idle_limit_ms(connection);
	uint64_t offload_ms = tcp_offload_due_ms(connection);
	timer_arm(connection->relay->wheel, &connection->timer, offload_ms < deadline_ms ? offload_ms : deadline_ms);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct tcp_connection *connection = LIST_OWNER(timer, struct tcp_connection, timer);
	if (tcp_offload_has_begun(connection)) {
		tcp_offload_drive(connection);
		return;
	}
	if (connection->state == TCP_GREETING) {
		tcp_connection_abort(connection, REASON_BAD_PROXY_HEADER);
		return;
	}
	if (connection->state == TCP_HELLO) {
		enter_line_or_connect(connection);
		return;
	}
	if (connection->state == TCP_WAITING) {
		counter_add(&counters_of(connection)->queue_timeouts, 1);
		tcp_connection_abort(connection, REASON_NO_SERVER);
		return;
	}
	if (connection->state == TCP_CONNECTING) {
		fail_target(connection, REASON_CONNECT_TIMEOUT);
		return;
	}
	if (tcp_throttle_is_waiting(connection)) /* that is not being idle */
		connection->last_activity_ms = now_ms;
	uint64_t deadline_ms = connection->last_activity_ms + idle_limit_ms(connection);
	if (connection->is_unchecked && !connection->client.is_readable) {
		connection->is_unchecked = false;
		connection->client.is_readable = true;
		tcp_connection_drive(connection);
		if (connection->state == TCP_CLOSED)
			return;
		deadline_ms = connection->last_activity_ms + idle_limit_ms(connection);
	}
	if (now_ms >= deadline_ms) {
		finish(connection, REASON_IDLE_TIMEOUT);
		return;
	}
	set_long_options(connection);
	if (tcp_offload_is_due(connection))
		tcp_offload_begin(connection);
	if (!tcp_offload_has_begun(connection))
		tcp_connection_wait(connection);
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

/* Its first bytes may have to be told to the server before anything else. */
static void look_for_hello(struct tcp_connection *connection)
{
	struct tls_hello hello;
	int result = tcp_hello_look(connection->client.source.fd, &hello);
	if (result != 0 || connection->client.has_hung_up) {
		timer_disarm(connection->relay->wheel, &connection->timer);
		enter_line_or_connect(connection);
	}
}

/* The guard has admitted it. */
static void go_on(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	if (!wants_authority(connection)) {
		enter_line_or_connect(connection);
		return;
	}
	connection->state = TCP_HELLO;
	timer_arm(relay->wheel, &connection->timer,
		  relay->loop->now_ms + service_policy(connection->service)->hello_ms);
	look_for_hello(connection);
}

static void wait_for_greeting(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	connection->state = TCP_GREETING;
	connection->greeting = tcp_greeting_take(&relay->greetings);
	timer_arm(relay->wheel, &connection->timer,
		  relay->loop->now_ms + service_policy(connection->service)->proxy_header_ms);
}

/* The client that the header tells of is judged as one that has come by itself. */
static void admit_greeted(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	const struct proxy_header *header = &connection->greeting->header;
	if (header->has_addresses)
		connection->client_endpoint = header->source;
	if (pool_policy(connection->pool)->proxy_version == 0)
		release_greeting(connection);
	enum reason reason = flow_admit(relay, connection->service, GUARD_CONNECTION, &connection->client_endpoint,
					&connection->ticket);
	if (reason != REASON_NONE) {
		tcp_connection_abort(connection, reason);
		return;
	}
	connection->is_admitted = true;
	timer_disarm(relay->wheel, &connection->timer);
	go_on(connection);
}

static void greet(struct tcp_connection *connection)
{
	const char *problem;
	int result = tcp_greeting_read(connection->greeting, connection->client.source.fd, &problem);
	bool is_cut = result == 0 && connection->client.has_hung_up; /* all that came before its FIN has been read */
	if (result < 0 || is_cut)
		tcp_connection_abort(connection, REASON_BAD_PROXY_HEADER);
	else if (result > 0)
		admit_greeted(connection);
}

void tcp_connection_begin(struct relay *relay, struct service *service, const struct tcp_client *client)
{
	struct tcp_connection *connection = slab_take(&relay->connections);
	CHECK(connection != NULL); /* the caller has looked */
	*connection = (struct tcp_connection){
		.client = { .source = { .on_event = on_client_event, .fd = client->fd } },
		.server = { .source = { .on_event = on_server_event, .fd = -1 } },
		.timer = { .on_expiry = on_timer },
		.relay = relay,
		.service = service,
		.pool = service_policy(service)->pool,
		.client_endpoint = client->endpoint,
		.is_admitted = client->is_admitted,
		.is_unchecked = client->is_admitted && service_policy(service)->proxy_network_count > 0,
		.ticket = client->ticket,
		.id = relay->next_flow_id++,
		.start_ns = relay->loop->now_ns,
		.last_activity_ms = relay->loop->now_ms,
	};
	counter_add(&counters_of(connection)->flows_active[FLOW_TCP], 1);
	counter_add(&relay->connections_active, 1);
	if (loop_add(relay->loop, &connection->client.source, EVENTS) < 0)
		tcp_connection_abort(connection, REASON_INTERNAL_ERROR);
	else if (connection->is_admitted)
		go_on(connection);
	else
		wait_for_greeting(connection);
}
