/* SPDX-License-Identifier: Apache-2.0 */
/* The index of flows, as both user space and the program have it. */
#include "bpf/flow_index.h"

#include "base/memory.h"
#include "base/random.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEED = 12345 };

static struct flow_index make_index(uint32_t buckets, uint32_t slots)
{
	return (struct flow_index){
		.shape = { .seed = SEED, .mask = buckets - 1 },
		.buckets = memory_alloc_zeroed(buckets, sizeof(struct flow_bucket)),
		.slots = memory_alloc_zeroed(slots, sizeof(struct flow_slot)),
	};
}

static void free_index(struct flow_index *index)
{
	free(index->buckets);
	free(index->slots);
}

/* A slot whose client is known by a number. */
static void fill_slot(struct flow_slot *slot, uint32_t client, uint8_t version)
{
	struct flow_side *to_server = &slot->sides[FLOW_TO_SERVER], *to_client = &slot->sides[FLOW_TO_CLIENT];
	slot->version = version;
	slot->protocol = IPPROTO_TCP;
	memcpy(to_client->dest, &client, sizeof(client));
	if (version == 6)
		memcpy(to_client->dest + 12, &client, sizeof(client));
	to_client->source[0] = 10;
	to_client->dest_port_be16 = htons(40000);
	to_client->source_port_be16 = htons(80);
	to_server->source[0] = 10;
	to_server->dest[0] = 11;
	to_server->source_port_be16 = htons((uint16_t)client);
	to_server->dest_port_be16 = htons((uint16_t)(client >> 16));
}

static struct flow_key key_of(const struct flow_index *index, uint32_t slot, enum flow_way way)
{
	struct flow_key key;
	flow_slot_key(&index->slots[slot], way, &key);
	return key;
}

static enum flow_index_result add(const struct flow_index *index, uint32_t slot, enum flow_way way)
{
	struct flow_key key = key_of(index, slot, way);
	return flow_index_add(index, &key, flow_entry(slot, way));
}

static bool take_away(const struct flow_index *index, uint32_t slot, enum flow_way way)
{
	struct flow_key key = key_of(index, slot, way);
	return flow_index_remove(index, &key, flow_entry(slot, way));
}

/* Does the key lead to that slot, and that way? */
static bool is_there(const struct flow_index *index, uint32_t slot, enum flow_way way)
{
	struct flow_key key = key_of(index, slot, way);
	uint32_t entry = flow_index_find(index, &key);
	return entry != 0 && flow_entry_number(entry) == slot && flow_entry_way(entry) == way;
}

static void assert_empty(const struct flow_index *index)
{
	for (uint64_t i = 0; i <= index->shape.mask; i++) {
		for (int j = 0; j < FLOW_BUCKET_ENTRIES; j++)
			assert_int_equal(index->buckets[i].entries[j], 0);
		assert_int_equal(index->buckets[i].spilled, 0);
	}
}

static void both_ways_are_found(void **state)
{
	(void)state;
	struct flow_index index = make_index(64, 4);
	for (uint32_t i = 0; i < 4; i++)
		fill_slot(&index.slots[i], 7 + i / 2, i % 2 == 0 ? 4 : 6);
	for (uint32_t i = 0; i < 4; i++) {
		assert_false(is_there(&index, i, FLOW_TO_SERVER));
		assert_int_equal(add(&index, i, FLOW_TO_SERVER), FLOW_INDEX_ADDED);
		assert_int_equal(add(&index, i, FLOW_TO_CLIENT), FLOW_INDEX_ADDED);
	}
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(is_there(&index, i, FLOW_TO_SERVER));
		assert_true(is_there(&index, i, FLOW_TO_CLIENT));
	}
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(take_away(&index, i, FLOW_TO_SERVER));
		assert_false(take_away(&index, i, FLOW_TO_SERVER));
		assert_false(is_there(&index, i, FLOW_TO_SERVER));
		assert_true(is_there(&index, i, FLOW_TO_CLIENT));
		assert_true(take_away(&index, i, FLOW_TO_CLIENT));
	}
	assert_empty(&index);
	free_index(&index);
}

