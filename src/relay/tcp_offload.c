/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_offload.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/socket.h"
#include "relay/bare_flow.h"
#include "relay/kernel_flow.h"
#include "relay/relay.h"

#include <netinet/in.h>
#include <string.h>

enum {
	QUIET_MS = 100,
	QUIET_FOR_WINDOW_MS =
		20,  /* it mostly needs more than a moment until one side takes as much as the other may send */
	LOOK_MS = 1, /* from one look to the next while QUIET */
	RETRY_MS = 500,
	RETRY_DOUBLINGS_MAX = 7, /* about a minute */
};

/* --- outcomes ---------------------------------------------------------------------------------------------------- */

static void count_outcome(struct relay *relay, enum tcp_offload_outcome outcome)
{
	counter_add(&relay->offload_outcomes[outcome], 1);
}

/* --- when -------------------------------------------------------------------------------------------------------- */

/* Neither near its end, nor still to be looked at. */
static bool may_now(const struct tcp_connection *connection)
{
	const struct relay *relay = connection->relay;
	return service_policy(connection->service)->offloads[FLOW_TCP] && !relay->is_draining &&
	       connection->first_fin == REASON_NONE && !connection->is_unchecked &&
	       relay_settings_flow_table(relay->settings) != NULL;
}

uint64_t tcp_offload_due_ms(const struct tcp_connection *connection)
{
	const struct service_policy *policy = service_policy(connection->service);
	if (connection->offload_state != TCP_OFFLOAD_WAITING || !may_now(connection))
		return UINT64_MAX;
	uint64_t due_ms = UINT64_MAX;
	if (policy->offload_after_ms != 0)
		due_ms = connection->start_ns / CLOCK_NS_PER_MS + policy->offload_after_ms;
	if (connection->offload_tries > 0 && due_ms < connection->offload_at_ms)
		due_ms = connection->offload_at_ms;
	return due_ms;
}

static bool has_carried_enough(const struct tcp_connection *connection)
{
	uint64_t bytes = service_policy(connection->service)->offload_after_bytes;
	return bytes != 0 && connection->client.bytes_read + connection->server.bytes_read >= bytes &&
	       (connection->offload_tries == 0 || connection->offload_at_ms <= connection->relay->loop->now_ms);
}

bool tcp_offload_is_due(const struct tcp_connection *connection)
{
	if (connection->offload_state != TCP_OFFLOAD_WAITING || !may_now(connection))
		return false;
	return has_carried_enough(connection) || tcp_offload_due_ms(connection) <= connection->relay->loop->now_ms;
}

/* --- back in user space ------------------------------------------------------------------------------------------ */

static void try_later(struct tcp_connection *connection)
{
	unsigned int doublings =
		connection->offload_tries < RETRY_DOUBLINGS_MAX ? connection->offload_tries : RETRY_DOUBLINGS_MAX;
	connection->offload_state = TCP_OFFLOAD_WAITING;
	connection->offload_at_ms = connection->relay->loop->now_ms + ((uint64_t)RETRY_MS << doublings);
	if (connection->offload_tries < UINT8_MAX)
		connection->offload_tries++;
}

static void go_on(struct tcp_connection *connection)
{
	tcp_connection_wait(connection);
	tcp_connection_drive(connection);
}

/* --- joining ----------------------------------------------------------------------------------------------------- */

static struct tcp_joining *joining_of(const struct tcp_connection *connection)
{
	CHECK(connection->offload_state == TCP_OFFLOAD_JOINING);
	return connection->joining;
}

static void fold(struct tcp_connection *connection, struct kernel_flow *kernel)
{
	struct kernel_flow_counts counts = kernel_flow_fold(kernel);
	connection->client.bytes_read += counts.bytes[FLOW_TO_SERVER];
	connection->server.bytes_read += counts.bytes[FLOW_TO_CLIENT];
	tcp_connection_count_bytes(connection, counts.bytes[FLOW_TO_SERVER], counts.bytes[FLOW_TO_CLIENT]);
}

/* While it is joining nothing ends it but its sockets. */
static void on_look(struct kernel_flow *kernel)
{
	const struct tcp_joining *joining = kernel->owner;
	fold(joining->connection, kernel);
}

static void release(struct tcp_joining **joining)
{
	slab_give(&(*joining)->connection->relay->joinings, *joining);
	*joining = NULL;
}

