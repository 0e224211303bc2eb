/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/block_list.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/random.h"
#include "stats/source.h"

#include <errno.h>
#include <stdlib.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

enum {
	BUCKETS = 16384, /* never resized: a chain is 16 long when the list is full */
	IPV4_OFFSET_BITS = 96,
};

/* Prefix lengths in use, of one family; those with a bit are worth a probe. */
struct lengths {
	uint32_t counts[NETWORK_PREFIX_MAX + 1];
	_Atomic uint64_t bits[3];
};
static_assert(NETWORK_PREFIX_MAX < 3 * 64, "a bit for each length");

/* A block in the table; block_list_add makes it. */
struct entry {
	struct cds_lfht_node node;
	struct rcu_head rcu;
	struct block *block;
};

struct block_list {
	struct cds_lfht *table;
	uint64_t secret;
	_Atomic size_t count;
	struct lengths ipv4;
	struct lengths ipv6;
	struct lengths unix_sockets;
};

struct block_list *block_list_new(void)
{
	struct block_list *list = memory_alloc_zeroed(1, sizeof(*list));
	list->secret = random_secret();
	list->table = cds_lfht_new(BUCKETS, BUCKETS, BUCKETS, 0, NULL);
	CHECK(list->table != NULL);
	return list;
}

void block_list_free(struct block_list **list)
{
	if (*list == NULL)
		return;
	rcu_barrier();
	int result = cds_lfht_destroy((*list)->table, NULL);
	CHECK(result == 0);
	free(*list);
	*list = NULL;
}

static const struct lengths *lengths_of(const struct block_list *list, uint8_t family)
{
	return family == AF_INET ? &list->ipv4 : family == AF_INET6 ? &list->ipv6 : &list->unix_sockets;
}

static void lengths_change(struct block_list *list, const struct network *network, int change)
{
	struct lengths *lengths = (struct lengths *)lengths_of(list, network->family);
	uint8_t bits = network->prefix_bits;
	lengths->counts[bits] += (uint32_t)change;
	if (lengths->counts[bits] > 0)
		atomic_fetch_or(&lengths->bits[bits / 64], UINT64_C(1) << bits % 64);
	else
		atomic_fetch_and(&lengths->bits[bits / 64], ~(UINT64_C(1) << bits % 64));
}

static int entry_has_network(struct cds_lfht_node *node, const void *network)
{
	const struct entry *entry = caa_container_of(node, struct entry, node);
	return source_equal(&entry->block->network, network);
}

static struct entry *look_up(const struct block_list *list, const struct network *network)
{
	struct cds_lfht_iter iter;
	cds_lfht_lookup(list->table, source_hash(network, list->secret), entry_has_network, network, &iter);
	struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
	return node != NULL ? caa_container_of(node, struct entry, node) : NULL;
}

int block_list_add(struct block_list *list, struct block *block)
{
	if (look_up(list, &block->network) != NULL)
		return -EEXIST;
	if (block_list_count(list) >= BLOCKS_MAX)
		return -ENOSPC;
	struct entry *entry = memory_alloc_zeroed(1, sizeof(*entry));
	cds_lfht_node_init(&entry->node);
	entry->block = block;
	cds_lfht_add(list->table, source_hash(&block->network, list->secret), &entry->node);
	lengths_change(list, &block->network, 1);
	atomic_fetch_add_explicit(&list->count, 1, memory_order_relaxed);
	return 0;
}

struct block *block_list_get(const struct block_list *list, const struct network *network)
{
	const struct entry *entry = look_up(list, network);
	return entry != NULL ? entry->block : NULL;
}

static void entry_free_replaced(struct rcu_head *rcu)
{
	free(caa_container_of(rcu, struct entry, rcu));
}

void block_list_remove(struct block_list *list, struct block *block)
{
	struct entry *entry = look_up(list, &block->network);
	CHECK(entry != NULL && entry->block == block);
	cds_lfht_del(list->table, &entry->node);
	lengths_change(list, &block->network, -1);
	atomic_fetch_sub_explicit(&list->count, 1, memory_order_relaxed);
	call_rcu(&entry->rcu, entry_free_replaced);
}

size_t block_list_count(const struct block_list *list)
{
	return atomic_load_explicit(&list->count, memory_order_relaxed);
}

/* The client's network of so many bits (of the 128-bit form). */
static struct network network_of(const struct endpoint *client, uint8_t prefix_bits)
{
	struct source_prefixes prefixes = { .ipv4_bits = (uint8_t)(prefix_bits - IPV4_OFFSET_BITS),
					    .ipv6_bits = prefix_bits };
	return source_from_endpoint(client, prefixes);
}

struct block *block_list_find(const struct block_list *list, const struct endpoint *client)
{
	if (block_list_count(list) == 0)
		return NULL;
	const struct lengths *lengths = lengths_of(list, client->family);
	for (int word = 2; word >= 0; word--) {
		uint64_t bits = atomic_load_explicit(&lengths->bits[word], memory_order_relaxed);
		while (bits != 0) {
			int highest = 63 - __builtin_clzll(bits);
			struct network network = network_of(client, (uint8_t)(word * 64 + highest));
			const struct entry *entry = look_up(list, &network);
			if (entry != NULL)
				return entry->block;
			bits &= ~(UINT64_C(1) << highest);
		}
	}
	return NULL;
}
