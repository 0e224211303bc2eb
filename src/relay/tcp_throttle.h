/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of bandwidth of one TCP connection (throttle.h): what its sides' gates belong to. Taken from a slab when a
 * limit first applies to the connection, so that others stay as small as they are. The worker's thread.
 */
#ifndef RELAY_TCP_THROTTLE_H
#define RELAY_TCP_THROTTLE_H

#include "relay/tcp_connection.h"
#include "relay/throttle.h"

struct tcp_throttle {
	struct throttle throttle;
	struct tcp_connection *connection;
};

/* Gives an established connection its gates. */
void tcp_throttle_attach(struct tcp_connection *connection);

/* Nothing waits any more; for a connection that ends. */
void tcp_throttle_stop(struct tcp_connection *connection);
/* Gives back the memory. */
void tcp_throttle_detach(struct tcp_connection *connection);

/* Looks whether there is a limit by now. */
static inline void tcp_throttle_update(struct tcp_connection *connection)
{
	if (connection->client.gate == NULL && service_policy(connection->service)->bandwidth.is_limited)
		tcp_throttle_attach(connection);
}

static inline bool tcp_throttle_is_waiting(const struct tcp_connection *connection)
{
	return connection->client.gate != NULL && throttle_is_waiting(throttle_of(connection->client.gate));
}

#endif