/* The sockets are closed, and the connection lives in the kernel alone. */
static void become_bare(struct tcp_connection *connection)
{
	struct tcp_joining *joining = joining_of(connection);
	const struct bare_flow_origin origin = {
		.service = connection->service,
		.server = connection->target,
		.pool = connection->pool,
		.client = connection->client_endpoint,
		.ticket = connection->ticket,
		.id = connection->id,
		.start_ns = connection->start_ns,
		.connect_us = connection->connect_us,
		.bytes_in = connection->client.bytes_read,
		.bytes_out = connection->server.bytes_read,
		.path = FLOW_PATH_OFFLOAD,
		.protocol = FLOW_TCP,
		.algorithm = connection->algorithm,
		.retries = connection->attempts != NULL ? (uint8_t)connection->attempts->count : 0,
		.has_ticket = connection->is_admitted,
	};
	/* There are as many bare flows as flows of the kernel. */
	struct bare_flow *flow = bare_flow_new(connection->relay, joining->kernel, &origin);
	CHECK(flow != NULL);
	release(&connection->joining);
	count_outcome(connection->relay, TCP_OFFLOAD_JOINED);
	tcp_connection_hand_over(connection);
}

static void step(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct tcp_joining *joining = joining_of(connection);
	switch (tcp_join_step(&joining->join, relay->loop->now_ms, relay->scratch, TCP_SCRATCH_BYTES)) {
	case TCP_JOIN_GOES_ON:
		timer_arm(relay->wheel, &connection->timer, relay->loop->now_ms + TCP_JOIN_STEP_MS);
		return;
	case TCP_JOIN_DONE:
		connection->client.source.fd = connection->server.source.fd = -1;
		become_bare(connection);
		return;
	case TCP_JOIN_FAILED:
		tcp_connection_abort(connection,
				     joining->join.broken == FLOW_TO_SERVER ? REASON_CLIENT_RST : REASON_SERVER_RST);
	}
}

static struct kernel_flow *make_flow(struct tcp_connection *connection, struct tcp_joining *joining)
{
	const struct kernel_flow_ends ends = {
		.client = socket_peer_endpoint(connection->client.source.fd),
		.listen = socket_local_endpoint(connection->client.source.fd),
		.local = socket_local_endpoint(connection->server.source.fd),
		.server = connection->target->endpoint,
		.protocol = IPPROTO_TCP,
	};
	return kernel_flow_new(connection->relay, &ends, joining, on_look);
}

/* The flow counts from where both streams are for the kernel; what is still unread is before that. */
static void count_unread(struct tcp_connection *connection, const struct tcp_join_numbers *numbers)
{
	connection->client.bytes_read += numbers->client.unread_bytes;
	connection->server.bytes_read += numbers->server.unread_bytes;
	tcp_connection_count_bytes(connection, numbers->client.unread_bytes, numbers->server.unread_bytes);
}

/* Returns false when there is no place for it in the kernel, and nothing has changed then. Else the connection may have ended. */
static bool join(struct tcp_connection *connection, const struct tcp_join_numbers *numbers)
{
	struct relay *relay = connection->relay;
	struct tcp_joining *joining = slab_take(&relay->joinings);
	CHECK(joining != NULL); /* as many as connections */
	*joining = (struct tcp_joining){ .connection = connection };
	joining->kernel = make_flow(connection, joining);
	if (joining->kernel == NULL) {
		release(&joining);
		return false;
	}
	tcp_join_fill(numbers, joining->kernel->slot);
	joining->kernel->slot->algorithm = connection->algorithm;
	if (kernel_flow_begin(joining->kernel) < 0) {
		kernel_flow_free(&joining->kernel);
		release(&joining);
		return false;
	}
	connection->joining = joining;
	connection->offload_state = TCP_OFFLOAD_JOINING;
	const int sockets[] = {
		[FLOW_TO_SERVER] = connection->client.source.fd, [FLOW_TO_CLIENT] = connection->server.source.fd
	};
	tcp_join_start(&joining->join, numbers, joining->kernel->slot, sockets, relay->loop->now_ms);
	count_unread(connection, numbers);
	step(connection);
	return true;
}

