/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the configuration tree to what workers use. The tree was validated: names are unique, numbers in bounds, pool
 * indexes right. This and server_plan.c are the last files that see configuration types.
 */
#include "pool/snapshot.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/flow_path.h"
#include "config/name_index.h"
#include "guard/guard.h"
#include "pool/guard_plan.h"
#include "pool/server_plan.h"

#include <stdlib.h>

static_assert((int)SERVER_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");
static_assert((int)POOL_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");
static_assert((int)SERVICE_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");
static_assert((int)POOL_MAGLEV_SERVERS_MAX == (int)CONFIG_MAGLEV_SERVERS_MAX, "servers fit");

static uint32_t narrow(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static struct pool_bytes bytes_build(const struct config_bytes *config)
{
	if (config->len == 0)
		return (struct pool_bytes){ NULL, 0 };
	/* memory_copy_span copies zeros, too. */
	return (struct pool_bytes){ memory_copy_span((struct span){ config->data, config->len }), config->len };
}

static enum pool_algorithm algorithm_build(enum config_balance balance)
{
	static const enum pool_algorithm algorithms[] = {
		[CONFIG_BALANCE_ROUND_ROBIN] = POOL_ROUND_ROBIN,
		[CONFIG_BALANCE_LEAST_CONNECTIONS] = POOL_LEAST_CONNECTIONS,
		[CONFIG_BALANCE_SOURCE_HASH] = POOL_SOURCE_HASH,
		[CONFIG_BALANCE_RANDOM] = POOL_RANDOM,
		[CONFIG_BALANCE_MAGLEV] = POOL_MAGLEV,
		[CONFIG_BALANCE_FIRST] = POOL_FIRST,
	};
	CHECK(balance < sizeof(algorithms) / sizeof(algorithms[0]));
	return algorithms[balance];
}

static enum pool_check check_build(enum config_check check)
{
	static const enum pool_check checks[] = {
		[CONFIG_CHECK_NONE] = POOL_CHECK_NONE, [CONFIG_CHECK_TCP] = POOL_CHECK_TCP,
		[CONFIG_CHECK_UDP] = POOL_CHECK_UDP,   [CONFIG_CHECK_HTTP] = POOL_CHECK_HTTP,
		[CONFIG_CHECK_DNS] = POOL_CHECK_DNS,   [CONFIG_CHECK_EXEC] = POOL_CHECK_EXEC,
	};
	CHECK(check < sizeof(checks) / sizeof(checks[0]));
	return checks[check];
}

static const char *method_build(enum config_http_method method)
{
	static const char *const methods[] = {
		[CONFIG_HTTP_GET] = "GET",
		[CONFIG_HTTP_HEAD] = "HEAD",
		[CONFIG_HTTP_OPTIONS] = "OPTIONS",
		[CONFIG_HTTP_POST] = "POST",
	};
	CHECK(method < sizeof(methods) / sizeof(methods[0]));
	return methods[method];
}

static void check_settings_build(const struct config_pool *config, struct pool_policy *policy)
{
	policy->check.kind = check_build(config->check.kind);
	policy->check.every_ms = config->check.every_ms;
	policy->check.timeout_ms = config->check.timeout_ms;
	policy->check.rise = narrow(config->check.rise);
	policy->check.fall = narrow(config->check.fall);
	policy->check.port = (uint16_t)config->check.port;
	policy->check.send = bytes_build(&config->check.send);
	policy->check.expect = bytes_build(&config->check.expect);
	policy->check.http.method = method_build(config->check.http.method);
	policy->check.http.path = memory_copy_text(config->check.http.path);
	policy->check.http.host = memory_copy_text(config->check.http.host);
	policy->check.http.statuses = config->check.http.statuses;
	policy->check.dns.name = memory_copy_text(config->check.dns.name);
	policy->check.dns.type = (uint16_t)config->check.dns.type;
	policy->check.dns.rcodes = config->check.dns.rcodes;
	policy->check.program = memory_copy_text(config->check.program);
}

static void add_source(struct pool_addrs *addrs, const struct addr *addr)
{
	addrs->addrs = memory_resize(addrs->addrs, addrs->count + 1, sizeof(addrs->addrs[0]));
	addrs->addrs[addrs->count++] = *addr;
}

static void source_build(const struct config_source *config, struct pool_policy *policy)
{
	policy->source.is_client = config->is_client;
	for (size_t i = 0; i < config->addr_count; i++)
		add_source(config->addrs[i].sa.sa_family == AF_INET6 ? &policy->source.ipv6 : &policy->source.ipv4,
			   &config->addrs[i]);
}

static struct pool_policy *pool_policy_build(const struct config_pool *config)
{
	struct pool_policy *policy = memory_alloc_zeroed(1, sizeof(*policy));
	policy->algorithm = algorithm_build(config->balance);
	policy->slow_start_ms = config->slow_start_ms;
	policy->load_percent = narrow(config->load_percent);
	check_settings_build(config, policy);
	policy->eject_failures = narrow(config->eject.failures);
	policy->eject_for_ms = config->eject.for_ms;
	policy->panic_percent = narrow(config->panic_percent);
	policy->proxy_version = config->send_proxy.version == CONFIG_SEND_PROXY_NONE ? 0
				: config->send_proxy.version == CONFIG_SEND_PROXY_V1 ? 1
										     : 2;
	policy->has_proxy_unique_id = config->send_proxy.has_unique_id;
	policy->has_proxy_authority = config->send_proxy.has_authority;
	policy->is_proxy_header_once = config->send_proxy.is_first;
	source_build(&config->source, policy);
	policy->closes_tcp_on_down = config->on_down == CONFIG_ON_DOWN_CLOSE;
	policy->keeps_sessions_on_down = config->on_down == CONFIG_ON_DOWN_KEEP;
	return policy;
}

static uint32_t server_state_build(enum config_server_state state)
{
	switch (state) {
	case CONFIG_SERVER_DRAIN:
		return SERVER_DRAIN;
	case CONFIG_SERVER_MAINT:
		return SERVER_MAINT;
	case CONFIG_SERVER_UP:
		break;
	}
	return 0;
}

/* What the file says of a server that is there; run-time changes stay where the file has not changed. */
/* Returns true when something changed that a view depends on, or somebody who waits for a place. */
static bool server_configure(struct server *server, const struct planned_server *planned)
{
	const struct config_server *config = planned->config;
	uint32_t state = server_state_build(config->state);
	uint32_t weight = narrow(planned->weight);
	uint32_t connections_max = config->max_connections != 0 ? narrow(config->max_connections) : UINT32_MAX;
	bool is_changed = weight != server->configured_weight || state != server->configured_state ||
			  planned->is_backup != atomic_load(&server->is_backup) ||
			  connections_max != atomic_load(&server->connections_max);
	atomic_store(&server->is_backup, planned->is_backup);
	atomic_store(&server->connections_max, connections_max);
	if (weight != server->configured_weight)
		atomic_store(&server->weight, weight);
	if (state != server->configured_state) {
		/* Set before clearing: at no moment is it more available than before and after. */
		atomic_fetch_or(&server->state, state);
		atomic_fetch_and(&server->state, ~(SERVER_WITHDRAWN & ~state));
	}
	server->configured_weight = weight;
	server->configured_state = state;
	return is_changed;
}

static struct server *server_build(const struct planned_server *planned, struct pool *pool, uint32_t worker_count)
{
	struct server *server = server_new(planned->name, &planned->addr, worker_count);
	server->pool = pool;
	server_configure(server, planned);
	return server;
}

static struct pool *pool_build(const struct config_pool *config, uint32_t worker_count)
{
	struct pool *pool = pool_new(config->name, worker_count);
	pool_queue_init(&pool->queue, pool, worker_count);
	pool->policy = pool_policy_build(config);
	struct server_plan plan;
	server_plan_make(config, &plan);
	pool->servers = memory_alloc_zeroed(plan.count, sizeof(pool->servers[0]));
	pool->server_count = plan.count;
	pool->is_view_stale = true;
	for (size_t i = 0; i < plan.count; i++)
		pool->servers[i] = server_build(&plan.servers[i], pool, worker_count);
	server_plan_done(&plan);
	return pool;
}

/* Makes the service's guard or gives it new settings. */
static void guard_configure(struct service *service, const struct config *config, const struct config_service *from)
{
	struct guard_settings settings;
	guard_plan_make(config, from, &settings);
	if (service->guard == NULL)
		service->guard = guard_new(&settings);
	else
		guard_update(service->guard, &settings);
	guard_plan_done(&settings);
}

static struct byte_rate byte_rate_build(uint64_t bits_per_s)
{
	return (struct byte_rate){ bits_per_s / 8 };
}

static bool is_same_bandwidth(const struct service_bandwidth *a, const struct service_bandwidth *b)
{
	return a->total.bytes_per_s == b->total.bytes_per_s &&
	       a->flow[FLOW_IN].bytes_per_s == b->flow[FLOW_IN].bytes_per_s &&
	       a->flow[FLOW_OUT].bytes_per_s == b->flow[FLOW_OUT].bytes_per_s;
}

/* replaced: what held before, or NULL. */
static struct service_bandwidth bandwidth_build(const struct config_service *config,
						const struct service_policy *replaced)
{
	static const struct service_bandwidth none;
	struct service_bandwidth bandwidth = {
		.total = byte_rate_build(config->limit.bandwidth),
		.flow = { [FLOW_IN] = byte_rate_build(config->limit.upload),
			  [FLOW_OUT] = byte_rate_build(config->limit.download) },
	};
	bandwidth.is_limited = !is_same_bandwidth(&bandwidth, &none);
	if (replaced != NULL)
		bandwidth.epoch = replaced->bandwidth.epoch + !is_same_bandwidth(&bandwidth, &replaced->bandwidth);
	return bandwidth;
}

static void path_build(const struct config *config, const struct config_service *service, struct service_policy *policy)
{
	bool is_offload = service->path == CONFIG_PATH_AUTO || service->path == CONFIG_PATH_OFFLOAD;
	policy->path = flow_path_word(service->path);
	policy->path_obstacles[FLOW_TCP] = flow_path_obstacles(config, service, CONFIG_TCP);
	policy->path_obstacles[FLOW_UDP] = flow_path_obstacles(config, service, CONFIG_UDP);
	policy->begins_in_kernel =
		service->path == CONFIG_PATH_NAT && config->kernel_path.mode == CONFIG_KERNEL_PATH_AUTO;
	policy->offloads[FLOW_TCP] = is_offload && policy->path_obstacles[FLOW_TCP] == 0;
	policy->offloads[FLOW_UDP] = is_offload && policy->path_obstacles[FLOW_UDP] == 0;
	policy->offload_after_bytes = service->offload_after.bytes;
	policy->offload_after_ms = service->offload_after.ms;
}

/* replaced: what held before, or NULL. */
static struct service_policy *service_policy_build(const struct config *all, const struct config_service *config,
						   struct pool *pool, const struct service_policy *replaced)
{
	size_t networks_bytes = config->proxy_network_count * sizeof(struct network);
	struct service_policy *policy = memory_alloc_zeroed(1, sizeof(*policy) + networks_bytes);
	policy->pool = pool;
	policy->proxy_network_count = config->proxy_network_count;
	for (size_t i = 0; i < config->proxy_network_count; i++)
		policy->proxy_networks[i] = config->proxy_networks[i].network;
	policy->proxy_header_ms = config->timeout.proxy_header_ms;
	policy->hello_ms = config->timeout.hello_ms;
	policy->connect_ms = config->timeout.connect_ms;
	policy->idle_ms = config->timeout.idle_ms;
	policy->half_closed_ms = config->timeout.half_closed_ms;
	policy->queue_ms = config->timeout.queue_ms;
	policy->queue_max = narrow(config->limit.queue);
	policy->retries = narrow(config->retries);
	policy->session_idle_ms = config->session.idle_ms;
	policy->session_new_ms = config->session.new_ms;
	policy->has_session_replies = config->session.has_replies;
	policy->session_replies = config->session.replies;
	policy->session_requests = config->session.requests;
	policy->session_amplification = config->session.amplification;
	policy->bandwidth = bandwidth_build(config, replaced);
	path_build(all, config, policy);
	return policy;
}

static void listens_build(const struct config_service *config, struct service *service, struct snapshot *snapshot)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listens[i];
		snapshot->listens[snapshot->listen_count++] = (struct snapshot_listen){
			.service = service,
			.protocol = listen->protocol == CONFIG_UDP ? FLOW_UDP : FLOW_TCP,
			.addr = listen->addr,
			.is_dual = listen->is_dual,
		};
	}
}

static struct service *service_build(const struct config *config, const struct config_service *from,
				     const struct snapshot *snapshot)
{
	struct service *service = service_new(from->name, snapshot->worker_count);
	service->policy = service_policy_build(config, from, snapshot->pools[from->pool_index], NULL);
	guard_configure(service, config, from);
	return service;
}

/* The names of the previous snapshot's pools, with their numbers in it. */
static struct name_index *pools_index(const struct snapshot *previous)
{
	struct name_index *index = name_index_new();
	size_t known;
	for (size_t i = 0; previous != NULL && i < previous->pool_count; i++)
		name_index_add(index, span_from_text(previous->pools[i]->name), i, &known);
	return index;
}

static struct name_index *services_index(const struct snapshot *previous)
{
	struct name_index *index = name_index_new();
	size_t known;
	for (size_t i = 0; previous != NULL && i < previous->service_count; i++)
		name_index_add(index, span_from_text(previous->services[i]->name), i, &known);
	return index;
}

static void pools_build(const struct config *config, struct snapshot *snapshot, const struct snapshot *previous)
{
	struct name_index *known = pools_index(previous);
	snapshot->pools = memory_alloc_zeroed(config->pool_count, sizeof(snapshot->pools[0]));
	snapshot->pool_count = config->pool_count;
	for (size_t i = 0; i < config->pool_count; i++) {
		size_t number;
		bool is_known = name_index_find(known, span_from_text(config->pools[i].name), &number);
		snapshot->pools[i] =
			is_known ? previous->pools[number] : pool_build(&config->pools[i], snapshot->worker_count);
	}
	name_index_free(&known);
}

static void services_build(const struct config *config, struct snapshot *snapshot, const struct snapshot *previous)
{
	struct name_index *known = services_index(previous);
	size_t listen_count = 0;
	for (size_t i = 0; i < config->service_count; i++)
		listen_count += config->services[i].listen_count;
	snapshot->listens = memory_alloc_zeroed(listen_count, sizeof(snapshot->listens[0]));
	snapshot->services = memory_alloc_zeroed(config->service_count, sizeof(snapshot->services[0]));
	snapshot->service_count = config->service_count;
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *from = &config->services[i];
		size_t number;
		CHECK(from->pool_index < snapshot->pool_count);
		bool is_known = name_index_find(known, span_from_text(from->name), &number);
		snapshot->services[i] = is_known ? previous->services[number] : service_build(config, from, snapshot);
		listens_build(from, snapshot->services[i], snapshot);
	}
	name_index_free(&known);
}

struct snapshot *snapshot_build(const struct config *config, uint64_t generation, uint32_t worker_count,
				const struct snapshot *previous)
{
	struct snapshot *snapshot = memory_alloc_zeroed(1, sizeof(*snapshot));
	CHECK(worker_count > 0);
	snapshot->generation = generation;
	snapshot->worker_count = worker_count;
	snapshot->drain_ms = config->drain_ms;
	snapshot->connections_max = config->limit.connections;
	snapshot->sessions_max = config->limit.sessions;
	snapshot->memory_bytes_max = config->limit.memory_bytes;
	pools_build(config, snapshot, previous);
	services_build(config, snapshot, previous);
	return snapshot;
}

/* --- publishing -------------------------------------------------------------------------------------------------- */

static void free_replaced_service_policy(struct rcu_head *rcu)
{
	free(caa_container_of(rcu, struct service_policy, rcu));
}

static void free_replaced_pool_policy(struct rcu_head *rcu)
{
	struct pool_policy *policy = caa_container_of(rcu, struct pool_policy, rcu);
	pool_policy_free(&policy);
}

static void service_reconfigure(struct service *service, const struct config *config, const struct config_service *from,
				struct pool *pool)
{
	struct service_policy *replaced = service->policy;
	struct service_policy *policy = service_policy_build(config, from, pool, replaced);
	guard_configure(service, config, from);
	/* What was taken at another rate is forgotten before anybody takes at the new one. */
	if (policy->bandwidth.epoch != replaced->bandwidth.epoch)
		service_reset_lines(service);
	published_write(service->policy, policy);
	call_rcu(&replaced->rcu, free_replaced_service_policy);
}

static void add_leftover_server(struct snapshot_leftovers *leftovers, struct server *server)
{
	atomic_fetch_or(&server->state, SERVER_REMOVED);
	leftovers->servers =
		memory_resize(leftovers->servers, leftovers->server_count + 1, sizeof(leftovers->servers[0]));
	leftovers->servers[leftovers->server_count++] = server;
}

/* A server is the same one while its name and its address are. */
static struct server *server_reuse(struct pool *pool, const struct name_index *known,
				   const struct planned_server *planned, bool *is_changed)
{
	size_t number;
	if (!name_index_find(known, span_from_text(planned->name), &number))
		return NULL;
	struct server *server = pool->servers[number];
	if (!addr_equal(&server->addr, &planned->addr))
		return NULL;
	pool->servers[number] = NULL;
	*is_changed |= server_configure(server, planned);
	return server;
}

/* Returns true when views have to be built anew for it. */
static bool servers_reconfigure(struct pool *pool, const struct config_pool *config, uint32_t worker_count,
				struct snapshot_leftovers *leftovers)
{
	struct name_index *known = name_index_new();
	struct server_plan plan;
	size_t duplicate;
	server_plan_make(config, &plan);
	for (size_t i = 0; i < pool->server_count; i++)
		name_index_add(known, span_from_text(pool->servers[i]->name), i, &duplicate);
	struct server **servers = memory_alloc_zeroed(plan.count, sizeof(servers[0]));
	bool is_changed = plan.count != pool->server_count;
	for (size_t i = 0; i < plan.count; i++) {
		const struct server *before = i < pool->server_count ? pool->servers[i] : NULL;
		servers[i] = server_reuse(pool, known, &plan.servers[i], &is_changed);
		if (servers[i] == NULL)
			servers[i] = server_build(&plan.servers[i], pool, worker_count);
		is_changed |= servers[i] != before;
	}
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i] != NULL)
			add_leftover_server(leftovers, pool->servers[i]);
	name_index_free(&known);
	free(pool->servers);
	pool->servers = servers;
	pool->server_count = plan.count;
	server_plan_done(&plan);
	return is_changed;
}

