/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/access_list.h"

#include "base/check.h"
#include "base/memory.h"

#include <endian.h>
#include <stdlib.h>

typedef unsigned __int128 address128;

/* Sorted places where the answer changes; it is "allowed" before the first. */
struct changes4 {
	uint32_t *at;
	size_t count;
};

struct changes6 {
	address128 *at;
	size_t count;
};

/*
 * The upper halves of sorted 128-bit places in the order of a breadth-first walk through the search tree (Eytzinger's):
 * the nodes that a search visits next lie side by side, so that they are fetched before they are asked for. Node 1 is the
 * root, node 0 is not used.
 */
struct upper_halves {
	uint64_t *nodes;
	bool *is_odd; /* by node: the number of places before it; [0]: of all */
};

struct access_list {
	bool allows_unix;
	struct changes4 ipv4;
	struct changes6 ipv6;
	struct upper_halves ipv6_uppers;
};

/* A rule as a stretch of addresses, both ends included. */
struct stretch {
	address128 first;
	address128 last;
	size_t rule_index;
	bool is_allow;
};

/* The stretches that contain the place the sweep has come to, outermost first, and the changes found so far. */
struct sweep {
	struct stretch open[NETWORK_PREFIX_MAX + 1];
	size_t depth;
	struct changes6 changes;
	bool is_allowed; /* behind the last change */
};

static address128 address_load(const uint8_t ip[16])
{
	uint64_t halves[2];
	memcpy(halves, ip, sizeof(halves));
	return (address128)be64toh(halves[0]) << 64 | be64toh(halves[1]);
}

static struct stretch stretch_from_rule(const struct guard_rule *rule, size_t rule_index)
{
	uint8_t bits = rule->network.prefix_bits;
	address128 host_mask = bits == 0 ? ~(address128)0 : ((address128)1 << (NETWORK_PREFIX_MAX - bits)) - 1;
	address128 first = address_load(rule->network.ip) & ~host_mask;
	CHECK(bits <= NETWORK_PREFIX_MAX);
	return (struct stretch){ first, first | host_mask, rule_index, rule->is_allow };
}

/* An outer stretch comes before those inside it, and of equal ones the earlier rule first. */
static int stretch_compare(const void *left, const void *right)
{
	const struct stretch *a = left;
	const struct stretch *b = right;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	return (a->rule_index > b->rule_index) - (a->rule_index < b->rule_index);
}

/* The answer from `at` on; a second change at the same place takes the first one back. */
static void sweep_answer(struct sweep *sweep, address128 at, bool is_allowed)
{
	struct changes6 *changes = &sweep->changes;
	if (is_allowed == sweep->is_allowed)
		return;
	if (changes->count > 0 && changes->at[changes->count - 1] == at)
		changes->count--;
	else
		changes->at[changes->count++] = at;
	sweep->is_allowed = is_allowed;
}

/* Closes the stretches that end before `place`. */
static void sweep_close_until(struct sweep *sweep, address128 place)
{
	while (sweep->depth > 0 && sweep->open[sweep->depth - 1].last < place) {
		address128 behind = sweep->open[--sweep->depth].last + 1;
		sweep_answer(sweep, behind, sweep->depth == 0 || sweep->open[sweep->depth - 1].is_allow);
	}
}

/* Closes all; what reaches the end of the address space has nothing behind it. */
static void sweep_close_all(struct sweep *sweep)
{
	sweep_close_until(sweep, ~(address128)0);
	sweep->depth = 0;
}

static void sweep_open(struct sweep *sweep, struct stretch stretch)
{
	sweep_close_until(sweep, stretch.first);
	const struct stretch *outer = sweep->depth > 0 ? &sweep->open[sweep->depth - 1] : NULL;
	/* The innermost open stretch has the lowest rule index of all open ones, so only an earlier rule changes it. */
	if (outer != NULL && outer->rule_index < stretch.rule_index)
		return;
	CHECK(sweep->depth < sizeof(sweep->open) / sizeof(sweep->open[0]));
	sweep->open[sweep->depth++] = stretch;
	sweep_answer(sweep, stretch.first, stretch.is_allow);
}

static struct changes6 changes_find(const struct guard_rule *rules, size_t count, uint8_t family)
{
	struct stretch *stretches = memory_alloc_zeroed(count, sizeof(*stretches));
	struct sweep sweep = { .is_allowed = true };
	size_t stretch_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (rules[i].network.family == family)
			stretches[stretch_count++] = stretch_from_rule(&rules[i], i);
	}
	qsort(stretches, stretch_count, sizeof(*stretches), stretch_compare);
	sweep.changes.at = memory_alloc_zeroed(2 * stretch_count, sizeof(address128));
	for (size_t i = 0; i < stretch_count; i++)
		sweep_open(&sweep, stretches[i]);
	sweep_close_all(&sweep);
	free(stretches);
	return sweep.changes;
}

