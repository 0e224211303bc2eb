/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the consistent algorithms have in common: a client's hash is a place in a fixed order of servers (the points of
 * a ring, the entries of a table), and the client gets the first server from there on that can take it. Each algorithm
 * prepares its own order; this walks it.
 *
 * A walk looks at WALK_MAX places at most and then at each server of the tier once, so it is bounded whatever the order
 * looks like and misses no server that can take the flow.
 *
 * With `load=` (consistent hashing with bounded loads; Mirrokni, Thorup and Zadimoghaddam 2016) a server is passed over
 * while its active flows >= ceil(load * (active flows of all + 1) * its weight / weight of all), and the next one in the
 * order gets the flow. "All" are the servers of the tier as the view has it: those that can be chosen. So with all flows
 * counted one of them is always below its bound. When it is full or was tried in vain, or when a server has just left the
 * view with many flows, it may be that none can be taken within the bounds: then they do not count, because a flow is
 * never refused for the sake of evenness.
 *
 * The flows of all are in a total of the pool (pool.h) that follows every flow's beginning and end; a sum over all servers
 * for each choice would read a cache line for each of them, lines that all workers write. The total is exact but for
 * flows that begin or end at this moment, so a bound may be off by one flow for each other worker, and the server's own
 * count is compared and taken in one step, so no race exceeds the bound.
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
