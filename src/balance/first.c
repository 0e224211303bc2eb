/* SPDX-License-Identifier: Apache-2.0 */
/* The first server in the order written that has room: fill one before using the next. Weights do not count. */
#include "balance/algorithms.h"
#include "balance/order.h"

static struct server *first_enter(struct pool *pool, const struct balance_tier *tier,
				  const struct balance_request *request)
{
	(void)pool;
	return balance_scan(tier, request, 0);
}

static void first_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	(void)turn;
	balance_order_init(ret_order, BALANCE_FIRST, tier->count);
	for (uint32_t i = 0; i < tier->count; i++)
		ret_order->entries[i] = i;
}

const struct balancer first_balancer = { .enter = first_enter, .write = first_write };
