/* SPDX-License-Identifier: Apache-2.0 */
#include "control/nat_services.h"

#include "balance/order.h"
#include "balance/view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "control/nat_listens.h"
#include "control/nat_rules.h"
#include "guard/rate.h"
#include "kernel/own_ports.h"
#include "kernel/route.h"
#include "pool/guard_plan.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

enum {
	SERVICES_MAX = 4096,
	POOLS_MAX = 4096,
	SERVERS_MIN = 4096,
	LISTENS_MAX = 8192,
	NETWORKS_MAX = 1 << 18,
	CHOICES_MIN = 1 << 19,
	CHOICES_OF_HASH = 1100, /* for each server */
	CHOICES_OF_MAGLEV = 65537,
	CHOICES_OF_OTHERS = 128, /* for each server */
	PORTS_MIN = 1024,
	REFRESH_MS = 200,
	/* Events are taken within 20 ms. What was retired is looked at after a second. */
	LEAVE_MS = 300,
	TICK_NS = 1 << FLOW_TICK_SHIFT,
};

/* A number that is nobody's any more, but for flows that have begun and are not accounted for yet. */
struct leaving {
	struct list link;
	bool is_server; /* else a service */
	uint32_t number;
	uint64_t until_ms;
};

struct nat_services {
	struct flow_table *flows;
	struct nat_table *table;
	struct nat_sizes sizes;
	struct nat_directory directory;
	struct timer_wheel *wheel;
	struct loop *loop;
	struct timer timer;
	struct route_finder routes;
	struct list leaving; /* of struct leaving, the oldest first */
	const struct config *config;
	const struct snapshot *snapshot;
	struct nat_listens listens;
	struct nat_rules *rules; /* by number of the service */
	struct pool **pools;     /* by number; NULL: nobody's */
	uint32_t service_last;   /* numbers that were given last */
	uint32_t pool_last;
	uint32_t server_last;
	uint32_t turn;
	bool is_stopped;
	bool has_ports;
	const char *cause;
};

/* --- sizes ------------------------------------------------------------------------------------------------------- */

static uint64_t choices_of(const struct config_pool *pool, uint64_t server_count)
{
	switch (pool->balance) {
	case CONFIG_BALANCE_MAGLEV:
		return CHOICES_OF_MAGLEV;
	case CONFIG_BALANCE_SOURCE_HASH:
		return CHOICES_OF_HASH * server_count;
	default:
		return CHOICES_OF_OTHERS * server_count + 256;
	}
}

static uint32_t between(uint64_t value, uint64_t min, uint64_t max)
{
	uint64_t bounded = value < max ? value : max;
	return (uint32_t)(bounded > min ? bounded : min);
}

struct nat_sizes nat_services_sizes(const struct config *config)
{
	uint64_t servers = 0, choices = 0;
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_pool *pool = &config->pools[config->services[i].pool_index];
		if (config->services[i].path != CONFIG_PATH_NAT)
			continue;
		servers += pool->server_count;
		choices += choices_of(pool, pool->server_count);
	}
	return (struct nat_sizes){
		.listens = LISTENS_MAX,
		.networks = NETWORKS_MAX,
		.services = SERVICES_MAX,
		.pools = POOLS_MAX,
		.servers = between(4 * servers, SERVERS_MIN, 1 << 20),
		.choices = between(3 * choices, CHOICES_MIN, NAT_CHOICES_MASK >> 4),
	};
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

/* The next number that is nobody's, or count: a number comes back after all others. */
static uint32_t next_number(uint32_t *last, uint32_t count, bool (*is_used)(const struct nat_services *, uint32_t),
			    const struct nat_services *services)
{
	for (uint32_t i = 0; i < count; i++) {
		*last = *last + 1 < count ? *last + 1 : 0;
		if (!is_used(services, *last))
			return *last;
	}
	return count;
}

static bool is_service_used(const struct nat_services *services, uint32_t number)
{
	return services->directory.services[number] != NULL;
}

static bool is_pool_used(const struct nat_services *services, uint32_t number)
{
	return services->pools[number] != NULL;
}

static bool is_server_used(const struct nat_services *services, uint32_t number)
{
	return services->directory.servers[number].server != NULL;
}

