/* SPDX-License-Identifier: Apache-2.0 */
#include "control/adopted_flows.h"

#include "base/memory.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool has_same_ip(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Does a client that asks the address reach the listener? ret_is_exact: not because it takes all addresses. */
static bool takes(const struct snapshot_listen *listen, const struct endpoint *asked, bool *ret_is_exact)
{
	struct endpoint bound = endpoint_from_addr(&listen->addr);
	if (addr_is_unix(&listen->addr) || bound.port != asked->port)
		return false;
	*ret_is_exact = has_same_ip(&bound, asked);
	bool is_same_family = endpoint_is_ipv4(&bound) == endpoint_is_ipv4(asked);
	return *ret_is_exact || (addr_is_any(&listen->addr) && (is_same_family || listen->is_dual));
}

static struct service *find_service(const struct snapshot *snapshot, const struct flow_slot *slot)
{
	struct endpoint asked = flow_side_source(&slot->sides[FLOW_TO_CLIENT], slot->version);
	enum flow_protocol protocol = slot->protocol == IPPROTO_UDP ? FLOW_UDP : FLOW_TCP;
	struct service *found = NULL;
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		bool is_exact = false;
		const struct snapshot_listen *listen = &snapshot->listens[i];
		if (listen->protocol != protocol || !takes(listen, &asked, &is_exact))
			continue;
		found = listen->service;
		if (is_exact)
			break;
	}
	return found;
}

static struct server *find_server(const struct pool *pool, const struct flow_slot *slot)
{
	struct endpoint address = flow_side_dest(&slot->sides[FLOW_TO_SERVER], slot->version);
	for (size_t i = 0; i < pool->server_count; i++)
		if (has_same_ip(&pool->servers[i]->endpoint, &address) &&
		    pool->servers[i]->endpoint.port == address.port)
			return pool->servers[i];
	return NULL;
}

static void end(struct flow_table *table, uint32_t number)
{
	flow_table_end(table, number);
	flow_table_give(table, number);
}

/* Returns the list, with the flow in it, which may have moved. */
static struct adopted_flows *add(struct adopted_flows *list, struct flow_table *table,
				 const struct adopted_flow *adopted)
{
	size_t count = list != NULL ? list->count : 0;
	/* It doubles whenever it is full. */
	if ((count & (count - 1)) == 0) {
		size_t capacity = count > 0 ? 2 * count : 1;
		list = memory_resize(list, 1, sizeof(*list) + capacity * sizeof(list->all[0]));
	}
	list->table = table;
	list->count = count + 1;
	list->all[count] = *adopted;
	return list;
}

struct adopted_counts adopted_flows_hand_out(struct flow_table *table, const struct snapshot *snapshot,
					     struct worker *const *workers, uint32_t worker_count)
{
	struct adopted_counts counts = { 0, 0 };
	struct adopted_flows **lists = memory_alloc_zeroed(worker_count, sizeof(*lists));
	for (uint32_t number = 0; flow_table_find_adopted(table, &number); number++) {
		const struct flow_slot *slot = flow_table_slot(table, number);
		struct service *service = find_service(snapshot, slot);
		if (service == NULL) {
			end(table, number);
			counts.ended++;
			continue;
		}
		struct adopted_flow adopted = { .number = number, .service = service, .pool = service->policy->pool };
		adopted.server = find_server(adopted.pool, slot);
		if (adopted.server != NULL)
			server_enter_always(adopted.server);
		struct adopted_flows **list = &lists[counts.adopted++ % worker_count];
		*list = add(*list, table, &adopted);
	}
	for (uint32_t i = 0; i < worker_count; i++)
		if (lists[i] != NULL)
			worker_adopt(workers[i], lists[i]);
	free(lists);
	return counts;
}
