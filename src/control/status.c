/* SPDX-License-Identifier: Apache-2.0 */
#include "control/status.h"

#include "base/fd.h"
#include "base/version.h"
#include "control/blocks.h"
#include "control/event_stream.h"
#include "control/json_bytes.h"
#include "control/path_document.h"
#include "control/pool_sources.h"
#include "guard/guard.h"
#include "worker/worker.h"

#include <stddef.h>
#include <stdlib.h>

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_bytes(text));
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void put_boolean(json_t *object, const char *key, bool boolean)
{
	json_object_set_new(object, key, json_boolean(boolean));
}

static uint32_t state_of(const struct server *server)
{
	return atomic_load_explicit(&server->state, memory_order_relaxed);
}

size_t status_available_count(const struct pool *pool)
{
	size_t count = 0;
	for (size_t i = 0; i < pool->server_count; i++)
		count += server_is_available(pool->servers[i], 0);
	return count;
}

static bool has_failed_name(const struct daemon *daemon, size_t pool_number)
{
	if (daemon->names == NULL)
		return false;
	const struct config_pool *pool = &daemon->config->pools[pool_number];
	for (size_t i = 0; i < pool->server_count; i++) {
		struct name_status name;
		if (names_read(daemon->names, pool, &pool->servers[i], &name) && name.state == NAME_FAILED)
			return true;
	}
	return false;
}

/* A server is down, a name cannot be resolved, or nothing is left. */
static bool pool_is_degraded(const struct daemon *daemon, size_t number)
{
	const struct pool *pool = daemon->snapshot->pools[number];
	bool has_lost = has_failed_name(daemon, number);
	for (size_t i = 0; i < pool->server_count; i++)
		has_lost = has_lost || (state_of(pool->servers[i]) & SERVER_UNHEALTHY) != 0;
	return has_lost || status_available_count(pool) == 0;
}

/* --- the daemon as a whole --------------------------------------------------------------------------------------- */

static json_t *workers_build(const struct daemon *daemon)
{
	json_t *workers = json_array();
	for (uint32_t i = 0; i < daemon->worker_count; i++) {
		struct worker_usage usage;
		json_t *worker = json_object();
		worker_read_usage(daemon->workers[i], &usage);
		put_number(worker, "index", i);
		put_number(worker, "connections", usage.connections);
		put_number(worker, "sessions", usage.sessions);
		json_array_append_new(workers, worker);
	}
	return workers;
}

static json_t *ceiling_build(const struct flow_ceiling *ceiling)
{
	json_t *object = json_object();
	put_number(object, "used", flow_ceiling_used(ceiling));
	put_number(object, "max", ceiling->max);
	return object;
}

static json_t *limits_build(const struct daemon *daemon)
{
	json_t *limits = json_object();
	json_t *descriptors = ceiling_build(&daemon->budget.descriptors);
	put_number(descriptors, "open", fd_count_open());
	put_number(descriptors, "limit", fd_limit());
	json_object_set_new(limits, "connections", ceiling_build(&daemon->budget.connections));
	json_object_set_new(limits, "sessions", ceiling_build(&daemon->budget.sessions));
	json_object_set_new(limits, "descriptors", descriptors);
	return limits;
}

static json_t *memory_build(const struct daemon *daemon)
{
	struct worker_usage sum = workers_sum_usage(daemon->workers, daemon->worker_count);
	struct worker_sizes sizes = worker_sizes();
	json_t *memory = json_object();
	put_number(memory, "connection_bytes", sum.connection_bytes);
	put_number(memory, "session_bytes", sum.session_bytes);
	put_number(memory, "tail_bytes", sum.tail_bytes);
	put_number(memory, "connection_bytes_each", sizes.connection_bytes);
	put_number(memory, "session_bytes_each", sizes.session_bytes);
	put_number(memory, "tail_bytes_each", sizes.tail_bytes);
	return memory;
}