/* --- servers ----------------------------------------------------------------------------------------------------- */

struct release {
	struct rcu_head rcu;
	struct server *server;
};

static void free_replaced_server(struct rcu_head *rcu)
{
	struct release *release = caa_container_of(rcu, struct release, rcu);
	server_release_reference(release->server);
	free(release);
}

/* A worker may have found the server a moment ago, and enters it then. */
static void forget_server(struct nat_services *services, uint32_t number)
{
	struct release *release = memory_alloc_zeroed(1, sizeof(*release));
	struct nat_directory_server *entry = &services->directory.servers[number];
	release->server = entry->server;
	published_write(entry->server, NULL);
	call_rcu(&release->rcu, free_replaced_server);
}

static void leave(struct nat_services *services, bool is_server, uint32_t number)
{
	struct leaving *leaving = memory_alloc_zeroed(1, sizeof(*leaving));
	leaving->is_server = is_server;
	leaving->number = number;
	leaving->until_ms = services->loop->now_ms + LEAVE_MS;
	list_add_last(&services->leaving, &leaving->link);
}

static void release_server(struct nat_services *services, struct server *server)
{
	uint32_t number = server->nat_number - 1;
	__atomic_store_n(&nat_table_server(services->table, number)->state,
			 services->directory.servers[number].generation, __ATOMIC_RELEASE);
	server->nat_number = 0;
	leave(services, true, number);
}

static void put_ip(uint8_t to[16], const struct endpoint *endpoint)
{
	memset(to, 0, 16);
	memcpy(to, endpoint_is_ipv4(endpoint) ? endpoint->ip + 12 : endpoint->ip, endpoint_is_ipv4(endpoint) ? 4 : 16);
}

/* Where flows to the server come from: false when it cannot be told. */
static bool find_source(const struct server *server, const struct route_answer *route, struct endpoint *ret_source)
{
	const struct pool_addrs *sources =
		pool_policy_sources(server->pool->policy, endpoint_is_ipv4(&server->endpoint) ? AF_INET : AF_INET6);
	if (sources->count > 0) {
		*ret_source = endpoint_from_addr(&sources->addrs[server->number % sources->count]);
		return true;
	}
	*ret_source = route->source;
	return route->has_source;
}

/* The way out (bpf/flow_abi.h) by which it is reached, and the address; 0: it cannot be. */
static uint32_t find_way(struct nat_services *services, const struct server *server, struct endpoint *ret_source)
{
	struct route_answer route;
	if (addr_is_unix(&server->addr) || server->is_own || server->endpoint.scope_id != 0 ||
	    route_find(&services->routes, &server->endpoint, NULL, &route) < 0 || route.is_local)
		return 0;
	if (!find_source(server, &route, ret_source) || !flow_table_is_at(services->flows, route.interface_index))
		return 0;
	return flow_way_out(&route);
}

/* What is in the entry of a number stays for as long as the number is the server's, but for interface and state. */
static void give_number(struct nat_services *services, struct server *server, const struct endpoint *source)
{
	uint32_t count = services->directory.server_count;
	uint32_t number = next_number(&services->server_last, count, is_server_used, services);
	if (number == count) {
		services->cause = "there are too many servers for the kernel's table";
		return;
	}
	struct nat_directory_server *entry = &services->directory.servers[number];
	struct nat_server *row = nat_table_server(services->table, number);
	uint32_t generation = entry->generation + NAT_SERVER_GENERATION;
	__atomic_store_n(&row->state, generation, __ATOMIC_RELEASE);
	put_ip(row->ip, &server->endpoint);
	put_ip(row->local, source);
	row->port_be16 = htons(server->endpoint.port);
	row->version = endpoint_is_ipv4(&server->endpoint) ? 4 : 6;
	server_acquire_reference(server);
	__atomic_store_n(&entry->generation, generation, __ATOMIC_RELEASE);
	published_write(entry->server, server);
	server->nat_number = number + 1;
}

static bool has_source(const struct nat_services *services, uint32_t number, const struct endpoint *source)
{
	uint8_t ip[16];
	put_ip(ip, source);
	return memcmp(ip, nat_table_server(services->table, number)->local, sizeof(ip)) == 0;
}

