/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ceilings.h"

#include "base/fd.h"
#include "control/admin_connection.h"
#include "health/health.h"
#include "kernel/flow_table.h"
#include "kernel/packet_guard.h"

#include <sched.h>
#include <unistd.h>

enum {
	DESCRIPTORS_OF_PROCESS = 32, /* standard streams, epoll, events, libraries, log files */
	DESCRIPTORS_OF_ADMIN = 3,    /* a listener's socket, epoll and bell */
	SERVERS_OF_NAME = 8,         /* for their health checks */
	NAME_SERVER_SOCKETS = 8,     /* of the common resolver, at most */
	FLOWS_MIN = 2,               /* with however few descriptors: better a refused flow than no daemon */
	TAIL_SHARE_OF_MEMORY = 8,    /* an eighth of the machine's memory, when nothing is configured */
	TAILS_MIN = 64,
};

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t count_sockets(const struct config *config)
{
	uint64_t count = 0;
	for (size_t i = 0; i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].listen_count; j++)
			count += config->services[i].listens[j].is_dual ? 2 : 1;
	return count;
}

static bool has_name(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i].host[0] != '\0')
			return true;
	return false;
}

/* How many servers a name comes to is not known before. */
static uint64_t count_servers(const struct config_pool *pool)
{
	uint64_t count = 0;
	for (size_t i = 0; i < pool->server_count; i++)
		count += pool->servers[i].host[0] != '\0' ? SERVERS_OF_NAME : 1;
	return count;
}

/* Descriptors of checks that run at once; that of a program has two. */
static uint64_t count_of_checks(const struct config *config)
{
	uint64_t check_count = 0;
	uint64_t program_count = 0;
	for (size_t i = 0; i < config->pool_count; i++) {
		if (config->pools[i].check.kind != CONFIG_CHECK_NONE)
			check_count += count_servers(&config->pools[i]);
		if (config->pools[i].check.kind == CONFIG_CHECK_EXEC)
			program_count += count_servers(&config->pools[i]);
	}
	return min(check_count, HEALTH_RUNNING_MAX) + min(program_count, HEALTH_PROGRAMS_MAX);
}

/* A client of a resolver asks each of its servers over UDP, and over TCP when an answer is long. */
static uint64_t count_name_sockets(const struct config *config)
{
	uint64_t count = 0;
	for (size_t i = 0; i < config->pool_count; i++)
		if (has_name(&config->pools[i]))
			count += 2 *
				 (config->pools[i].resolver.addr_count > 0 ? config->pools[i].resolver.addr_count : 1);
	return count > 0 ? count + NAME_SERVER_SOCKETS : 0;
}

static uint64_t count_of_kernel_path(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].path != CONFIG_PATH_RELAY)
			return FLOW_TABLE_DESCRIPTORS + INGRESS_PLACES_MAX;
	return 0;
}

static uint64_t count_of_packet_guard(const struct config *config)
{
	return config->packet_guard.mode == CONFIG_PACKET_GUARD_OFF ? 0 : PACKET_GUARD_DESCRIPTORS + INGRESS_PLACES_MAX;
}

/* What is set aside before flows get any. */
static uint64_t reserve(const struct config *config, const struct ceilings_resources *resources)
{
	uint64_t checks = count_of_checks(config);
	uint64_t share_max = resources->descriptor_limit / 8; /* few descriptors are not all set aside */
	uint64_t admin = config->admin_count * (DESCRIPTORS_OF_ADMIN + min(ADMIN_CONNECTIONS_MAX, share_max));
	uint64_t workers = resources->worker_count * (WORKER_DESCRIPTORS + count_sockets(config));
	uint64_t names = min(count_name_sockets(config), share_max);
	uint64_t programs = min(count_of_packet_guard(config) + count_of_kernel_path(config), share_max);
	return DESCRIPTORS_OF_PROCESS + config->log_count + workers + admin + min(checks, share_max) + names + programs;
}