/* Every part of a key tells flows apart, also from one whose hash is the same. */
static void every_part_of_a_key_counts(void **state)
{
	(void)state;
	struct flow_index index = make_index(2, 1);
	fill_slot(&index.slots[0], 7, 6);
	struct flow_key key = key_of(&index, 0, FLOW_TO_SERVER);
	uint64_t hash = flow_index_hash(&index, &key);
	assert_int_equal(add(&index, 0, FLOW_TO_SERVER), FLOW_INDEX_ADDED);
	for (size_t i = 0; i < offsetof(struct flow_key, zero); i++) {
		struct flow_key other = key;
		((uint8_t *)&other)[i] ^= 1;
		assert_int_not_equal(flow_index_hash(&index, &other), hash);
		assert_int_equal(flow_index_find_besides(&index, &other, hash, 0), 0);
	}
	assert_int_not_equal(flow_index_find_besides(&index, &key, hash, 0), 0);
	free_index(&index);
}

static void a_key_can_lead_elsewhere(void **state)
{
	(void)state;
	struct flow_index index = make_index(2, 2);
	fill_slot(&index.slots[0], 7, 4);
	fill_slot(&index.slots[1], 7, 4);
	struct flow_key key = key_of(&index, 0, FLOW_TO_SERVER);
	assert_int_equal(add(&index, 0, FLOW_TO_SERVER), FLOW_INDEX_ADDED);
	assert_int_equal(add(&index, 1, FLOW_TO_SERVER), FLOW_INDEX_EXISTS);
	assert_true(is_there(&index, 0, FLOW_TO_SERVER));
	assert_true(flow_index_change(&index, &key, flow_entry(0, FLOW_TO_SERVER), flow_entry(1, FLOW_TO_SERVER)));
	assert_true(is_there(&index, 1, FLOW_TO_SERVER));
	assert_false(flow_index_change(&index, &key, flow_entry(0, FLOW_TO_SERVER), flow_entry(1, FLOW_TO_SERVER)));
	assert_false(take_away(&index, 0, FLOW_TO_SERVER));
	assert_true(take_away(&index, 1, FLOW_TO_SERVER));
	assert_empty(&index);
	free_index(&index);
}

/* What finds no room leaves nothing behind, and everything else is found. */
static void a_full_index_refuses(void **state)
{
	(void)state;
	enum { SLOTS = 300, BUCKETS = 4 };
	struct flow_index index = make_index(BUCKETS, SLOTS);
	bool is_in[SLOTS];
	uint32_t count = 0;
	for (uint32_t i = 0; i < SLOTS; i++) {
		fill_slot(&index.slots[i], i, 4);
		is_in[i] = add(&index, i, FLOW_TO_SERVER) == FLOW_INDEX_ADDED;
		count += is_in[i];
	}
	assert_int_equal(count, BUCKETS * FLOW_BUCKET_ENTRIES);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(is_there(&index, i, FLOW_TO_SERVER), is_in[i]);
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(take_away(&index, i, FLOW_TO_SERVER), is_in[i]);
	assert_empty(&index);
	free_index(&index);
}

/* With as many buckets as there are for so many keys almost all find room. */
static void a_full_table_of_flows_has_room(void **state)
{
	(void)state;
	enum { SLOTS = 1 << 16 };
	uint32_t buckets = flow_index_buckets(2 * SLOTS), refused = 0;
	assert_in_range(2 * SLOTS * 100 / (buckets * FLOW_BUCKET_ENTRIES), 25, 50);
	struct flow_index index = make_index(buckets, SLOTS);
	for (uint32_t i = 0; i < SLOTS; i++) {
		fill_slot(&index.slots[i], i * 7, i % 2 == 0 ? 4 : 6);
		refused += add(&index, i, FLOW_TO_SERVER) != FLOW_INDEX_ADDED;
		refused += add(&index, i, FLOW_TO_CLIENT) != FLOW_INDEX_ADDED;
	}
	assert_in_range(refused, 0, 2 * SLOTS / 2000);
	free_index(&index);
}

