/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the configuration tree to what workers use. The tree was validated: names are unique, numbers in bounds, pool
 * indexes right. This is the last file that sees configuration types.
 */
#include "pool/snapshot.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "guard/guard.h"

#include <stdlib.h>

static_assert((int)SERVER_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");
static_assert((int)POOL_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");
static_assert((int)SERVICE_NAME_BYTES == (int)CONFIG_NAME_BYTES, "names fit");

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
		[CONFIG_BALANCE_FIRST] = POOL_FIRST,
	};
	CHECK(balance < sizeof(algorithms) / sizeof(algorithms[0]));
	return algorithms[balance];
}

static enum pool_check check_build(enum config_check check)
{
	static const enum pool_check checks[] = {
		[CONFIG_CHECK_NONE] = POOL_CHECK_NONE,
		[CONFIG_CHECK_TCP] = POOL_CHECK_TCP,
		[CONFIG_CHECK_UDP] = POOL_CHECK_UDP,
	};
	CHECK(check < sizeof(checks) / sizeof(checks[0]));
	return checks[check];
}

static struct pool_policy *pool_policy_build(const struct config_pool *config)
{
	struct pool_policy *policy = memory_alloc_zeroed(1, sizeof(*policy));
	policy->algorithm = algorithm_build(config->balance);
	policy->slow_start_ms = config->slow_start_ms;
	policy->check.kind = check_build(config->check.kind);
	policy->check.every_ms = config->check.every_ms;
	policy->check.timeout_ms = config->check.timeout_ms;
	policy->check.rise = narrow(config->check.rise);
	policy->check.fall = narrow(config->check.fall);
	policy->check.port = (uint16_t)config->check.port;
	policy->check.send = bytes_build(&config->check.send);
	policy->check.expect = bytes_build(&config->check.expect);
	policy->eject_failures = narrow(config->eject.failures);
	policy->eject_for_ms = config->eject.for_ms;
	policy->panic_percent = narrow(config->panic_percent);
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

static struct server *server_build(const struct config_server *config, struct pool *pool, uint32_t worker_count)
{
	struct server *server = server_new(config->name, &config->addr, worker_count);
	server->pool = pool;
	server->is_backup = config->is_backup;
	atomic_init(&server->state, server_state_build(config->state));
	atomic_init(&server->weight, narrow(config->weight));
	if (config->max_connections != 0)
		atomic_init(&server->connections_max, narrow(config->max_connections));
	return server;
}

static struct pool *pool_build(const struct config_pool *config, uint32_t worker_count)
{
	struct pool *pool = pool_new(config->name);
	pool->policy = pool_policy_build(config);
	pool->servers = memory_alloc_zeroed(config->server_count, sizeof(pool->servers[0]));
	pool->server_count = config->server_count;
	pool->is_view_stale = true;
	for (size_t i = 0; i < config->server_count; i++)
		pool->servers[i] = server_build(&config->servers[i], pool, worker_count);
	return pool;
}

static struct guard_rate rate_build(const struct config_rate *config)
{
	return (struct guard_rate){ config->amount, config->per_ms };
}

static struct guard *guard_build(const struct config_service *config)
{
	struct guard_rule *rules = memory_alloc_zeroed(config->rule_count, sizeof(*rules));
	for (size_t i = 0; i < config->rule_count; i++)
		rules[i] = (struct guard_rule){ config->rules[i].is_allow, config->rules[i].network };
	struct guard_settings settings = {
		.rules = rules,
		.rule_count = config->rule_count,
		.connections_max = config->limit.connections,
		.sessions_max = config->limit.sessions,
		.rate = rate_build(&config->limit.rate),
		.per_source_max = config->limit.per_source,
		.per_source_rate = rate_build(&config->limit.per_source_rate),
	};
	struct guard *guard = guard_new(&settings);
	free(rules);
	return guard;
}

static struct service_policy *service_policy_build(const struct config_service *config, struct pool *pool)
{
	struct service_policy *policy = memory_alloc_zeroed(1, sizeof(*policy));
	policy->pool = pool;
	policy->connect_ms = config->timeout.connect_ms;
	policy->idle_ms = config->timeout.idle_ms;
	policy->half_closed_ms = config->timeout.half_closed_ms;
	policy->retries = narrow(config->retries);
	policy->session_idle_ms = config->session.idle_ms;
	policy->session_new_ms = config->session.new_ms;
	policy->has_session_replies = config->session.has_replies;
	policy->session_replies = config->session.replies;
	policy->session_requests = config->session.requests;
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

static void pools_build(const struct config *config, struct snapshot *snapshot)
{
	snapshot->pools = memory_alloc_zeroed(config->pool_count, sizeof(snapshot->pools[0]));
	snapshot->pool_count = config->pool_count;
	for (size_t i = 0; i < config->pool_count; i++)
		snapshot->pools[i] = pool_build(&config->pools[i], snapshot->worker_count);
}

static void services_build(const struct config *config, struct snapshot *snapshot)
{
	size_t listen_count = 0;
	for (size_t i = 0; i < config->service_count; i++)
		listen_count += config->services[i].listen_count;
	snapshot->listens = memory_alloc_zeroed(listen_count, sizeof(snapshot->listens[0]));
	snapshot->services = memory_alloc_zeroed(config->service_count, sizeof(snapshot->services[0]));
	snapshot->service_count = config->service_count;
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *from = &config->services[i];
		CHECK(from->pool_index < snapshot->pool_count);
		struct service *service = service_new(from->name, snapshot->worker_count);
		service->guard = guard_build(from);
		service->policy = service_policy_build(from, snapshot->pools[from->pool_index]);
		listens_build(from, service, snapshot);
		snapshot->services[i] = service;
	}
}

struct snapshot *snapshot_build(const struct config *config, uint64_t generation, uint32_t worker_count)
{
	struct snapshot *snapshot = memory_alloc_zeroed(1, sizeof(*snapshot));
	CHECK(worker_count > 0);
	snapshot->generation = generation;
	snapshot->worker_count = worker_count;
	snapshot->drain_ms = config->drain_ms;
	snapshot->connections_max = config->limit.connections;
	snapshot->sessions_max = config->limit.sessions;
	snapshot->memory_bytes_max = config->limit.memory_bytes;
	pools_build(config, snapshot);
	services_build(config, snapshot);
	return snapshot;
}
