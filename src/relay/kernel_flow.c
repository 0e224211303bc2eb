/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/kernel_flow.h"

#include "base/check.h"
#include "kernel/flow_table.h"
#include "relay/relay.h"

#include <net/if.h>

enum { SLICE_MS = 1 };

/* --- looking at them --------------------------------------------------------------------------------------------- */

static struct relay *relay_of(struct kernel_flows *flows)
{
	return LIST_OWNER(flows, struct relay, kernel_flows);
}

/* A look may end the flow, and then it is in no list any more. */
static void look_at_slice(struct kernel_flows *flows)
{
	for (int i = 0; i < KERNEL_FLOWS_SLICE && flows->left > 0 && !list_is_empty(&flows->all); i++) {
		struct kernel_flow *flow = LIST_OWNER(flows->all.next, struct kernel_flow, link);
		list_remove(&flow->link);
		list_add_last(&flows->all, &flow->link);
		flows->left--;
		flow->on_look(flow);
	}
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct kernel_flows *flows = LIST_OWNER(timer, struct kernel_flows, timer);
	struct relay *relay = relay_of(flows);
	if (flows->left == 0) {
		flows->left = (uint32_t)counter_read(&flows->active);
		flows->round_ms = now_ms;
	}
	look_at_slice(flows);
	if (counter_read(&flows->active) == 0) {
		flows->left = 0;
		return;
	}
	uint64_t next_ms = flows->round_ms + KERNEL_FLOWS_ROUND_MS;
	if (flows->left > 0 || next_ms <= now_ms)
		next_ms = now_ms + SLICE_MS;
	timer_arm(relay->wheel, timer, next_ms);
}

void kernel_flows_init(struct relay *relay, uint32_t flows_max)
{
	struct kernel_flows *flows = &relay->kernel_flows;
	*flows = (struct kernel_flows){ .timer = { .on_expiry = on_timer } };
	list_init(&flows->all);
	slab_init(&flows->slab, sizeof(struct kernel_flow), flows_max);
}

void kernel_flows_done(struct relay *relay)
{
	timer_disarm(relay->wheel, &relay->kernel_flows.timer);
	route_finder_close(&relay->kernel_flows.routes);
	slab_done(&relay->kernel_flows.slab);
}

/* --- the way in -------------------------------------------------------------------------------------------------- */

/* The way out (bpf/flow_abi.h), or 0 when packets do not leave by an interface that the program is at. */
static uint32_t find_way_out(struct relay *relay, const struct flow_table *table, const struct endpoint *dest,
			     const struct endpoint *source)
{
	struct route_answer route;
	if (route_find(&relay->kernel_flows.routes, dest, source, &route) < 0 || route.is_local)
		return 0;
	return flow_table_is_at(table, route.interface_index) ? flow_way_out(&route) : 0;
}

/* Addresses of one family, that mean the same on every interface. */
static bool can_be_translated(const struct kernel_flow_ends *ends)
{
	bool is_ipv4 = endpoint_is_ipv4(&ends->client);
	return is_ipv4 == endpoint_is_ipv4(&ends->server) && is_ipv4 == endpoint_is_ipv4(&ends->listen) &&
	       is_ipv4 == endpoint_is_ipv4(&ends->local) && ends->client.scope_id == 0 && ends->server.scope_id == 0;
}

static bool fill_slot(struct relay *relay, const struct flow_table *table, const struct kernel_flow_ends *ends,
		      struct flow_slot *slot)
{
	struct flow_side *to_server = &slot->sides[FLOW_TO_SERVER];
	struct flow_side *to_client = &slot->sides[FLOW_TO_CLIENT];
	slot->version = endpoint_is_ipv4(&ends->client) ? 4 : 6;
	slot->protocol = ends->protocol;
	to_server->way_out = find_way_out(relay, table, &ends->server, &ends->local);
	to_client->way_out = find_way_out(relay, table, &ends->client, &ends->listen);
	flow_side_set_source(to_server, &ends->local);
	flow_side_set_dest(to_server, &ends->server);
	flow_side_set_source(to_client, &ends->listen);
	flow_side_set_dest(to_client, &ends->client);
	return to_server->way_out != 0 && to_client->way_out != 0;
}

struct kernel_flow *kernel_flow_new(struct relay *relay, const struct kernel_flow_ends *ends, void *owner,
				    void (*on_look)(struct kernel_flow *flow))
{
	struct flow_table *table = relay_settings_flow_table(relay->settings);
	uint32_t routes_epoch = relay_settings_routes_epoch(relay->settings);
	uint32_t number;
	if (table == NULL || !can_be_translated(ends) || slab_is_full(&relay->kernel_flows.slab))
		return NULL;
	struct flow_slot *slot = flow_table_take(table, &number);
	if (slot == NULL)
		return NULL;
	if (!fill_slot(relay, table, ends, slot)) {
		flow_table_give(table, number);
		return NULL;
	}
	struct kernel_flow *flow = slab_take(&relay->kernel_flows.slab);
	CHECK(flow != NULL);
	*flow = (struct kernel_flow){
		.relay = relay,
		.table = table,
		.slot = slot,
		.number = number,
		.routes_epoch = routes_epoch,
		.on_look = on_look,
		.owner = owner,
	};
	return flow;
}