/* Finds the way to the server as it is now. */
static void update_way(struct nat_services *services, struct server *server)
{
	struct endpoint source;
	uint32_t way_out = find_way(services, server, &source);
	if (server->nat_number != 0 && way_out != 0 && !has_source(services, server->nat_number - 1, &source))
		release_server(services, server);
	if (server->nat_number == 0 && way_out != 0)
		give_number(services, server, &source);
	if (server->nat_number != 0)
		__atomic_store_n(&nat_table_server(services->table, server->nat_number - 1)->way_out, way_out,
				 __ATOMIC_RELEASE);
}

static bool is_in_pool(const struct pool *pool, const struct server *server)
{
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i] == server)
			return true;
	return false;
}

/* Those that the pool does not have any more; all when it is NULL in the list of pools. */
static void release_servers(struct nat_services *services, const struct pool *pool, bool is_gone)
{
	for (uint32_t i = 0; i < services->directory.server_count; i++) {
		struct server *server = services->directory.servers[i].server;
		if (server != NULL && server->nat_number == i + 1 && server->pool == pool &&
		    (is_gone || !is_in_pool(pool, server)))
			release_server(services, server);
	}
}

/* --- what is chosen from ----------------------------------------------------------------------------------------- */

static enum nat_choosing choosing_of(enum balance_choosing choosing)
{
	static const enum nat_choosing kinds[] = {
		[BALANCE_NEXT] = NAT_CHOOSES_NEXT,     [BALANCE_RANDOM] = NAT_CHOOSES_RANDOM,
		[BALANCE_MAGLEV] = NAT_CHOOSES_MAGLEV, [BALANCE_RING] = NAT_CHOOSES_RING,
		[BALANCE_FIRST] = NAT_CHOOSES_FIRST,
	};
	return kinds[choosing];
}

static const struct balance_tier *tier_of(const struct pool *pool)
{
	if (pool->view == NULL)
		return NULL;
	if (pool->view->primary.count > 0)
		return &pool->view->primary;
	return pool->view->backup.count > 0 ? &pool->view->backup : NULL;
}

/* Puts numbers of servers in the place of indexes. A server without number has one that is nobody's. */
static void make_choices(const struct nat_services *services, const struct pool *pool, struct balance_order *ret_order)
{
	const struct balance_tier *tier = tier_of(pool);
	balance_order_make(pool->policy->algorithm, tier, services->turn, ret_order);
	for (uint32_t i = 0; i < ret_order->count; i++) {
		const struct server *server = tier->servers[(uint32_t)ret_order->entries[i]];
		ret_order->entries[i] = (ret_order->entries[i] & ~(uint64_t)UINT32_MAX) | (server->nat_number - 1);
	}
}

static void set_states(struct nat_services *services, const struct pool *pool, bool is_available)
{
	const struct balance_tier *tier = tier_of(pool);
	for (size_t i = 0; i < pool->server_count; i++)
		pool->servers[i]->is_in_view = false;
	for (uint32_t i = 0; tier != NULL && i < tier->count; i++)
		tier->servers[i]->is_in_view = true;
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct server *server = pool->servers[i];
		if (server->nat_number == 0 || server->is_in_view != is_available)
			continue;
		uint32_t generation = services->directory.servers[server->nat_number - 1].generation;
		__atomic_store_n(&nat_table_server(services->table, server->nat_number - 1)->state,
				 generation | (is_available ? NAT_SERVER_AVAILABLE : 0), __ATOMIC_RELEASE);
	}
}

static void publish_choices(struct nat_services *services, const struct pool *pool)
{
	struct balance_order order = { 0 };
	if (tier_of(pool) != NULL)
		make_choices(services, pool, &order);
	if (nat_table_publish(services->table, pool->nat_number - 1, choosing_of(order.choosing), order.entries,
			      order.count) < 0)
		services->cause = "what a pool's flows are chosen from is too large for the kernel's table";
	balance_order_done(&order);
}

void nat_services_publish_pool(struct nat_services *services, struct pool *pool)
{
	if (pool->nat_number == 0)
		return;
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i]->nat_number == 0)
			update_way(services, pool->servers[i]);
	set_states(services, pool, true);
	publish_choices(services, pool);
	set_states(services, pool, false);
	release_servers(services, pool, false);
}