static bool is_balanced_alike(const struct pool_policy *a, const struct pool_policy *b)
{
	return a->algorithm == b->algorithm && a->slow_start_ms == b->slow_start_ms &&
	       a->load_percent == b->load_percent && a->panic_percent == b->panic_percent;
}

/* A view is built anew only for what changed: with a thousand pools that is most of the work of a reload. */
static void pool_reconfigure(struct pool *pool, const struct config_pool *config, uint32_t worker_count,
			     struct snapshot_leftovers *leftovers)
{
	struct pool_policy *replaced = pool->policy;
	struct pool_policy *policy = pool_policy_build(config);
	bool is_changed = servers_reconfigure(pool, config, worker_count, leftovers);
	pool->is_view_stale |= is_changed || !is_balanced_alike(replaced, policy);
	published_write(pool->policy, policy);
	call_rcu(&replaced->rcu, free_replaced_pool_policy);
}

static void add_leftover_pool(struct snapshot_leftovers *leftovers, struct pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++)
		atomic_fetch_or(&pool->servers[i]->state, SERVER_REMOVED);
	leftovers->pools[leftovers->pool_count++] = pool;
}

static void collect_leftovers(const struct snapshot *snapshot, const struct snapshot *previous,
			      struct snapshot_leftovers *leftovers)
{
	struct name_index *pools = pools_index(snapshot);
	struct name_index *services = services_index(snapshot);
	size_t number;
	leftovers->pools = memory_alloc_zeroed(previous->pool_count, sizeof(leftovers->pools[0]));
	leftovers->services = memory_alloc_zeroed(previous->service_count, sizeof(leftovers->services[0]));
	for (size_t i = 0; i < previous->pool_count; i++)
		if (!name_index_find(pools, span_from_text(previous->pools[i]->name), &number))
			add_leftover_pool(leftovers, previous->pools[i]);
	for (size_t i = 0; i < previous->service_count; i++)
		if (!name_index_find(services, span_from_text(previous->services[i]->name), &number))
			leftovers->services[leftovers->service_count++] = previous->services[i];
	name_index_free(&services);
	name_index_free(&pools);
}