static json_t *log_build(const struct log_writer *log)
{
	json_t *object = json_object();
	json_t *places = json_array();
	struct log_writer_place place;
	for (size_t i = 0; log_writer_read_place(log, i, &place); i++) {
		json_t *item = json_object();
		put_text(item, "name", place.name);
		put_number(item, "dropped", place.dropped);
		json_array_append_new(places, item);
	}
	put_number(object, "dropped", log_writer_dropped(log));
	json_object_set_new(object, "places", places);
	return object;
}

static json_t *blocks_build(const struct blocks *blocks)
{
	struct blocks_counts counts = blocks_count(blocks);
	json_t *object = json_object();
	for (int origin = 0; origin < BLOCK_ORIGIN_COUNT; origin++)
		put_number(object, block_origin_word((enum block_origin)origin), counts.now[origin]);
	put_number(object, "max", BLOCKS_MAX);
	put_number(object, "failed_total", counts.failed);
	return object;
}

static json_t *streams_build(const struct event_stream *events)
{
	json_t *object = json_object();
	struct event_stream_counts counts = event_stream_counts(events);
	put_number(object, "open", counts.subscribers);
	put_number(object, "max", EVENT_SUBSCRIBERS_MAX);
	put_number(object, "opened_total", counts.subscribed);
	put_number(object, "refused_total", counts.refused);
	put_number(object, "cut_total", counts.cut);
	put_number(object, "ticks_skipped_total", counts.skipped);
	return object;
}

