/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow does not remember where it was counted. When it ends, the count of its source's own entry goes down, or, if
 * there is none or it is 0, that of the sketch. A source may have flows in both (it came while its set was full and came
 * again later), and then they may end in the other order: for a while a flow is counted in the wrong one of the two,
 * but every count taken is given back once, and with the last flow both are where they were.
 */
#include "guard/source_table.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/spin_lock.h"
#include "guard/source_sketch.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ENTRIES_PER_FLOW = 4 };

struct source_set {
	alignas(CACHE_LINE_BYTES) struct spin_lock lock;
	uint64_t keys[SOURCE_SET_WAYS]; /* keyed hashes of the sources; 0 = unused */
	struct source_account accounts[SOURCE_SET_WAYS];
};
static_assert(sizeof(struct source_set) == 256, "as many ways as fit into four cache lines");

struct source_table {
	uint64_t secret;
	uint64_t set_mask;
	struct source_prefixes prefixes;
	struct source_sketch *sketch;
	struct source_set *sets; /* in `memory`, from its first cache line on */
	void *memory;
	/* Written only while sets are full of sources with flows, or sources strain their rates. */
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t sketched_flows;
	_Atomic bool has_sketched;
};

static uint64_t set_count_for(uint64_t flows_expected)
{
	uint64_t count = SOURCE_SETS_MIN;
	while (count < SOURCE_SETS_MAX && count * SOURCE_SET_WAYS / ENTRIES_PER_FLOW < flows_expected)
		count *= 2;
	return count;
}

struct source_table *source_table_new(uint64_t flows_expected, struct source_prefixes prefixes)
{
	struct source_table *table = aligned_alloc_zeroed(alignof(struct source_table), sizeof(*table));
	uint64_t set_count = set_count_for(flows_expected);
	table->secret = random_secret();
	table->prefixes = prefixes;
	table->set_mask = set_count - 1;
	table->sketch = source_sketch_new(set_count > SOURCE_SKETCH_CELLS_MIN ? set_count : SOURCE_SKETCH_CELLS_MIN);
	/* Zeroed memory of this size comes from the kernel untouched and costs nothing until a source uses it. */
	table->memory = memory_alloc_zeroed(set_count + 1, sizeof(struct source_set));
	uintptr_t misplaced = (uintptr_t)table->memory % CACHE_LINE_BYTES;
	table->sets = (void *)((char *)table->memory + (misplaced > 0 ? CACHE_LINE_BYTES - misplaced : 0));
	return table;
}

void source_table_free(struct source_table **table)
{
	if (*table == NULL)
		return;
	source_sketch_free(&(*table)->sketch);
	free((*table)->memory);
	free(*table);
	*table = NULL;
}

struct source_prefixes source_table_prefixes(const struct source_table *table)
{
	return table->prefixes;
}

size_t source_table_bytes(const struct source_table *table)
{
	return (table->set_mask + 2) * sizeof(struct source_set) + source_sketch_bytes(table->sketch);
}

/* Sources are told apart by 64 bits of a keyed hash: that two of a million meet has a chance of one in 36 million. */
static uint64_t source_key(const struct source_table *table, const struct endpoint *client)
{
	struct network source = source_from_endpoint(client, table->prefixes);
	uint64_t hash = source_hash(&source, table->secret);
	return hash != 0 ? hash : 1;
}

static struct source_set *set_lock(struct source_table *table, uint64_t key)
{
	struct source_set *set = &table->sets[key & table->set_mask];
	spin_lock_take(&set->lock);
	return set;
}

static void set_unlock(struct source_set *set)
{
	spin_lock_give(&set->lock);
}

static struct source_account *set_find(struct source_set *set, uint64_t key)
{
	for (int i = 0; i < SOURCE_SET_WAYS; i++) {
		if (set->keys[i] == key)
			return &set->accounts[i];
	}
	return NULL;
}

/* An arrival time in the past says nothing; the further ahead it is, the more a limit is being strained. */
static uint64_t account_weight(const struct source_account *account)
{
	return account->flow_arrival_ns > account->packet_arrival_ns ? account->flow_arrival_ns
								     : account->packet_arrival_ns;
}

/* The place a newcomer gets: of the sources without flows that whose account says least; -1 when all have flows. */
static int set_choose(const struct source_set *set)
{
	int chosen = -1;
	for (int i = 0; i < SOURCE_SET_WAYS; i++) {
		if (set->accounts[i].active == 0 &&
		    (chosen < 0 || account_weight(&set->accounts[i]) < account_weight(&set->accounts[chosen])))
			chosen = i;
	}
	return chosen;
}

