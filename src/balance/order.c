/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/order.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

void balance_order_init(struct balance_order *order, enum balance_choosing choosing, uint32_t count)
{
	*order = (struct balance_order){
		.choosing = choosing,
		.count = count,
		.entries = memory_alloc_zeroed(count, sizeof(uint64_t)),
	};
}

void balance_order_done(struct balance_order *order)
{
	free(order->entries);
	*order = (struct balance_order){ 0 };
}

void balance_order_make(enum pool_algorithm algorithm, const struct balance_tier *tier, uint32_t turn,
			struct balance_order *ret_order)
{
	CHECK(tier->count > 0);
	balance_find(algorithm)->write(tier, turn, ret_order);
}
