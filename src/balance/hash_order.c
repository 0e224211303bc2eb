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

struct server *hash_order_enter(const struct hash_order *order, const struct balance_tier *tier,
				const struct balance_request *request, uint32_t place)
{
	uint32_t walk_max = order->count < WALK_MAX ? order->count : WALK_MAX;
	for (uint32_t n = 0, at = place; n < walk_max; n++) {
		struct server *server = tier->servers[order->index_at(tier->table, at)];
		if (balance_try(server, request))
			return server;
		at = at + 1 < order->count ? at + 1 : 0;
	}
	return balance_scan(tier, request, place % tier->count);
}