void snapshot_publish(struct snapshot *snapshot, const struct config *config, struct snapshot **previous,
		      struct snapshot_leftovers *ret_leftovers)
{
	struct name_index *pools = pools_index(*previous);
	struct name_index *services = services_index(*previous);
	size_t number;
	*ret_leftovers = (struct snapshot_leftovers){ 0 };
	/* Pools first: a service must not be sent to a pool that is not complete. */
	for (size_t i = 0; i < config->pool_count; i++)
		if (name_index_find(pools, span_from_text(config->pools[i].name), &number))
			pool_reconfigure(snapshot->pools[i], &config->pools[i], snapshot->worker_count, ret_leftovers);
	for (size_t i = 0; i < config->service_count; i++)
		if (name_index_find(services, span_from_text(config->services[i].name), &number))
			service_reconfigure(snapshot->services[i], config, &config->services[i],
					    snapshot->pools[config->services[i].pool_index]);
	name_index_free(&services);
	name_index_free(&pools);
	collect_leftovers(snapshot, *previous, ret_leftovers);
	snapshot_free_lists(previous);
}

static bool names_list(const struct config_service *service, size_t list)
{
	for (size_t i = 0; i < service->rule_count; i++)
		if (service->rules[i].from.list_path != NULL && service->rules[i].from.list == list)
			return true;
	return false;
}

void snapshot_update_list(struct snapshot *snapshot, const struct config *config, size_t list)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (names_list(&config->services[i], list))
			guard_configure(snapshot->services[i], config, &config->services[i]);
}

void snapshot_update_pool(struct snapshot *snapshot, const struct config *config, size_t number,
			  struct snapshot_leftovers *ret_leftovers)
{
	*ret_leftovers = (struct snapshot_leftovers){ 0 };
	snapshot->pool_updates++;
	pool_reconfigure(snapshot->pools[number], &config->pools[number], snapshot->worker_count, ret_leftovers);
}
