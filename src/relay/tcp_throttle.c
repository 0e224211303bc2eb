/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_throttle.h"

#include "base/check.h"
#include "relay/relay.h"

static struct tcp_throttle *throttle_of_connection(const struct tcp_connection *connection)
{
	return LIST_OWNER(throttle_of(connection->client.gate), struct tcp_throttle, throttle);
}

static void on_open(struct throttle *throttle, enum flow_direction direction)
{
	(void)direction; /* the other one may have something, too */
	tcp_connection_drive(LIST_OWNER(throttle, struct tcp_throttle, throttle)->connection);
}

void tcp_throttle_attach(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct tcp_throttle *throttle = slab_take(&relay->tcp_throttles);
	CHECK(throttle != NULL); /* as many as connections */
	counter_add(&relay->tcp_throttles_active, 1);
	throttle_init(&throttle->throttle, relay, connection->service, FLOW_TCP, on_open);
	throttle->connection = connection;
	connection->client.gate = &throttle->throttle.gates[FLOW_IN];
	connection->server.gate = &throttle->throttle.gates[FLOW_OUT];
}

void tcp_throttle_stop(struct tcp_connection *connection)
{
	if (connection->client.gate != NULL)
		throttle_stop(throttle_of(connection->client.gate));
}

void tcp_throttle_detach(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	if (connection->client.gate == NULL)
		return;
	slab_give(&relay->tcp_throttles, throttle_of_connection(connection));
	counter_subtract(&relay->tcp_throttles_active, 1);
}
