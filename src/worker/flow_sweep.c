/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow_sweep.h"

#include "relay/flow_admission.h"
#include "relay/tcp_connection.h"
#include "relay/udp_session.h"

enum { SWEPT_PER_TURN = 256 };

/* Why the connection is to be closed, or REASON_NONE. */
static enum reason find_loss(const struct tcp_connection *connection)
{
	if (connection->state == TCP_CLOSED)
		return REASON_NONE;
	if (flow_is_blocked(connection->relay, &connection->client_endpoint))
		return REASON_BLOCKED;
	if (connection->target == NULL)
		return REASON_NONE;
	uint32_t state = atomic_load_explicit(&connection->target->state, memory_order_relaxed);
	if ((state & (SERVER_DOWN | SERVER_REMOVED)) == 0 || !pool_policy(connection->pool)->closes_tcp_on_down)
		return REASON_NONE;
	return state & SERVER_REMOVED ? REASON_DRAINED : REASON_SERVER_DOWN;
}

static void sweep_connection(struct tcp_connection *connection)
{
	enum reason loss = find_loss(connection);
	if (loss != REASON_NONE)
		tcp_connection_abort(connection, loss);
}

static bool is_blocked(const struct udp_session *session)
{
	return flow_is_blocked(session->relay, &session->client) || flow_is_blocked(session->relay, &session->peer);
}

/* Sessions of lost servers find out with their next datagram. */
static void sweep_session(struct udp_session *session)
{
	if (!session->is_ended && is_blocked(session))
		udp_session_end(session, REASON_BLOCKED);
}

void flow_sweep_begin(struct flow_sweep *sweep)
{
	*sweep = (struct flow_sweep){ .is_under_way = true, .protocol = FLOW_TCP };
}

bool flow_sweep_continue(struct flow_sweep *sweep, struct relay *relay)
{
	for (int i = 0; i < SWEPT_PER_TURN && sweep->is_under_way; i++) {
		bool is_tcp = sweep->protocol == FLOW_TCP;
		void *flow = slab_next(is_tcp ? &relay->connections : &relay->sessions, &sweep->index);
		if (flow != NULL && is_tcp)
			sweep_connection(flow);
		else if (flow != NULL)
			sweep_session(flow);
		else if (is_tcp)
			*sweep = (struct flow_sweep){ .is_under_way = true, .protocol = FLOW_UDP };
		else
			sweep->is_under_way = false;
		sweep->index += flow != NULL;
	}
	return sweep->is_under_way;
}