static void watch(struct kernel_flow *flow)
{
	struct kernel_flows *flows = &flow->relay->kernel_flows;
	list_add_last(&flows->all, &flow->link);
	counter_add(&flows->active, 1);
	if (!timer_is_armed(&flows->timer))
		timer_arm(flow->relay->wheel, &flows->timer, flow->relay->loop->now_ms + KERNEL_FLOWS_ROUND_MS);
}

int kernel_flow_begin(struct kernel_flow *flow)
{
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		flow->bytes[way] = flow->slot->sides[way].bytes = flow->slot->sides[way].first;
	int result = flow_table_begin(flow->table, flow->number);
	if (result < 0)
		return result;
	watch(flow);
	return 0;
}

struct kernel_flow *kernel_flow_adopt(struct relay *relay, struct flow_table *table, uint32_t number)
{
	struct kernel_flow *flow = slab_take(&relay->kernel_flows.slab);
	if (flow == NULL)
		return NULL;
	*flow = (struct kernel_flow){
		.relay = relay,
		.table = table,
		.slot = flow_table_slot(table, number),
		.number = number,
		.routes_epoch = relay_settings_routes_epoch(relay->settings) - 1,
	};
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		flow->bytes[way] = flow->slot->sides[way].first;
	watch(flow);
	return flow;
}

/* --- the way out ------------------------------------------------------------------------------------------------- */

void kernel_flow_end(struct kernel_flow *flow)
{
	flow_table_end(flow->table, flow->number);
	list_remove(&flow->link);
	counter_subtract(&flow->relay->kernel_flows.active, 1);
}

void kernel_flow_free(struct kernel_flow **flow)
{
	struct kernel_flow *doomed = *flow;
	if (doomed == NULL)
		return;
	CHECK(!list_is_linked(&doomed->link));
	flow_table_give(doomed->table, doomed->number);
	slab_give(&doomed->relay->kernel_flows.slab, doomed);
	*flow = NULL;
}

/* --- what it does ------------------------------------------------------------------------------------------------ */

struct kernel_flow_counts kernel_flow_fold(struct kernel_flow *flow)
{
	struct kernel_flow_counts counts;
	for (int way = 0; way < FLOW_WAY_COUNT; way++) {
		const struct flow_side *side = &flow->slot->sides[way];
		uint32_t packets = __atomic_load_n(&side->packets, __ATOMIC_RELAXED);
		uint64_t bytes = __atomic_load_n(&side->bytes, __ATOMIC_RELAXED);
		counts.packets[way] = packets - flow->packets[way]; /* of 32 bits, which wrap around */
		counts.bytes[way] = bytes - flow->bytes[way];
		flow->packets[way] = packets;
		flow->bytes[way] = bytes;
		counter_add(&flow->relay->kernel_flows.bytes, counts.bytes[way]);
	}
	return counts;
}

static bool is_at_interfaces(const struct kernel_flow *flow)
{
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		if (!flow_table_is_at(flow->table, flow->slot->sides[way].way_out & FLOW_INTERFACE_BITS))
			return false;
	return true;
}

static bool find_way(struct kernel_flow *flow, enum flow_way way)
{
	struct flow_side *side = &flow->slot->sides[way];
	struct endpoint dest = flow_side_dest(side, flow->slot->version);
	struct endpoint source = flow_side_source(side, flow->slot->version);
	uint32_t way_out = find_way_out(flow->relay, flow->table, &dest, &source);
	if (way_out != 0)
		__atomic_store_n(&side->way_out, way_out, __ATOMIC_RELAXED);
	return way_out != 0;
}

uint32_t kernel_flow_learn_way_back(struct kernel_flow *flow, uint32_t *ret_routes_epoch)
{
	struct flow_side *side = &flow->slot->sides[FLOW_TO_CLIENT];
	struct endpoint client = flow_side_dest(side, flow->slot->version);
	struct endpoint listen = flow_side_source(side, flow->slot->version);
	*ret_routes_epoch = relay_settings_routes_epoch(flow->relay->settings);
	uint32_t way_out = find_way_out(flow->relay, flow->table, &client, &listen);
	if ((way_out & FLOW_INTERFACE_BITS) == (side->way_out & FLOW_INTERFACE_BITS))
		__atomic_store_n(&side->way_out, way_out, __ATOMIC_RELAXED);
	flow->is_way_back_unknown = false;
	return side->way_out;
}

bool kernel_flow_has_way(struct kernel_flow *flow)
{
	uint32_t routes_epoch = relay_settings_routes_epoch(flow->relay->settings);
	if (routes_epoch == flow->routes_epoch) {
		if (flow->is_way_back_unknown)
			kernel_flow_learn_way_back(flow, &routes_epoch);
		return is_at_interfaces(flow);
	}
	flow->routes_epoch = routes_epoch;
	return find_way(flow, FLOW_TO_SERVER) && find_way(flow, FLOW_TO_CLIENT);
}

uint64_t kernel_flow_last_ms(const struct kernel_flow *flow)
{
	const struct loop *loop = flow->relay->loop;
	uint64_t idle_ms = flow_slot_idle_ms(flow->slot, loop->now_ns);
	return idle_ms < loop->now_ms ? loop->now_ms - idle_ms : 0;
}