/* Random steps, and what is found afterwards is what a plain list of them says. */
static void many_steps_are_as_in_a_list(void **state)
{
	(void)state;
	enum { SLOTS = 100, STEPS = 200000 };
	struct flow_index index = make_index(4, SLOTS);
	struct random random;
	bool is_in[SLOTS] = { false };
	random_init_seed(&random, 1);
	for (uint32_t i = 0; i < SLOTS; i++)
		fill_slot(&index.slots[i], i, 4);
	for (int step = 0; step < STEPS; step++) {
		uint32_t i = random_below(&random, SLOTS);
		assert_int_equal(is_there(&index, i, FLOW_TO_SERVER), is_in[i]);
		if (is_in[i])
			assert_true(take_away(&index, i, FLOW_TO_SERVER));
		is_in[i] = !is_in[i] && add(&index, i, FLOW_TO_SERVER) == FLOW_INDEX_ADDED;
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		assert_int_equal(take_away(&index, i, FLOW_TO_SERVER), is_in[i]);
	assert_empty(&index);
	free_index(&index);
}

/* --- several at a time ------------------------------------------------------------------------------------------- */

enum { THREADS = 4, KEYS = 40, ROUNDS = 30000 };

struct worker {
	const struct flow_index *index;
	uint32_t number;
	_Atomic uint32_t *owners; /* of each key: how many say that they have it */
	uint32_t doubles;         /* keys that somebody else had as well */
	uint32_t lost;
};

/* The slots of a worker have the same keys as those of the others. */
static void *add_and_remove(void *argument)
{
	struct worker *worker = argument;
	struct random random;
	random_init_seed(&random, worker->number);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t key_number = random_below(&random, KEYS);
		uint32_t slot = 1 + worker->number * KEYS + key_number;
		struct flow_key key = key_of(worker->index, slot, FLOW_TO_SERVER);
		if (flow_index_find(worker->index, &key) != 0 ||
		    flow_index_add(worker->index, &key, flow_entry(slot, FLOW_TO_SERVER)) != FLOW_INDEX_ADDED)
			continue;
		worker->doubles += atomic_fetch_add(&worker->owners[key_number], 1) != 0;
		worker->lost += flow_index_find(worker->index, &key) == 0;
		atomic_fetch_sub(&worker->owners[key_number], 1);
		worker->lost += !flow_index_remove(worker->index, &key, flow_entry(slot, FLOW_TO_SERVER));
	}
	return NULL;
}

/* Never has a key two owners, and one that stays is always found. */
static void a_key_has_one_owner(void **state)
{
	(void)state;
	struct flow_index index = make_index(2, 1 + THREADS * KEYS);
	_Atomic uint32_t owners[KEYS] = { 0 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	fill_slot(&index.slots[0], 1000, 4);
	for (uint32_t i = 0; i < THREADS * KEYS; i++)
		fill_slot(&index.slots[1 + i], i % KEYS, 4);
	assert_int_equal(add(&index, 0, FLOW_TO_SERVER), FLOW_INDEX_ADDED);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .index = &index, .number = i, .owners = owners };
		assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, &workers[i]), 0);
	}
	for (int i = 0; i < ROUNDS; i++)
		assert_true(is_there(&index, 0, FLOW_TO_SERVER));
	for (uint32_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].doubles, 0);
		assert_int_equal(workers[i].lost, 0);
	}
	assert_true(take_away(&index, 0, FLOW_TO_SERVER));
	assert_empty(&index);
	free_index(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_are_found),
		cmocka_unit_test(every_part_of_a_key_counts),
		cmocka_unit_test(a_key_can_lead_elsewhere),
		cmocka_unit_test(a_full_index_refuses),
		cmocka_unit_test(a_full_table_of_flows_has_room),
		cmocka_unit_test(many_steps_are_as_in_a_list),
		cmocka_unit_test(a_key_has_one_owner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
