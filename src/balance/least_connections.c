/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server with the fewest flows for its weight, the new flow counted in: lowest (active + 1) / weight, compared
 * without dividing. The counts belong to all workers together. Of equally loaded servers each is chosen with the same
 * chance, wherever they stand: the k-th one found replaces the choice so far with probability 1/k.
 *
 * In a pool of more than COMPARED_MIN servers, so many are compared, beginning at a place chosen anew for each flow: that
 * is the least loaded of all or close to it, and the cost of a flow does not grow with the pool. When none of those can
 * be used the search goes on until one is found.
 */
#include "balance/algorithms.h"

#include "balance/order.h"
#include "base/memory.h"

#include <stdlib.h>

enum { ATTEMPTS_MAX = 4, COMPARED_MIN = 512 };

/* The best so far; before any, a load that every server is below. */
struct choice {
	struct server *server;
	uint64_t load;
	uint64_t weight;
	uint32_t tie_count;
};

static const struct choice choice_none = { NULL, (uint64_t)1 << 40, 1, 0 };

static void choice_consider(struct choice *choice, struct server *server, uint64_t weight,
			    const struct balance_request *request)
{
	uint64_t load = (uint64_t)server_active(server) + 1;
	uint64_t its_load = load * choice->weight;
	uint64_t best_load = choice->load * weight;
	/* Most servers end here, after reading one cache line. */
	if (its_load > best_load || !balance_is_candidate(server, request))
		return;
	uint32_t tie_count = its_load == best_load ? choice->tie_count + 1 : 1;
	*choice = (struct choice){
		.server = tie_count == 1 || random_below(request->random, tie_count) == 0 ? server : choice->server,
		.load = load,
		.weight = weight,
		.tie_count = tie_count,
	};
}

static struct server *least_loaded(const struct balance_tier *tier, const struct balance_request *request)
{
	struct choice choice = choice_none;
	uint32_t at = tier->count > COMPARED_MIN ? random_below(request->random, tier->count) : 0;
	for (uint32_t i = 0; i < tier->count && (i < COMPARED_MIN || choice.server == NULL); i++) {
		choice_consider(&choice, tier->servers[at], tier->weights[at], request);
		at = at + 1 < tier->count ? at + 1 : 0;
	}
	return choice.server;
}

static struct server *least_connections_enter(struct pool *pool, const struct balance_tier *tier,
					      const struct balance_request *request)
{
	(void)pool;
	/* Another worker may take the last place of the chosen server first. */
	for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
		struct server *server = least_loaded(tier, request);
		if (server == NULL)
			return NULL;
		if (balance_try(server, request))
			return server;
	}
	return balance_scan(tier, request, random_below(request->random, tier->count));
}

/* --- what comes next --------------------------------------------------------------------------------------------- */

/* A server in a heap of those with the lowest loads. */
struct candidate {
	uint64_t load; /* with the next flow */
	uint64_t weight;
	uint32_t index;
	uint32_t rank; /* among those that are loaded alike */
};

static bool goes_before(const struct candidate *a, const struct candidate *b)
{
	uint64_t load_a = a->load * b->weight;
	uint64_t load_b = b->load * a->weight;
	return load_a != load_b ? load_a < load_b : a->rank < b->rank;
}

static void sift_down(struct candidate *heap, uint32_t count, uint32_t place)
{
	struct candidate candidate = heap[place];
	for (uint32_t child = 2 * place + 1; child < count; child = 2 * place + 1) {
		if (child + 1 < count && goes_before(&heap[child + 1], &heap[child]))
			child++;
		if (!goes_before(&heap[child], &candidate))
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = candidate;
}

static struct candidate *heap_new(const struct balance_tier *tier, uint32_t turn)
{
	struct candidate *heap = memory_alloc_zeroed(tier->count, sizeof(*heap));
	for (uint32_t i = 0; i < tier->count; i++)
		heap[i] = (struct candidate){
			.load = (uint64_t)server_active(tier->servers[i]) + 1,
			.weight = tier->weights[i],
			.index = i,
			.rank = (i + turn) % tier->count,
		};
	for (uint32_t i = tier->count / 2; i-- > 0;)
		sift_down(heap, tier->count, i);
	return heap;
}

/* The servers that the next flows would get if none ended. */
static void least_connections_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	enum { ENTRIES_MIN = 256, ENTRIES_OF_SERVER = 2 };
	uint32_t count = tier->count * ENTRIES_OF_SERVER;
	struct candidate *heap = heap_new(tier, turn);
	balance_order_init(ret_order, BALANCE_NEXT, count > ENTRIES_MIN ? count : ENTRIES_MIN);
	for (uint32_t i = 0; i < ret_order->count; i++) {
		ret_order->entries[i] = heap[0].index;
		heap[0].load++;
		sift_down(heap, tier->count, 0);
	}
	free(heap);
}

const struct balancer least_connections_balancer = {
	.enter = least_connections_enter,
	.write = least_connections_write,
};
