/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the consistent algorithms have in common: a client's hash is a place in a fixed order of servers (the points of
 * a ring, the entries of a table), and the client gets the first server from there on that can take it. Each algorithm
 * prepares its own order; this walks it.
 *
 * A walk looks at WALK_MAX places at most, and then at each server of the tier once, so it is bounded whatever the
 * order looks like and misses no server that can take the flow.
 *
 * The hash of a client is that of its IP address alone, without a secret: two instances of strait with the same pool
 * send a client to the same server. All clients of unix sockets are one client.
 *
 * Workers, inside their RCU read side.
 */
#ifndef BALANCE_HASH_ORDER_H
#define BALANCE_HASH_ORDER_H

#include "balance/balance.h"

struct hash_order {
	uint32_t count; /* of places; behind the last one comes the first */
	/* The server at a place, as an index into the tier. */
	uint32_t (*index_at)(const void *table, uint32_t place);
};

uint64_t hash_order_client(const struct endpoint *client);

/* Enters the first server at or behind the place that can take the flow. NULL when the tier has none. */
struct server *hash_order_enter(const struct hash_order *order, const struct balance_tier *tier,
				const struct balance_request *request, uint32_t place);

#endif