static void remember(struct source_table *table, uint64_t key, const struct source_account *account)
{
	source_sketch_remember(table->sketch, key, account);
	atomic_store_explicit(&table->has_sketched, true, memory_order_relaxed);
}

/* What is known of a source that has no entry. */
static struct source_account recall(const struct source_table *table, uint64_t key)
{
	if (!atomic_load_explicit(&table->has_sketched, memory_order_relaxed))
		return (struct source_account){ 0 };
	return source_sketch_read(table->sketch, key);
}

/* How many flows of the source the sketch holds, for sure not fewer than there are. */
static uint32_t sketched_flows(const struct source_table *table, uint64_t key)
{
	if (atomic_load_explicit(&table->sketched_flows, memory_order_relaxed) == 0)
		return 0;
	return source_sketch_read(table->sketch, key).active;
}

/* Judges a new flow of a source that has so many. Moves the account on when it passes. */
static enum reason judge(const struct source_limits *limits, struct source_account *account, uint32_t flows,
			 uint64_t now_ns)
{
	if (limits->flows_max != 0 && flows >= limits->flows_max)
		return REASON_LIMIT_PER_SOURCE;
	if (!rate_take(&limits->rate, &account->flow_arrival_ns, now_ns))
		return REASON_LIMIT_RATE;
	return REASON_NONE;
}

/* Gives the newcomer, whose first flow was judged, a place in the set or else in the sketch. */
static void place(struct source_table *table, struct source_set *set, uint64_t key, struct source_account account,
		  uint64_t now_ns)
{
	int chosen = set_choose(set);
	if (chosen < 0) {
		remember(table, key, &account);
		source_sketch_enter(table->sketch, key);
		atomic_fetch_add_explicit(&table->sketched_flows, 1, memory_order_relaxed);
		return;
	}
	if (set->keys[chosen] != 0 && account_weight(&set->accounts[chosen]) > now_ns)
		remember(table, set->keys[chosen], &set->accounts[chosen]);
	set->keys[chosen] = key;
	set->accounts[chosen] = account;
	set->accounts[chosen].active = 1;
}

enum reason source_table_enter(struct source_table *table, const struct source_limits *limits,
			       const struct endpoint *client, uint64_t now_ns)
{
	uint64_t key = source_key(table, client);
	struct source_set *set = set_lock(table, key);
	struct source_account *known = set_find(set, key);
	enum reason reason;
	if (known != NULL) {
		reason = judge(limits, known, known->active + sketched_flows(table, key), now_ns);
		known->active += reason == REASON_NONE;
	} else {
		struct source_account account = recall(table, key);
		reason = judge(limits, &account, sketched_flows(table, key), now_ns);
		if (reason == REASON_NONE)
			place(table, set, key, account, now_ns);
	}
	set_unlock(set);
	return reason;
}

/* Takes back one flow of the source, which has at least one. Returns its own entry if the flow was counted there. */
static struct source_account *take_back(struct source_table *table, struct source_set *set, uint64_t key)
{
	struct source_account *account = set_find(set, key);
	if (account != NULL && account->active > 0) {
		account->active--;
		return account;
	}
	source_sketch_leave(table->sketch, key);
	atomic_fetch_sub_explicit(&table->sketched_flows, 1, memory_order_relaxed);
	return NULL;
}

void source_table_leave(struct source_table *table, const struct endpoint *client)
{
	uint64_t key = source_key(table, client);
	struct source_set *set = set_lock(table, key);
	take_back(table, set, key);
	set_unlock(set);
}

void source_table_withdraw(struct source_table *table, const struct source_limits *limits,
			   const struct endpoint *client)
{
	uint64_t key = source_key(table, client);
	struct source_set *set = set_lock(table, key);
	struct source_account *account = take_back(table, set, key);
	/* In the sketch the time stays: others may have raised it since. */
	if (account != NULL)
		account->flow_arrival_ns -= limits->rate.interval_ns;
	set_unlock(set);
}

uint32_t source_table_take_packets(struct source_table *table, const struct source_limits *limits,
				   const struct endpoint *client, uint64_t now_ns, uint32_t count)
{
	uint64_t key = source_key(table, client);
	struct source_set *set = set_lock(table, key);
	struct source_account *known = set_find(set, key);
	struct source_account recalled = { 0 };
	if (known == NULL)
		recalled = recall(table, key);
	struct source_account *account = known != NULL ? known : &recalled;
	uint32_t passing = rate_take_many(&limits->packet_rate, &account->packet_arrival_ns, now_ns, count);
	if (known == NULL && passing > 0)
		remember(table, key, account);
	set_unlock(set);
	return passing;
}
