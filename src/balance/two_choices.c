/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `random`: two servers are drawn with chances in proportion to their weights, and the one with fewer flows for its
 * weight is taken (Mitzenmacher 2001). The loads are compared without the new flow, and the first drawn wins a tie, so
 * that an idle pool is used in proportion to the weights.
 *
 * Drawing takes one random number and one look-up, however many servers there are (alias method, Vose 1991): the table
 * has a column for each server, cut at `threshold` into a part of its own and a part lent to `alias`.
 */
#include "balance/algorithms.h"

#include "balance/order.h"

#include "base/memory.h"

#include <stdlib.h>

enum {
	ROUNDS_MAX = 4,  /* of two draws, before all servers are looked through */
	REDRAWS_MAX = 4, /* for a second server that is not the first */
};

struct column {
	uint32_t threshold; /* of 2^32 */
	uint32_t alias;
};

/* Columns whose share is not yet settled, from one end those short of a full column, from the other those above it. */
struct worklist {
	uint32_t *columns;
	uint32_t short_count;
	uint32_t long_count;
	uint32_t size;
};

static void worklist_put(struct worklist *list, uint32_t column, bool is_short)
{
	if (is_short)
		list->columns[list->short_count++] = column;
	else
		list->columns[list->size - ++list->long_count] = column;
}

static uint32_t worklist_take_short(struct worklist *list)
{
	return list->columns[--list->short_count];
}

static uint32_t worklist_take_long(struct worklist *list)
{
	return list->columns[list->size - list->long_count--];
}

/* Shares are counted in units of which a column holds `full`; together they fill all columns exactly. */
static void columns_settle(struct column *columns, uint64_t *shares, struct worklist *list, uint64_t full)
{
	while (list->short_count > 0 && list->long_count > 0) {
		uint32_t lacking = worklist_take_short(list);
		uint32_t lending = worklist_take_long(list);
		columns[lacking].threshold = (uint32_t)((double)shares[lacking] / (double)full * 0x1p32);
		columns[lacking].alias = lending;
		shares[lending] -= full - shares[lacking];
		worklist_put(list, lending, shares[lending] < full);
	}
}

static void *two_choices_build(const struct balance_tier *tier)
{
	struct column *columns = memory_alloc_zeroed(tier->count, sizeof(*columns));
	uint64_t *shares = memory_alloc_zeroed(tier->count, sizeof(*shares));
	struct worklist list = { memory_alloc_zeroed(tier->count, sizeof(uint32_t)), 0, 0, tier->count };
	uint64_t full = tier->weight_sum;
	for (uint32_t i = 0; i < tier->count; i++) {
		shares[i] = (uint64_t)tier->weights[i] * tier->count;
		columns[i] = (struct column){ UINT32_MAX, i };
		worklist_put(&list, i, shares[i] < full);
	}
	columns_settle(columns, shares, &list, full);
	free(list.columns);
	free(shares);
	return columns;
}

static uint32_t draw(const struct balance_tier *tier, struct random *random)
{
	const struct column *columns = tier->table;
	uint64_t number = random_next(random);
	uint32_t column = (uint32_t)((number >> 32) * tier->count >> 32);
	return (uint32_t)number < columns[column].threshold ? column : columns[column].alias;
}

static uint32_t draw_other(const struct balance_tier *tier, struct random *random, uint32_t first)
{
	uint32_t second = first;
	for (int i = 0; i < REDRAWS_MAX && second == first; i++)
		second = draw(tier, random);
	return second;
}

static bool is_less_loaded(const struct balance_tier *tier, uint32_t a, uint32_t b)
{
	uint64_t active_a = server_active(tier->servers[a]);
	uint64_t active_b = server_active(tier->servers[b]);
	return active_a * tier->weights[b] < active_b * tier->weights[a];
}

static struct server *two_choices_enter(struct pool *pool, const struct balance_tier *tier,
					const struct balance_request *request)
{
	(void)pool;
	for (int round = 0; round < ROUNDS_MAX; round++) {
		uint32_t better = draw(tier, request->random);
		uint32_t worse = draw_other(tier, request->random, better);
		if (is_less_loaded(tier, worse, better)) {
			uint32_t drawn_first = better;
			better = worse;
			worse = drawn_first;
		}
		if (balance_try(tier->servers[better], request))
			return tier->servers[better];
		if (balance_try(tier->servers[worse], request))
			return tier->servers[worse];
	}
	return balance_scan(tier, request, random_below(request->random, tier->count));
}

/* Each server has as many entries as its weight says, to the nearest whole one; which of two has fewer flows does not count. */
static void two_choices_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	enum { ENTRIES_OF_SERVER = 64 };
	uint64_t wanted = (uint64_t)tier->count * ENTRIES_OF_SERVER;
	uint64_t weight_sum = 0;
	uint32_t at = 0;
	(void)turn;
	balance_order_init(ret_order, BALANCE_RANDOM, (uint32_t)wanted);
	for (uint32_t i = 0; i < tier->count; i++) {
		weight_sum += tier->weights[i];
		uint64_t end = (weight_sum * wanted + tier->weight_sum / 2) / tier->weight_sum;
		while (at < end)
			ret_order->entries[at++] = i;
	}
}

const struct balancer two_choices_balancer = { two_choices_build, free, two_choices_enter, two_choices_write };