void tcp_offload_stop(struct tcp_connection *connection)
{
	if (connection->offload_state != TCP_OFFLOAD_JOINING)
		return;
	struct tcp_joining *joining = joining_of(connection);
	kernel_flow_end(joining->kernel);
	fold(connection, joining->kernel);
	kernel_flow_free(&joining->kernel);
	/* So that their peers hear of the end. */
	tcp_repair_release(connection->client.source.fd);
	tcp_repair_release(connection->server.source.fd);
	connection->offload_state = TCP_OFFLOAD_NEVER;
	release(&connection->joining);
}

/* --- quiet ------------------------------------------------------------------------------------------------------- */

static bool is_local(const struct tcp_connection *connection)
{
	return connection->client_endpoint.family == AF_UNIX || connection->target->endpoint.family == AF_UNIX ||
	       connection->is_own_flow;
}

static bool has_own_port(const struct tcp_connection *connection)
{
	struct endpoint local = socket_local_endpoint(connection->server.source.fd);
	return !relay_settings_is_ephemeral(connection->relay->settings, local.port);
}

void tcp_offload_begin(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	if (is_local(connection) || !has_own_port(connection)) {
		count_outcome(relay, is_local(connection) ? TCP_OFFLOAD_LOCAL : TCP_OFFLOAD_NO_PORT);
		connection->offload_state = TCP_OFFLOAD_NEVER;
		return;
	}
	connection->offload_state = TCP_OFFLOAD_QUIET;
	connection->offload_at_ms = relay->loop->now_ms + QUIET_MS;
	timer_arm(relay->wheel, &connection->timer, relay->loop->now_ms + LOOK_MS);
}

/* Is it worth to be tried again? */
static bool is_passing(enum tcp_obstacle obstacle)
{
	return obstacle == TCP_OBSTACLE_SENDING || obstacle == TCP_OBSTACLE_WINDOW || obstacle == TCP_OBSTACLE_STATE ||
	       obstacle == TCP_OBSTACLE_URGENT;
}

static bool has_unsent(const struct tcp_connection *connection)
{
	return connection->client.tail != NULL || connection->client.pipe != NULL || connection->server.tail != NULL ||
	       connection->server.pipe != NULL;
}

static enum tcp_offload_outcome outcome_of(int result, enum tcp_obstacle obstacle)
{
	if (result == 0)
		return TCP_OFFLOAD_NO_PLACE;
	return obstacle == TCP_NO_OBSTACLE ? TCP_OFFLOAD_UNSENT : TCP_OFFLOAD_OBSTACLES + obstacle - 1;
}

static void give_up(struct tcp_connection *connection)
{
	connection->offload_state = TCP_OFFLOAD_NEVER;
	go_on(connection);
}

static void try_to_join(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct tcp_join_numbers numbers;
	enum tcp_obstacle obstacle = TCP_NO_OBSTACLE;
	int result = has_unsent(connection) ? -EAGAIN
					    : tcp_join_read(connection->client.source.fd, connection->server.source.fd,
							    &numbers, &obstacle);
	uint64_t quiet_ms = relay->loop->now_ms + QUIET_MS - connection->offload_at_ms;
	bool is_last = quiet_ms >= (obstacle == TCP_OBSTACLE_WINDOW ? QUIET_FOR_WINDOW_MS : QUIET_MS);
	if (result < 0 && (result != -EAGAIN || (obstacle != TCP_NO_OBSTACLE && !is_passing(obstacle)))) {
		count_outcome(relay, outcome_of(result, obstacle));
		give_up(connection);
	} else if (result == 0 ? !join(connection, &numbers) : is_last || obstacle == TCP_OBSTACLE_STATE) {
		count_outcome(relay, outcome_of(result, obstacle));
		try_later(connection);
		go_on(connection);
	} else if (result < 0) {
		timer_arm(relay->wheel, &connection->timer, relay->loop->now_ms + LOOK_MS);
	}
}

void tcp_offload_drive(struct tcp_connection *connection)
{
	if (connection->offload_state == TCP_OFFLOAD_JOINING) {
		step(connection);
		return;
	}
	CHECK(connection->offload_state == TCP_OFFLOAD_QUIET);
	/* A broken connection is the pump's business. */
	bool is_broken = connection->client.has_error || connection->server.has_error ||
			 !tcp_pump_flush(connection->relay, &connection->client) ||
			 !tcp_pump_flush(connection->relay, &connection->server);
	if (!is_broken) {
		try_to_join(connection);
		return;
	}
	try_later(connection);
	go_on(connection);
}
