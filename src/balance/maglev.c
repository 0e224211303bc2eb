/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/maglev.h"

#include "balance/algorithms.h"
#include "balance/hash_order.h"
#include "balance/order.h"
#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	ENTRY_FREE = UINT16_MAX,
	/* The key of a turn is its time in units of 2^-30, and the server's rank in its last bits. */
	TIME_BITS = 30,
	RANK_BITS = 16,
};
static_assert((int)POOL_MAGLEV_SERVERS_MAX == (int)ENTRY_FREE, "every index is different from that of a free entry");

/* A server while the table is filled. */
struct contender {
	XXH128_hash_t hash;
	const char *name;
	uint64_t weight;
	uint64_t turn; /* number of its next one */
	uint32_t next; /* entry of its permutation that it looks at next */
	uint32_t skip; /* from one entry of the permutation to the one behind it */
	uint16_t index;
};

static int contender_compare(const void *left, const void *right)
{
	const struct contender *a = left;
	const struct contender *b = right;
	int order = XXH128_cmp(&a->hash, &b->hash);
	return order != 0 ? order : strcmp(a->name, b->name);
}

static void contender_init(struct contender *contender, const struct balance_tier *tier, uint32_t index)
{
	const char *name = tier->servers[index]->name;
	XXH128_hash_t hash = XXH3_128bits(name, strlen(name));
	*contender = (struct contender){
		.hash = hash,
		.name = name,
		.weight = tier->weights[index],
		.next = (uint32_t)(hash.low64 % MAGLEV_ENTRIES),
		.skip = (uint32_t)(hash.high64 % (MAGLEV_ENTRIES - 1)) + 1,
		.index = (uint16_t)index,
	};
}

/*
 * The times of two turns differ by at least 1 / (w1 * w2) or not at all. Weights are below 2^15 (1000 by 20 steps of a
 * slow start), so the part kept of a time tells all apart; and no number is above 2 * 65537 + 1, so a time has 48 bits.
 */
static uint64_t turn_key(const struct contender *contender, uint32_t rank)
{
	uint64_t turn = contender->turn;
	uint64_t time = turn > 0 ? ((2 * turn + 1) << TIME_BITS) / contender->weight : 0;
	return time << RANK_BITS | rank;
}

/* Puts another key in the place of the first of a heap, the lowest. */
static void heap_replace_first(uint64_t *heap, uint32_t count, uint64_t key)
{
	uint32_t place = 0;
	for (uint32_t child = 1; child < count; child = 2 * place + 1) {
		if (child + 1 < count)
			child += heap[child + 1] < heap[child];
		if (heap[child] >= key)
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = key;
}

static void take_entry(struct maglev_table *table, struct contender *contender)
{
	uint32_t entry = contender->next;
	while (table->servers[entry] != ENTRY_FREE) {
		entry += contender->skip;
		if (entry >= MAGLEV_ENTRIES)
			entry -= MAGLEV_ENTRIES;
	}
	table->servers[entry] = contender->index;
	contender->next = entry;
}

/* contenders: by rank. */
static void fill_in_turns(struct maglev_table *table, struct contender *contenders, uint32_t count)
{
	uint64_t *heap = memory_alloc_zeroed(count, sizeof(*heap));
	for (uint32_t rank = 0; rank < count; rank++)
		heap[rank] = turn_key(&contenders[rank], rank); /* in order, so a heap already */
	for (uint32_t taken = 0; taken < MAGLEV_ENTRIES; taken++) {
		uint32_t rank = (uint32_t)(heap[0] & ((1 << RANK_BITS) - 1));
		struct contender *contender = &contenders[rank];
		take_entry(table, contender);
		contender->turn++;
		heap_replace_first(heap, count, turn_key(contender, rank));
	}
	free(heap);
}

void maglev_fill(struct maglev_table *table, const struct balance_tier *tier)
{
	uint32_t count = tier->count < POOL_MAGLEV_SERVERS_MAX ? tier->count : POOL_MAGLEV_SERVERS_MAX;
	struct contender *contenders = memory_alloc_zeroed(count, sizeof(*contenders));
	for (uint32_t i = 0; i < count; i++)
		contender_init(&contenders[i], tier, i);
	qsort(contenders, count, sizeof(*contenders), contender_compare);
	memset(table->servers, 0xff, sizeof(table->servers));
	fill_in_turns(table, contenders, count);
	free(contenders);
}

static void *maglev_build(const struct balance_tier *tier)
{
	struct maglev_table *table = memory_alloc(sizeof(*table));
	maglev_fill(table, tier);
	return table;
}

static uint32_t index_at(const void *table, uint32_t place)
{
	return ((const struct maglev_table *)table)->servers[place];
}

static struct server *maglev_enter(struct pool *pool, const struct balance_tier *tier,
				   const struct balance_request *request)
{
	(void)pool;
	static const struct hash_order order = { MAGLEV_ENTRIES, index_at };
	return hash_order_enter(&order, tier, request, (uint32_t)(hash_order_client(request->client) % MAGLEV_ENTRIES));
}

static void maglev_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	(void)turn;
	balance_order_init(ret_order, BALANCE_MAGLEV, MAGLEV_ENTRIES);
	for (uint32_t i = 0; i < MAGLEV_ENTRIES; i++)
		ret_order->entries[i] = index_at(tier->table, i);
}

const struct balancer maglev_balancer = { maglev_build, free, maglev_enter, maglev_write };
