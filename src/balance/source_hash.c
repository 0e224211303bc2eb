/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistent hashing: each server has points on a ring, in proportion to its weight, and a client belongs to the first
 * point at or behind its own hash (Karger et al. 1997). When a server goes, only its own clients move, and they spread
 * over all the others.
 *
 * How many points a weight gives follows from the configured weights of the rank, whether the servers are up or not, so
 * the health of one server never changes the points of another. The number per unit of weight is a power of two: adding
 * a server to a long list of them mostly leaves it as it is. A server in slow start has the first part of its points.
 *
 * Points depend on the server's name alone, as clients' hashes do on their addresses (hash_order.h): two instances of
 * strait with the same pool send a client to the same server.
 */
#include "balance/algorithms.h"

#include "balance/divisor.h"
#include "balance/hash_order.h"
#include "balance/order.h"
#include "base/check.h"
#include "base/memory.h"

#include <endian.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	POINTS_PER_UNIT_MAX = 1024, /* spread: 1 / sqrt(1024), about 3 % standard deviation for a server of weight 1 */
	POINTS_MAX = 1 << 20,
	/* A point is a hash with the server's index in its last bits. */
	INDEX_BITS = 20,
	DIGIT_BITS = 11, /* of the radix sort: 4 digits make the 44 bits of a point's hash */
};

#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

struct ring_of_points {
	uint32_t count;
	uint64_t points[]; /* sorted */
};

/* Points of a weight: weight * multiplier / divisor, at least 1. */
struct density {
	uint64_t multiplier;
	uint64_t divisor;
};

/* From the configured weights of all servers of the tier's rank. */
static struct density density_find(const struct balance_tier *tier)
{
	const struct server *member = tier->servers[0];
	const struct pool *pool = member->pool;
	uint64_t unit = 0;
	uint64_t sum = 0;
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct server *server = pool->servers[i];
		if (server->is_backup != member->is_backup)
			continue;
		uint64_t weight = atomic_load_explicit(&server->weight, memory_order_relaxed);
		unit = divisor_common(unit, weight);
		sum += weight;
	}
	CHECK(unit > 0);
	struct density density = { POINTS_PER_UNIT_MAX, unit };
	while (density.multiplier > 1 && sum / unit * density.multiplier > POINTS_MAX)
		density.multiplier /= 2;
	while (sum / density.divisor > POINTS_MAX)
		density.divisor *= 2;
	density.divisor *= tier->weight_scale;
	return density;
}

static uint32_t density_apply(const struct density *density, uint32_t weight)
{
	uint64_t count = weight * density->multiplier / density->divisor;
	return count > 0 ? (uint32_t)count : 1;
}

static void ring_add_server(struct ring_of_points *ring, const struct server *server, uint32_t index, uint32_t count)
{
	uint64_t name_hash = XXH3_64bits(server->name, strlen(server->name));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t number = htole64(i);
		uint64_t hash = XXH3_64bits_withSeed(&number, sizeof(number), name_hash);
		ring->points[ring->count++] = (hash & ~INDEX_MASK) | index;
	}
}

/* Sorts by the digit that begins at bit `shift`, keeping the order of equal ones. */
static void digit_sort(const uint64_t *from, uint64_t *to, uint32_t count, unsigned int shift)
{
	uint32_t places[1 << DIGIT_BITS] = { 0 };
	uint32_t place = 0;
	for (uint32_t i = 0; i < count; i++)
		places[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++;
	for (int digit = 0; digit < 1 << DIGIT_BITS; digit++) {
		uint32_t digit_count = places[digit];
		places[digit] = place;
		place += digit_count;
	}
	for (uint32_t i = 0; i < count; i++)
		to[places[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++] = from[i];
}

/* A pool may have a million points, and its ring is made anew when a server comes or goes: too many for qsort. */
static void ring_sort(struct ring_of_points *ring)
{
	uint64_t *other = memory_alloc_zeroed(ring->count, sizeof(*other));
	static_assert((64 - INDEX_BITS) / DIGIT_BITS == 4, "an even number of passes ends in the ring's own array");
	for (unsigned int shift = INDEX_BITS; shift < 64; shift += 2 * DIGIT_BITS) {
		digit_sort(ring->points, other, ring->count, shift);
		digit_sort(other, ring->points, ring->count, shift + DIGIT_BITS);
	}
	free(other);
}

static void *source_hash_build(const struct balance_tier *tier)
{
	struct density density = density_find(tier);
	size_t count = 0;
	CHECK(tier->count <= INDEX_MASK);
	for (uint32_t i = 0; i < tier->count; i++)
		count += density_apply(&density, tier->weights[i]);
	struct ring_of_points *ring = memory_alloc(sizeof(*ring) + count * sizeof(ring->points[0]));
	ring->count = 0;
	for (uint32_t i = 0; i < tier->count; i++)
		ring_add_server(ring, tier->servers[i], i, density_apply(&density, tier->weights[i]));
	ring_sort(ring);
	return ring;
}

/* The first point at or behind the hash; behind the last one the ring begins again. */
static uint32_t ring_find(const struct ring_of_points *ring, uint64_t hash)
{
	uint64_t wanted = hash & ~INDEX_MASK;
	uint32_t low = 0;
	uint32_t high = ring->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ring->points[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ring->count ? low : 0;
}

static uint32_t index_at(const void *table, uint32_t place)
{
	const struct ring_of_points *ring = table;
	return (uint32_t)(ring->points[place] & INDEX_MASK);
}

static struct server *source_hash_enter(struct pool *pool, const struct balance_tier *tier,
					const struct balance_request *request)
{
	(void)pool;
	const struct ring_of_points *ring = tier->table;
	struct hash_order order = { ring->count, index_at };
	return hash_order_enter(&order, tier, request, ring_find(ring, hash_order_client(request->client)));
}

/* Points are told apart by half of their bits: of 10,000 points one pair has the same half in a hundred tries. */
static void source_hash_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	const struct ring_of_points *ring = tier->table;
	(void)turn;
	balance_order_init(ret_order, BALANCE_RING, ring->count);
	for (uint32_t i = 0; i < ring->count; i++)
		ret_order->entries[i] = (ring->points[i] & ~(uint64_t)UINT32_MAX) | (ring->points[i] & INDEX_MASK);
}

const struct balancer source_hash_balancer = { source_hash_build, free, source_hash_enter, source_hash_write };
