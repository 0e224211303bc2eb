/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/hash_order.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { WALK_MAX = 128 };

#define CLIENT_SEED UINT64_C(0x7374726169740001)

uint64_t hash_order_client(const struct endpoint *client)
{
	return XXH3_64bits_withSeed(client->ip, sizeof(client->ip), CLIENT_SEED);
}

struct walk {
	const struct hash_order *order;
	const struct balance_tier *tier;
	const struct balance_request *request;
	uint64_t flows_allowed; /* by all servers together, in percent of a flow; 0 = no bound */
};

static struct server *try_index(const struct walk *walk, uint32_t index)
{
	const struct balance_tier *tier = walk->tier;
	uint32_t flows_max = UINT32_MAX;
	if (walk->flows_allowed > 0) {
		uint64_t whole = tier->weight_sum * 100;
		uint64_t share = (walk->flows_allowed * tier->weights[index] + whole - 1) / whole;
		flows_max = share < UINT32_MAX ? (uint32_t)share : UINT32_MAX;
	}
	return balance_try_below(tier->servers[index], walk->request, flows_max) ? tier->servers[index] : NULL;
}

static struct server *walk_from(const struct walk *walk, uint32_t place)
{
	const struct hash_order *order = walk->order;
	uint32_t walk_max = order->count < WALK_MAX ? order->count : WALK_MAX;
	struct server *server = NULL;
	for (uint32_t n = 0, at = place; n < walk_max && server == NULL; n++) {
		server = try_index(walk, order->index_at(walk->tier->table, at));
		at = at + 1 < order->count ? at + 1 : 0;
	}
	uint32_t index = place % walk->tier->count;
	for (uint32_t n = 0; n < walk->tier->count && server == NULL; n++) {
		server = try_index(walk, index);
		index = index + 1 < walk->tier->count ? index + 1 : 0;
	}
	return server;
}

static uint64_t flows_allowed(const struct balance_tier *tier)
{
	int64_t active = atomic_load_explicit(&tier->total->active, memory_order_relaxed);
	return tier->load_percent * ((active > 0 ? (uint64_t)active : 0) + 1);
}

struct server *hash_order_enter(const struct hash_order *order, const struct balance_tier *tier,
				const struct balance_request *request, uint32_t place)
{
	struct walk walk = { .order = order, .tier = tier, .request = request };
	if (tier->load_percent > 0) {
		walk.flows_allowed = flows_allowed(tier);
		struct server *server = walk_from(&walk, place);
		if (server != NULL)
			return server;
	}
	walk.flows_allowed = 0;
	return walk_from(&walk, place);
}
