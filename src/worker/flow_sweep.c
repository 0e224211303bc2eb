/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flow_sweep.h"

#include "relay/flow_admission.h"
#include "relay/flow_loss.h"
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
	return flow_loss_of_connection(connection->target);
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
	*sweep = (struct flow_sweep){ .is_under_way = true };
}

/* Flows that live in the kernel only find out when they are looked at (relay/bare_flow.h). */
bool flow_sweep_continue(struct flow_sweep *sweep, struct relay *relay)
{
	struct flow_met flow;
	for (int i = 0; i < SWEPT_PER_TURN && sweep->is_under_way; i++) {
		sweep->is_under_way = flow_walk_next(&sweep->walk, relay, &flow) && flow.bare == NULL;
		if (!sweep->is_under_way)
			break;
		if (flow.connection != NULL)
			sweep_connection(flow.connection);
		else
			sweep_session(flow.session);
	}
	return sweep->is_under_way;
}