json_t *status_build_places(const struct ingress_places *places)
{
	json_t *list = json_array();
	for (size_t i = 0; places != NULL && i < places->count; i++) {
		json_t *item = json_object();
		put_text(item, "name", places->all[i].interface);
		put_text(item, "mode", ingress_mode_word(places->all[i].ingress.mode));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *packets_dropped_build(const struct ingress_guard *guard)
{
	struct packet_guard_counts counts;
	json_t *dropped = json_object();
	ingress_guard_read_counts(guard, &counts);
	for (enum packet_class class = PACKET_PASSED + 1; class < PACKET_CLASS_COUNT; class ++)
		if (counts.by_class[class] > 0)
			put_number(dropped, packet_class_word(class), counts.by_class[class]);
	return dropped;
}

static json_t *packet_guard_build(const struct daemon *daemon)
{
	const struct ingress_guard *guard = daemon->ingress_guard;
	const struct packet_guard *packets = ingress_guard_packets(guard);
	const char *cause = ingress_guard_cause(guard);
	json_t *object = json_object();
	put_text(object, "state", ingress_guard_state_word(ingress_guard_state(guard)));
	json_object_set_new(object, "why", cause != NULL ? json_bytes(cause) : json_null());
	put_boolean(object, "only_listen", daemon->config->packet_guard.has_only_listen);
	json_object_set_new(object, "interfaces",
			    status_build_places(packets != NULL ? packet_guard_places(packets) : NULL));
	json_object_set_new(object, "dropped", packets_dropped_build(guard));
	return object;
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static json_t *listens_build(const struct snapshot *snapshot, const struct service *service)
{
	json_t *listens = json_array();
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		const struct snapshot_listen *listen = &snapshot->listens[i];
		char address[ADDR_TEXT_BYTES];
		if (listen->service != service)
			continue;
		json_t *item = json_object();
		put_text(item, "protocol", listen->protocol == FLOW_UDP ? "udp" : "tcp");
		put_text(item, "address", addr_format(&listen->addr, address, sizeof(address)));
		put_boolean(item, "is_dual", listen->is_dual);
		json_array_append_new(listens, item);
	}
	return listens;
}

/* Sum of an array of counters that begins at `offset` of struct service_counters. */
static uint64_t sum_array(const struct service *service, size_t offset, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += service_sum(service, offset + i * sizeof(counter));
	return sum;
}

static json_t *reasons_build(const struct service *service, size_t offset)
{
	json_t *reasons = json_object();
	for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
		uint64_t count = service_sum(service, offset + reason * sizeof(counter));
		if (count > 0)
			put_number(reasons, reason_word(reason), count);
	}
	return reasons;
}

#define SUM(service, member) service_sum(service, offsetof(struct service_counters, member))
#define SUM_PROTOCOLS(service, member)                                                                                 \
	sum_array(service, offsetof(struct service_counters, member), FLOW_PROTOCOL_COUNT)

static void put_rate(json_t *object, const char *key, struct byte_rate rate)
{
	json_object_set_new(object, key,
			    rate.bytes_per_s != 0 ? json_integer((json_int_t)rate.bytes_per_s) : json_null());
}

static void put_bandwidth(json_t *object, const struct service *service)
{
	const struct service_bandwidth *bandwidth = &service->policy->bandwidth;
	put_rate(object, "bandwidth_max", bandwidth->total);
	put_rate(object, "upload_max", bandwidth->flow[FLOW_IN]);
	put_rate(object, "download_max", bandwidth->flow[FLOW_OUT]);
	put_number(object, "throttled_in_total", SUM(service, throttled[FLOW_IN]));
	put_number(object, "throttled_out_total", SUM(service, throttled[FLOW_OUT]));
}

json_t *status_build_service(const struct snapshot *snapshot, const struct service *service)
{
	json_t *object = json_object();
	put_text(object, "name", service->name);
	json_object_set_new(object, "listens", listens_build(snapshot, service));
	put_text(object, "pool", service->policy->pool->name);
	put_number(object, "flows_active", SUM_PROTOCOLS(service, flows_active));
	put_number(object, "flows_total", SUM_PROTOCOLS(service, flows));
	put_number(object, "bytes_in", SUM(service, bytes_in));
	put_number(object, "bytes_out", SUM(service, bytes_out));
	put_number(object, "packets_in", SUM(service, packets_in));
	put_number(object, "packets_out", SUM(service, packets_out));
	put_number(object, "packets_dropped", SUM(service, packets_dropped));
	put_number(object, "packets_limited", SUM(service, packets_limited));
	put_number(object, "queued", atomic_load_explicit(&service->queued_now, memory_order_relaxed));
	put_number(object, "queued_total", SUM(service, queued));
	put_number(object, "queue_timeouts_total", SUM(service, queue_timeouts));
	put_bandwidth(object, service);
	json_object_set_new(object, "path", path_document_build_service(snapshot, service));
	put_number(object, "refused_total",
		   sum_array(service, offsetof(struct service_counters, refused), REASON_COUNT));
	json_object_set_new(object, "refused", reasons_build(service, offsetof(struct service_counters, refused)));
	put_boolean(object, "is_on_trial", guard_is_trial(service->guard));
	json_object_set_new(object, "spared", reasons_build(service, offsetof(struct service_counters, spared)));
	json_object_set_new(object, "ended", reasons_build(service, offsetof(struct service_counters, ended)));
	return object;
}

json_t *status_build_services(const struct snapshot *snapshot)
{
	json_t *services = json_array();
	for (size_t i = 0; i < snapshot->service_count; i++)
		json_array_append_new(services, status_build_service(snapshot, snapshot->services[i]));
	return services;
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

static json_t *last_check_build(const struct daemon *daemon, const struct server *server)
{
	struct health_last last;
	if (daemon->health == NULL || !health_read_last(daemon->health, server, &last))
		return json_null();
	json_t *object = json_object();
	put_boolean(object, "good", last.was_good);
	put_number(object, "age_ms", daemon->loop.now_ms > last.at_ms ? daemon->loop.now_ms - last.at_ms : 0);
	put_number(object, "duration_us", last.duration_us);
	put_text(object, "cause", last.cause);
	return object;
}

static void put_server_counts(json_t *object, const struct server *server)
{
	struct {
		uint64_t flows, bytes_in, bytes_out, refused, timeout, failed;
	} sum = { 0 };
	for (uint32_t i = 0; i < server->worker_count; i++) {
		const struct server_counters *counters = &server->counters[i];
		sum.flows += counter_read(&counters->flows);
		sum.bytes_in += counter_read(&counters->bytes_in);
		sum.bytes_out += counter_read(&counters->bytes_out);
		sum.refused += counter_read(&counters->connect_refused);
		sum.timeout += counter_read(&counters->connect_timeout);
		sum.failed += counter_read(&counters->connect_failed);
	}
	json_t *failures = json_object();
	put_number(failures, reason_word(REASON_CONNECT_REFUSED), sum.refused);
	put_number(failures, reason_word(REASON_CONNECT_TIMEOUT), sum.timeout);
	put_number(failures, reason_word(REASON_CONNECT_FAILED), sum.failed);
	put_number(object, "flows_total", sum.flows);
	put_number(object, "bytes_in", sum.bytes_in);
	put_number(object, "bytes_out", sum.bytes_out);
	put_number(object, "connect_failures_total", sum.refused + sum.timeout + sum.failed);
	json_object_set_new(object, "connect_failures", failures);
}

json_t *status_build_server(const struct daemon *daemon, const struct server *server)
{
	char address[ADDR_TEXT_BYTES];
	json_t *object = json_object();
	uint64_t since_ms = server->state_since_ms > 0 ? server->state_since_ms : daemon->start_ms;
	put_text(object, "name", server->name);
	put_text(object, "address", addr_format(&server->addr, address, sizeof(address)));
	put_text(object, "state", server_state_word(state_of(server)));
	put_boolean(object, "is_ejected", (state_of(server) & SERVER_EJECTED) != 0);
	put_number(object, "state_age_ms", daemon->loop.now_ms > since_ms ? daemon->loop.now_ms - since_ms : 0);
	put_number(object, "weight", atomic_load_explicit(&server->weight, memory_order_relaxed));
	put_boolean(object, "is_backup", server->is_backup);
	put_number(object, "flows_active", server_active(server));
	put_server_counts(object, server);
	json_object_set_new(object, "last_check", last_check_build(daemon, server));
	return object;
}

/* An answer of a host has no ports: they stand in the directive. */
static json_t *resolved_build(const struct config_server *server)
{
	json_t *addresses = json_array();
	for (size_t i = 0; i < server->resolved_count; i++) {
		char text[ADDR_TEXT_BYTES];
		struct addr addr = server->resolved[i].addr;
		if (!server->is_srv)
			addr_set_port(&addr, server->port);
		json_array_append_new(addresses, json_bytes(addr_format(&addr, text, sizeof(text))));
	}
	return addresses;
}

static json_t *name_build(const struct config_server *server, const struct name_status *name)
{
	json_t *object = json_object();
	put_text(object, "host", server->host);
	put_boolean(object, "is_srv", server->is_srv);
	put_text(object, "state", name_state_word(name->state));
	json_object_set_new(object, "age_ms", name->has_answer ? json_integer((json_int_t)name->age_ms) : json_null());
	put_number(object, "ttl_ms", name->ttl_ms);
	json_object_set_new(object, "addresses", resolved_build(server));
	json_object_set_new(object, "last_error",
			    name->last_error != NULL ? json_bytes(name->last_error) : json_null());
	return object;
}

static json_t *names_build(const struct daemon *daemon, size_t number)
{
	json_t *names = json_array();
	if (daemon->names == NULL)
		return names;
	const struct config_pool *pool = &daemon->config->pools[number];
	for (size_t i = 0; i < pool->server_count; i++) {
		struct name_status name;
		if (names_read(daemon->names, pool, &pool->servers[i], &name))
			json_array_append_new(names, name_build(&pool->servers[i], &name));
	}
	return names;
}

static void add_addresses(json_t *array, const struct pool_addrs *addrs)
{
	char text[ADDR_TEXT_BYTES];
	for (uint32_t i = 0; i < addrs->count; i++)
		json_array_append_new(array, json_bytes(addr_format_ip(&addrs->addrs[i], text, sizeof(text))));
}

/* NULL where the kernel chooses. */
static json_t *source_build(const struct pool_policy *policy)
{
	char problem[POOL_SOURCES_PROBLEM_BYTES];
	if (!policy->source.is_client && policy->source.ipv4.count + policy->source.ipv6.count == 0)
		return json_null();
	json_t *object = json_object();
	json_t *addresses = json_array();
	add_addresses(addresses, &policy->source.ipv4);
	add_addresses(addresses, &policy->source.ipv6);
	put_boolean(object, "is_client", policy->source.is_client);
	json_object_set_new(object, "addresses", addresses);
	bool has_problem = pool_sources_find_problem(policy, problem);
	json_object_set_new(object, "problem", has_problem ? json_bytes(problem) : json_null());
	return object;
}

json_t *status_build_pool(const struct daemon *daemon, size_t number)
{
	const struct pool *pool = daemon->snapshot->pools[number];
	json_t *object = json_object();
	json_t *servers = json_array();
	for (size_t i = 0; i < pool->server_count; i++)
		json_array_append_new(servers, status_build_server(daemon, pool->servers[i]));
	put_text(object, "name", pool->name);
	put_text(object, "algorithm", pool_algorithm_word(pool->policy->algorithm));
	put_text(object, "check", pool_check_word(pool->policy->check.kind));
	put_number(object, "available_count", status_available_count(pool));
	put_boolean(object, "is_degraded", pool_is_degraded(daemon, number));
	json_object_set_new(object, "source", source_build(pool->policy));
	json_object_set_new(object, "servers", servers);
	json_object_set_new(object, "names", names_build(daemon, number));
	return object;
}

json_t *status_build_pools(const struct daemon *daemon)
{
	json_t *pools = json_array();
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
		json_array_append_new(pools, status_build_pool(daemon, i));
	return pools;
}

bool status_is_degraded(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++) {
		if (pool_is_degraded(daemon, i))
			return true;
	}
	return false;
}

static json_t *reloads_build(const struct daemon *daemon)
{
	json_t *object = json_object();
	put_number(object, "done_total", daemon->reload_count[true]);
	put_number(object, "failed_total", daemon->reload_count[false]);
	put_boolean(object, "is_last_good", daemon->was_last_reload_good);
	return object;
}

json_t *status_build(const struct daemon *daemon)
{
	json_t *status = json_object();
	put_text(status, "version", STRAIT_VERSION);
	put_number(status, "uptime_seconds", (daemon->loop.now_ms - daemon->start_ms) / 1000);
	put_number(status, "generation", daemon->snapshot->generation);
	put_text(status, "phase", daemon_phase_word(daemon->phase));
	put_boolean(status, "is_degraded", status_is_degraded(daemon));
	json_object_set_new(status, "reloads", reloads_build(daemon));
	put_number(status, "retired_count", retired_count(daemon->retired));
	json_object_set_new(status, "workers", workers_build(daemon));
	json_object_set_new(status, "limits", limits_build(daemon));
	json_object_set_new(status, "memory", memory_build(daemon));
	json_object_set_new(status, "log", log_build(daemon->log));
	json_object_set_new(status, "blocks", blocks_build(daemon->blocks));
	json_object_set_new(status, "streams", streams_build(daemon->event_stream));
	json_object_set_new(status, "packet_guard", packet_guard_build(daemon));
	json_object_set_new(status, "kernel_path", path_document_build(daemon));
	json_object_set_new(status, "services", status_build_services(daemon->snapshot));
	json_object_set_new(status, "pools", status_build_pools(daemon));
	return status;
}
