/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows that were in the kernel before this process began, because the daemon before it was killed. Control finds out whose
 * they are, by the addresses in their slots, and gives each to a worker, which makes a bare flow of it (bare_flow.h). What
 * had passed in user space, before they were moved into the kernel, is not known any more.
 *
 * A UDP flow gets a socket again, so that nobody else is given its port. The worker's thread.
 */
#ifndef RELAY_ADOPTED_FLOW_H
#define RELAY_ADOPTED_FLOW_H

#include "pool/service.h"
#include "stats/flow_record.h"

#include <stdint.h>

struct flow_table;
struct relay;

struct adopted_flow {
	uint32_t number; /* of the slot */
	struct service *service;
	struct pool *pool;
	struct server *server; /* entered; NULL: not in the pool any more */
};

void adopted_flow_take(struct relay *relay, struct flow_table *table, const struct adopted_flow *adopted);

#endif