/* --- access rules ------------------------------------------------------------------------------------------------ */

static bool update_rules(struct nat_services *services, const struct config_service *config,
			 const struct service *service)
{
	struct guard_settings settings;
	guard_plan_make(services->config, config, &settings);
	bool is_done = nat_rules_replace(&services->rules[service->nat_number - 1], services->table,
					 service->nat_number - 1, &settings);
	guard_plan_done(&settings);
	if (!is_done)
		services->cause = "there are too many networks in access rules for the kernel's table";
	return is_done;
}

void nat_services_update_rules(struct nat_services *services)
{
	for (size_t i = 0; i < services->snapshot->service_count; i++) {
		struct service *service = services->snapshot->services[i];
		if (service->nat_number != 0 && !update_rules(services, &services->config->services[i], service))
			nat_table_service(services->table, service->nat_number - 1)->state = NAT_SERVICE_UNUSED;
	}
}

/* One that has no room is found when its flow is accounted for, which ends it then. */
void nat_services_block(struct nat_services *services, const struct network *network)
{
	if (nat_table_add_network(services->table, NAT_NETWORKS_BLOCKED, network, false) == 0)
		nat_table_set_blocked(services->table, true);
}

void nat_services_unblock(struct nat_services *services, const struct network *network)
{
	nat_table_remove_network(services->table, NAT_NETWORKS_BLOCKED, network);
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static uint64_t flows_of(const struct service *service, enum flow_protocol protocol)
{
	return service_sum(service, offsetof(struct service_counters, flows_active) + protocol * sizeof(counter));
}

/* Of a limit's flows those that user space carries are not the program's. */
static void update_limit(struct nat_service *row, const struct service *service, enum flow_protocol protocol,
			 uint64_t limit)
{
	uint64_t in_kernel = __atomic_load_n(&row->flows[protocol], __ATOMIC_RELAXED);
	uint64_t all = flows_of(service, protocol);
	uint64_t others = all > in_kernel ? all - in_kernel : 0;
	uint64_t left = limit > others ? limit - others : 0;
	uint32_t max = limit == 0 || left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
	__atomic_store_n(&row->flows_max[protocol], max, __ATOMIC_RELAXED);
}

static void update_limits(struct nat_services *services, const struct config_service *config,
			  const struct service *service)
{
	struct nat_service *row = nat_table_service(services->table, service->nat_number - 1);
	update_limit(row, service, FLOW_TCP, config->limit.connections);
	update_limit(row, service, FLOW_UDP, config->limit.sessions);
}

static void fill_service(struct nat_services *services, const struct config_service *config,
			 const struct service *service)
{
	struct nat_service *row = nat_table_service(services->table, service->nat_number - 1);
	struct rate rate = rate_from(config->limit.rate.amount, config->limit.rate.per_ms);
	bool has_rules = update_rules(services, config, service);
	row->pool = service->policy->pool->nat_number - 1;
	row->tries_max = (uint32_t)config->retries + 1;
	row->new_ticks = between(config->session.new_ms * CLOCK_NS_PER_MS / TICK_NS, 1, INT32_MAX);
	row->idle_ticks = between(config->session.idle_ms * CLOCK_NS_PER_MS / TICK_NS, 1, INT32_MAX);
	row->ahead_ns = rate.ahead_ns;
	row->interval_ns = rate.interval_ns;
	update_limits(services, config, service);
	__atomic_store_n(&row->state, has_rules ? NAT_SERVICE_ACTIVE : NAT_SERVICE_UNUSED, __ATOMIC_RELEASE);
}

static bool give_pool_number(struct nat_services *services, struct pool *pool)
{
	if (pool->nat_number != 0)
		return true;
	uint32_t number = next_number(&services->pool_last, services->sizes.pools, is_pool_used, services);
	if (number == services->sizes.pools)
		return false;
	services->pools[number] = pool;
	pool->nat_number = number + 1;
	return true;
}

static bool give_service_number(struct nat_services *services, struct service *service)
{
	if (service->nat_number != 0)
		return true;
	uint32_t number = next_number(&services->service_last, services->sizes.services, is_service_used, services);
	if (number == services->sizes.services)
		return false;
	for (int kind = 0; kind < NAT_PROTOCOL_COUNT; kind++)
		guard_set_pending(service->guard, kind == FLOW_TCP ? GUARD_CONNECTION : GUARD_SESSION,
				  &nat_table_service(services->table, number)->pending[kind]);
	published_write(services->directory.services[number], service);
	service->nat_number = number + 1;
	return true;
}

static void release_service(struct nat_services *services, uint32_t number)
{
	const struct guard_settings none = { 0 };
	nat_table_service(services->table, number)->state = NAT_SERVICE_UNUSED;
	services->directory.services[number]->nat_number = 0;
	nat_rules_replace(&services->rules[number], services->table, number, &none);
	leave(services, false, number);
}

static void forget_pending(const struct service *service)
{
	guard_set_pending(service->guard, GUARD_CONNECTION, NULL);
	guard_set_pending(service->guard, GUARD_SESSION, NULL);
}

static void forget_service(struct nat_services *services, uint32_t number)
{
	for (size_t i = 0; i < services->snapshot->service_count; i++) {
		const struct service *service = services->snapshot->services[i];
		if (service == services->directory.services[number] && service->nat_number == 0)
			forget_pending(service);
	}
	published_write(services->directory.services[number], NULL);
}

static void forget_left(struct nat_services *services, uint64_t now_ms)
{
	while (!list_is_empty(&services->leaving)) {
		struct leaving *leaving = LIST_OWNER(services->leaving.next, struct leaving, link);
		if (leaving->until_ms > now_ms)
			return;
		if (leaving->is_server)
			forget_server(services, leaving->number);
		else
			forget_service(services, leaving->number);
		list_remove(&leaving->link);
		free(leaving);
	}
}

static void release_pool(struct nat_services *services, uint32_t number)
{
	struct pool *pool = services->pools[number];
	nat_table_publish(services->table, number, NAT_CHOOSES_NONE, NULL, 0);
	release_servers(services, pool, true);
	pool->nat_number = 0;
	services->pools[number] = NULL;
}

static bool wants_kernel(const struct service *service)
{
	return service->policy->begins_in_kernel;
}

static bool is_wanted_service(const struct snapshot *snapshot, const struct service *service)
{
	for (size_t i = 0; i < snapshot->service_count; i++)
		if (snapshot->services[i] == service)
			return wants_kernel(service);
	return false;
}

static bool is_wanted_pool(const struct snapshot *snapshot, const struct pool *pool)
{
	for (size_t i = 0; i < snapshot->service_count; i++)
		if (wants_kernel(snapshot->services[i]) && snapshot->services[i]->policy->pool == pool)
			return true;
	return false;
}

static void release_unwanted(struct nat_services *services)
{
	for (uint32_t i = 0; i < services->directory.service_count; i++)
		if (services->directory.services[i] != NULL && services->directory.services[i]->nat_number == i + 1 &&
		    !is_wanted_service(services->snapshot, services->directory.services[i]))
			release_service(services, i);
	for (uint32_t i = 0; i < services->sizes.pools; i++)
		if (services->pools[i] != NULL && !is_wanted_pool(services->snapshot, services->pools[i]))
			release_pool(services, i);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static void apply_service(struct nat_services *services, size_t number)
{
	struct service *service = services->snapshot->services[number];
	struct pool *pool = service->policy->pool;
	if (!wants_kernel(service))
		return;
	if (!give_pool_number(services, pool) || !give_service_number(services, service)) {
		services->cause = "there are too many services for the kernel's table";
		return;
	}
	for (size_t i = 0; i < pool->server_count; i++)
		update_way(services, pool->servers[i]);
	nat_services_publish_pool(services, pool);
	fill_service(services, &services->config->services[number], service);
}

void nat_services_apply(struct nat_services *services, const struct config *config, const struct snapshot *snapshot,
			const struct interface_list *list)
{
	services->config = config;
	services->snapshot = snapshot;
	services->cause = services->has_ports ? NULL : OWN_PORTS_TOO_FEW;
	release_unwanted(services);
	for (size_t i = 0; i < snapshot->service_count; i++)
		apply_service(services, i);
	if (!nat_listens_replace(&services->listens, services->table, snapshot, list))
		services->cause = "there are too many listen addresses for the kernel's table";
	if (services->listens.count > 0 && !services->is_stopped)
		nat_table_switch_on(services->table);
	else
		nat_table_switch_off(services->table);
}

void nat_services_stop(struct nat_services *services)
{
	services->is_stopped = true;
	nat_table_switch_off(services->table);
}

static void refresh_pool(const struct nat_services *services, const struct pool *pool)
{
	struct balance_order order;
	if (pool->policy->algorithm != POOL_LEAST_CONNECTIONS || tier_of(pool) == NULL)
		return;
	make_choices(services, pool, &order);
	nat_table_refresh(services->table, pool->nat_number - 1, order.entries, order.count);
	balance_order_done(&order);
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	struct nat_services *services = LIST_OWNER(timer, struct nat_services, timer);
	flow_table_note_alive(services->flows);
	forget_left(services, now_ms);
	services->turn++;
	for (uint32_t i = 0; i < services->sizes.pools; i++)
		if (services->pools[i] != NULL)
			refresh_pool(services, services->pools[i]);
	for (size_t i = 0; services->snapshot != NULL && i < services->snapshot->service_count; i++)
		if (services->snapshot->services[i]->nat_number != 0)
			update_limits(services, &services->config->services[i], services->snapshot->services[i]);
	timer_arm(services->wheel, timer, now_ms + REFRESH_MS);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static void set_ports(struct nat_services *services, uint32_t ephemeral_ports)
{
	struct own_ports *ports = own_ports_new(ephemeral_ports, OWN_PORTS_OF_NAT);
	nat_table_set_ports(services->table, ports->all, ports->count);
	services->has_ports = ports->count >= PORTS_MIN;
	free(ports);
}

int nat_services_new(struct flow_table *flows, struct loop *loop, struct timer_wheel *wheel, uint32_t ephemeral_ports,
		     struct nat_services **ret_services)
{
	struct nat_table *table;
	int result = nat_table_open(flows, &table);
	if (result < 0)
		return result;
	struct nat_services *services = memory_alloc_zeroed(1, sizeof(*services));
	services->flows = flows;
	services->table = table;
	services->sizes = *flow_table_nat_sizes(flows);
	services->loop = loop;
	services->wheel = wheel;
	services->timer.on_expiry = on_timer;
	list_init(&services->leaving);
	services->pools = memory_alloc_zeroed(services->sizes.pools, sizeof(struct pool *));
	services->rules = memory_alloc_zeroed(services->sizes.services, sizeof(*services->rules));
	services->directory = (struct nat_directory){
		.flows = flows,
		.table = table,
		.services = memory_alloc_zeroed(services->sizes.services, sizeof(struct service *)),
		.service_count = services->sizes.services,
		.servers = memory_alloc_zeroed(services->sizes.servers, sizeof(struct nat_directory_server)),
		.server_count = services->sizes.servers,
	};
	set_ports(services, ephemeral_ports);
	timer_arm(wheel, &services->timer, loop->now_ms + REFRESH_MS);
	*ret_services = services;
	return 0;
}

void nat_services_free(struct nat_services **services)
{
	struct nat_services *doomed = *services;
	if (doomed == NULL)
		return;
	timer_disarm(doomed->wheel, &doomed->timer);
	forget_left(doomed, UINT64_MAX);
	for (uint32_t i = 0; i < doomed->directory.server_count; i++)
		if (doomed->directory.servers[i].server != NULL)
			forget_server(doomed, i);
	for (uint32_t i = 0; i < doomed->sizes.services; i++)
		nat_rules_done(&doomed->rules[i]);
	nat_table_close(&doomed->table);
	route_finder_close(&doomed->routes);
	free(doomed->directory.servers);
	free(doomed->directory.services);
	nat_listens_done(&doomed->listens);
	free(doomed->rules);
	free(doomed->pools);
	free(doomed);
	*services = NULL;
}

const struct nat_directory *nat_services_directory(const struct nat_services *services)
{
	return &services->directory;
}

const struct nat_table *nat_services_table(const struct nat_services *services)
{
	return services->table;
}

const char *nat_services_cause(const struct nat_services *services)
{
	return services->cause;
}
