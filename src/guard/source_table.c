/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow does not remember where it was counted. When it ends, the count of its source's own entry goes down, or, if
 * there is none or it is 0, that of the set's shared entry. A source may have flows in both (it came while its set was
 * full and came again later), and then they may end in the other order: for a while a flow is counted in the
 * wrong one of the two, but every count taken is given back once, and with the last flow both are where they were.
 */
#include "guard/source_table.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/random.h"
#include "stats/counters.h"

#include <endian.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	ENTRIES_PER_FLOW = 4,
	SPINS_BEFORE_YIELD = 64, /* the holder of the lock may have lost its CPU */
};

/*
 * Keys fit into 64 bits: an IPv6 source is its /64, and IPv4 and unix sources lie in ff00::/8, which is multicast and
 * never a source. 0 marks an unused entry.
 */
#define KEY_IPV4      0xffff000000000000u
#define KEY_UNIX      0xffff000100000000u
#define KEY_IPV6_ZERO 0xffff000200000000u /* ::/64, where ::1 lives */

struct account {
	uint64_t arrival_ns; /* see rate.h */
	uint32_t active;
};

struct source_set {
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t is_locked;
	struct account shared; /* of newcomers, while all entries have flows */
	uint64_t keys[SOURCE_SET_WAYS];
	struct account accounts[SOURCE_SET_WAYS];
};
static_assert(sizeof(struct source_set) == 256, "as many ways as fit into four cache lines");

struct source_table {
	uint64_t secret;
	uint64_t set_mask;
	struct source_set *sets; /* in `memory`, from its first cache line on */
	void *memory;
};

static uint64_t set_count_for(uint64_t flows_expected)
{
	uint64_t count = SOURCE_SETS_MIN;
	while (count < SOURCE_SETS_MAX && count * SOURCE_SET_WAYS / ENTRIES_PER_FLOW < flows_expected)
		count *= 2;
	return count;
}

struct source_table *source_table_new(uint64_t flows_expected)
{
	struct source_table *table = memory_alloc_zeroed(1, sizeof(*table));
	uint64_t set_count = set_count_for(flows_expected);
	table->secret = random_secret();
	table->set_mask = set_count - 1;
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
	free((*table)->memory);
	free(*table);
	*table = NULL;
}

size_t source_table_bytes(const struct source_table *table)
{
	return (table->set_mask + 2) * sizeof(struct source_set);
}

static uint64_t source_key(const struct endpoint *client)
{
	uint64_t prefix;
	uint32_t ipv4;
	switch (client->family) {
	case AF_INET:
		memcpy(&ipv4, client->ip + 12, sizeof(ipv4));
		return KEY_IPV4 | be32toh(ipv4);
	case AF_INET6:
		memcpy(&prefix, client->ip, sizeof(prefix));
		return prefix != 0 ? be64toh(prefix) : KEY_IPV6_ZERO;
	default:
		return KEY_UNIX;
	}
}

static struct source_set *set_lock(struct source_table *table, uint64_t key)
{
	uint64_t hash = XXH3_64bits_withSeed(&key, sizeof(key), table->secret);
	struct source_set *set = &table->sets[hash & table->set_mask];
	unsigned int spins = 0;
	while (atomic_exchange_explicit(&set->is_locked, 1, memory_order_acquire) != 0) {
		if (++spins % SPINS_BEFORE_YIELD == 0)
			sched_yield();
	}
	return set;
}

static void set_unlock(struct source_set *set)
{
	atomic_store_explicit(&set->is_locked, 0, memory_order_release);
}

static struct account *set_find(struct source_set *set, uint64_t key)
{
	for (int i = 0; i < SOURCE_SET_WAYS; i++) {
		if (set->keys[i] == key)
			return &set->accounts[i];
	}
	return NULL;
}

/*
 * The entry a newcomer gets: of those without flows the one with the earliest arrival time, which for an unused entry
 * is 0. An arrival time in the past says nothing; the further ahead it is, the more a limit is being strained.
 */
static struct account *set_add(struct source_set *set, uint64_t key)
{
	int chosen = -1;
	for (int i = 0; i < SOURCE_SET_WAYS; i++) {
		if (set->accounts[i].active > 0)
			continue;
		if (chosen < 0 || set->accounts[i].arrival_ns < set->accounts[chosen].arrival_ns)
			chosen = i;
	}
	if (chosen < 0)
		return &set->shared;
	set->keys[chosen] = key;
	set->accounts[chosen] = (struct account){ 0, 0 };
	return &set->accounts[chosen];
}

/* Where a flow of this source, which has at least one, is counted; see above. */
static struct account *set_find_active(struct source_set *set, uint64_t key)
{
	struct account *account = set_find(set, key);
	if (account == NULL || account->active == 0)
		account = &set->shared;
	CHECK(account->active > 0);
	return account;
}

static enum reason account_enter(struct account *account, const struct source_limits *limits, uint64_t now_ns)
{
	if (limits->flows_max != 0 && account->active >= limits->flows_max)
		return REASON_LIMIT_PER_SOURCE;
	if (!rate_take(&limits->rate, &account->arrival_ns, now_ns))
		return REASON_LIMIT_RATE;
	account->active++;
	return REASON_NONE;
}

enum reason source_table_enter(struct source_table *table, const struct source_limits *limits,
			       const struct endpoint *client, uint64_t now_ns)
{
	uint64_t key = source_key(client);
	struct source_set *set = set_lock(table, key);
	struct account *account = set_find(set, key);
	if (account == NULL)
		account = set_add(set, key);
	enum reason reason = account_enter(account, limits, now_ns);
	set_unlock(set);
	return reason;
}

void source_table_leave(struct source_table *table, const struct endpoint *client)
{
	uint64_t key = source_key(client);
	struct source_set *set = set_lock(table, key);
	set_find_active(set, key)->active--;
	set_unlock(set);
}

void source_table_withdraw(struct source_table *table, const struct source_limits *limits,
			   const struct endpoint *client)
{
	uint64_t key = source_key(client);
	struct source_set *set = set_lock(table, key);
	struct account *account = set_find_active(set, key);
	account->active--;
	account->arrival_ns -= limits->rate.interval_ns;
	set_unlock(set);
}
