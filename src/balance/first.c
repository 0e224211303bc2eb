/* SPDX-License-Identifier: Apache-2.0 */
/* The first server in the order written that has room: fill one before using the next. Weights do not count. */
#include "balance/algorithms.h"

static struct server *first_enter(struct pool *pool, const struct balance_tier *tier,
				  const struct balance_request *request)
{
	(void)pool;
	return balance_scan(tier, request, 0);
}

const struct balancer first_balancer = { .enter = first_enter };