static uint64_t at_most(uint64_t possible, uint64_t configured)
{
	uint64_t ceiling = possible > FLOWS_MIN ? possible : FLOWS_MIN;
	return configured > 0 ? min(ceiling, configured) : ceiling;
}

static bool limits_bandwidth(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		if (service->limit.bandwidth != 0 || service->limit.upload != 0 || service->limit.download != 0)
			return true;
	}
	return false;
}

/* Half of `limit memory=` is for flows, half for tails; each kind of flow may fill its half of the first half. */
static void apply_memory(struct ceilings *ceilings, const struct config *config)
{
	struct worker_sizes sizes = worker_sizes();
	uint64_t memory_bytes = config->limit.memory_bytes;
	bool is_limited = limits_bandwidth(config);
	uint64_t connection_bytes = sizes.connection_bytes + (is_limited ? sizes.connection_throttle_bytes : 0);
	uint64_t session_bytes = sizes.session_bytes + (is_limited ? sizes.session_throttle_bytes : 0);
	ceilings->connections = at_most(ceilings->connections, memory_bytes / 4 / connection_bytes);
	ceilings->sessions = at_most(ceilings->sessions, memory_bytes / 4 / session_bytes);
	ceilings->tail_bytes = memory_bytes / 2;
}

struct ceilings ceilings_compute(const struct config *config, const struct ceilings_resources *resources)
{
	uint64_t reserved = reserve(config, resources);
	uint64_t limit = resources->descriptor_limit;
	uint64_t descriptors = limit > reserved + 2 * FLOWS_MIN ? limit - reserved : 2 * FLOWS_MIN;
	struct ceilings ceilings = {
		.descriptors = descriptors,
		.connections = at_most(descriptors / 2, config->limit.connections),
		.sessions = at_most(descriptors, config->limit.sessions),
		.tail_bytes = resources->memory_bytes / TAIL_SHARE_OF_MEMORY,
	};
	if (config->limit.memory_bytes > 0)
		apply_memory(&ceilings, config);
	uint64_t tail_bytes_min = TAILS_MIN * worker_sizes().tail_bytes;
	if (ceilings.tail_bytes < tail_bytes_min)
		ceilings.tail_bytes = tail_bytes_min;
	return ceilings;
}

struct ceilings_resources ceilings_read_resources(uint32_t worker_count)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_bytes = sysconf(_SC_PAGESIZE);
	return (struct ceilings_resources){
		.descriptor_limit = fd_limit(),
		.memory_bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 1 << 30,
		.worker_count = worker_count,
	};
}

uint32_t ceilings_worker_count(const struct config *config)
{
	if (config->workers > 0)
		return (uint32_t)config->workers;
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return count < CONFIG_WORKERS_MAX ? (uint32_t)count : CONFIG_WORKERS_MAX;
}

void ceilings_apply(const struct config *config, uint32_t worker_count, struct flow_budget *budget)
{
	struct ceilings_resources resources = ceilings_read_resources(worker_count);
	struct ceilings ceilings = ceilings_compute(config, &resources);
	atomic_store(&budget->connections.max, ceilings.connections);
	atomic_store(&budget->sessions.max, ceilings.sessions);
	atomic_store(&budget->descriptors.max, ceilings.descriptors);
	atomic_store(&budget->tail_bytes_max, ceilings.tail_bytes / worker_count);
}

void ceilings_set_capacities(uint32_t worker_count, struct relay_settings *settings)
{
	struct ceilings_resources resources = ceilings_read_resources(worker_count);
	uint64_t tails = resources.memory_bytes / worker_sizes().tail_bytes;
	uint64_t tails_wanted = resources.descriptor_limit; /* a connection has two descriptors and two tails at most */
	settings->connections_capacity = (uint32_t)min(resources.descriptor_limit / 2, UINT32_MAX / 2);
	settings->sessions_capacity = (uint32_t)min(resources.descriptor_limit, UINT32_MAX / 2);
	settings->tails_capacity = (uint32_t)min(min(tails, tails_wanted), UINT32_MAX / 2);
}