/*
 * An IPv4 client is searched by its last 32 bits: a quarter of the memory. A change behind the last IPv4 address
 * falls away.
 */
static struct changes4 changes_shorten(const struct changes6 *wide)
{
	static const address128 last = ((address128)0xffff << 32) | UINT32_MAX;
	struct changes4 changes = { memory_alloc_zeroed(wide->count, sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < wide->count && wide->at[i] <= last; i++)
		changes.at[changes.count++] = (uint32_t)wide->at[i];
	return changes;
}

/* An in-order walk meets the nodes in sorted order. The tree is as deep as the count has bits. */
static struct upper_halves upper_halves_new(const struct changes6 *changes)
{
	struct upper_halves uppers = {
		.nodes = memory_alloc_zeroed(changes->count + 1, sizeof(uppers.nodes[0])),
		.is_odd = memory_alloc_zeroed(changes->count + 1, sizeof(uppers.is_odd[0])),
	};
	size_t node = 1;
	for (size_t rank = 0; rank < changes->count; rank++) {
		if (rank == 0) {
			while (2 * node <= changes->count)
				node *= 2;
		} else if (2 * node + 1 <= changes->count) {
			node = 2 * node + 1;
			while (2 * node <= changes->count)
				node *= 2;
		} else {
			while (node % 2 == 1)
				node /= 2;
			node /= 2;
		}
		uppers.nodes[node] = (uint64_t)(changes->at[rank] >> 64);
		uppers.is_odd[node] = rank % 2 == 1;
	}
	uppers.is_odd[0] = changes->count % 2 == 1;
	return uppers;
}

struct access_list *access_list_new(const struct guard_rule *rules, size_t count)
{
	struct access_list *list = memory_alloc_zeroed(1, sizeof(*list));
	struct changes6 mapped = changes_find(rules, count, AF_INET);
	list->ipv4 = changes_shorten(&mapped);
	list->ipv6 = changes_find(rules, count, AF_INET6);
	list->ipv6_uppers = upper_halves_new(&list->ipv6);
	list->allows_unix = true;
	for (size_t i = count; i-- > 0;) {
		if (rules[i].network.family == AF_UNIX)
			list->allows_unix = rules[i].is_allow;
	}
	free(mapped.at);
	return list;
}

void access_list_free(struct access_list **list)
{
	if (*list == NULL)
		return;
	free((*list)->ipv4.at);
	free((*list)->ipv6.at);
	free((*list)->ipv6_uppers.nodes);
	free((*list)->ipv6_uppers.is_odd);
	free(*list);
	*list = NULL;
}

/* How many changes lie at or below the address. Both searches halve without a branch that could be mispredicted. */
static size_t changes4_count(const struct changes4 *changes, uint32_t address)
{
	const uint32_t *base = changes->at;
	size_t left = changes->count;
	while (left > 1) {
		size_t half = left / 2;
		base = base[half] <= address ? base + half : base;
		left -= half;
	}
	return (size_t)(base - changes->at) + (left == 1 && *base <= address);
}

static size_t changes6_count(const struct changes6 *changes, address128 address)
{
	const address128 *base = changes->at;
	size_t left = changes->count;
	while (left > 1) {
		size_t half = left / 2;
		base = base[half] <= address ? base + half : base;
		left -= half;
	}
	return (size_t)(base - changes->at) + (left == 1 && *base <= address);
}

/*
 * Upper halves decide, but where several places share that of the address: then both halves are searched. What decides
 * most answers are the nodes and a byte for each.
 */
static bool is_odd6(const struct access_list *list, address128 address)
{
	const struct upper_halves *uppers = &list->ipv6_uppers;
	uint64_t upper = (uint64_t)(address >> 64);
	size_t count = list->ipv6.count;
	uint64_t nearest = ~upper; /* the highest of those at or below the address */
	size_t node = 1;
	while (node <= count) {
		__builtin_prefetch(&uppers->nodes[8 * node]); /* three levels below, in one cache line */
		uint64_t at = uppers->nodes[node];
		nearest = at <= upper ? at : nearest;
		node = 2 * node + (at <= upper);
	}
	if (nearest == upper)
		return changes6_count(&list->ipv6, address) % 2 == 1;
	/* The last turn to the left was taken at the first place above the address. */
	return uppers->is_odd[node >> __builtin_ffsll((long long)~node)];
}

bool access_list_allows(const struct access_list *list, const struct endpoint *client)
{
	if (client->family == AF_UNIX)
		return list->allows_unix;
	if (client->family == AF_INET6)
		return !is_odd6(list, address_load(client->ip));
	if (client->family != AF_INET)
		return true;
	uint32_t address;
	memcpy(&address, client->ip + 12, sizeof(address));
	return changes4_count(&list->ipv4, be32toh(address)) % 2 == 0;
}
