/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics_table.h"

#include "control/nat_services.h"
#include "base/fd.h"
#include "base/version.h"
#include "control/blocks.h"
#include "control/process_usage.h"
#include "control/status.h"

#include <stddef.h>

/* The reasons that can end a flow which began, and those that can keep one from beginning. */
static bool can_end(enum reason reason)
{
	/*
	 * A UDP session finds out only after its beginning that nobody is there, and a connection what its client begins with;
	 * who is blocked may have flows; and a session without an answer makes room for another.
	 */
	return !reason_is_refusal(reason) || reason == REASON_CONNECT_REFUSED || reason == REASON_BLOCKED ||
	       reason == REASON_BAD_PROXY_HEADER || reason == REASON_LIMIT_SESSIONS;
}

/* Those that the guard of a service decides about. */
static bool can_be_spared(enum reason reason)
{
	return reason == REASON_DENIED_ACCESS || reason == REASON_LIMIT_CONNECTIONS ||
	       reason == REASON_LIMIT_PER_SOURCE || reason == REASON_LIMIT_RATE || reason == REASON_LIMIT_SESSIONS;
}

#define COUNT_END(name, word, is_refusal, meaning)     +((is_refusal) ? 0 : 1)
#define COUNT_REFUSAL(name, word, is_refusal, meaning) +((is_refusal) ? 1 : 0)
enum {
	END_REASONS = 4 REASON_LIST(COUNT_END),
	REFUSAL_REASONS = 0 REASON_LIST(COUNT_REFUSAL),
	SPARED_REASONS = 5,         /* see can_be_spared */
	HISTOGRAM_EXTRA_SERIES = 3, /* the last bucket, sum and count */
	FLOW_SCALE_SERIES = 9 + HISTOGRAM_EXTRA_SERIES,
	ANSWER_SCALE_SERIES = 15 + HISTOGRAM_EXTRA_SERIES,
	TURN_SCALE_SERIES = 13 + HISTOGRAM_EXTRA_SERIES,
	US_PER_MS = 1000,
};

/* --- writing ----------------------------------------------------------------------------------------------------- */

static struct metrics_series series_of(const struct metric *metric, const struct metric_subject *subject)
{
	return (struct metrics_series){ .name = metric->name, .suffix = "", .labels = &subject->labels, .more = "" };
}

static void put(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject,
		const char *more, uint64_t value)
{
	struct metrics_series series = series_of(metric, subject);
	series.more = more;
	metrics_text_number(text, &series, value);
}

static void put_us(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject,
		   uint64_t value_us)
{
	struct metrics_series series = series_of(metric, subject);
	metrics_text_microseconds(text, &series, value_us);
}

#define WRITER(name)                                                                                                   \
	static void name(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject)

/* --- the daemon -------------------------------------------------------------------------------------------------- */

WRITER(write_build_info)
{
	put(text, metric, subject, "version=\"" STRAIT_VERSION "\"", 1);
}

WRITER(write_start_time)
{
	put_us(text, metric, subject, (uint64_t)subject->daemon->start_realtime_us);
}

WRITER(write_generation)
{
	put(text, metric, subject, "", subject->daemon->snapshot->generation);
}

WRITER(write_last_reload)
{
	put(text, metric, subject, "", subject->daemon->was_last_reload_good);
}

WRITER(write_reloads)
{
	put(text, metric, subject, "result=\"success\"", subject->daemon->reload_count[true]);
	put(text, metric, subject, "result=\"failure\"", subject->daemon->reload_count[false]);
}

WRITER(write_blocks)
{
	struct blocks_counts counts = blocks_count(subject->daemon->blocks);
	put(text, metric, subject, "origin=\"api\"", counts.now[BLOCK_FROM_API]);
	put(text, metric, subject, "origin=\"service\"", counts.now[BLOCK_FROM_SERVICE]);
	put(text, metric, subject, "origin=\"configuration\"", counts.now[BLOCK_FROM_CONFIGURATION]);
}

WRITER(write_blocks_added)
{
	struct blocks_counts counts = blocks_count(subject->daemon->blocks);
	put(text, metric, subject, "origin=\"api\"", counts.added[BLOCK_FROM_API]);
	put(text, metric, subject, "origin=\"service\"", counts.added[BLOCK_FROM_SERVICE]);
	put(text, metric, subject, "origin=\"configuration\"", counts.added[BLOCK_FROM_CONFIGURATION]);
}

WRITER(write_degraded)
{
	put(text, metric, subject, "", status_is_degraded(subject->daemon));
}

WRITER(write_limits)
{
	const struct flow_budget *budget = &subject->daemon->budget;
	put(text, metric, subject, "resource=\"connections\"", budget->connections.max);
	put(text, metric, subject, "resource=\"sessions\"", budget->sessions.max);
	put(text, metric, subject, "resource=\"descriptors\"", budget->descriptors.max);
}

WRITER(write_limits_used)
{
	const struct flow_budget *budget = &subject->daemon->budget;
	put(text, metric, subject, "resource=\"connections\"", flow_ceiling_used(&budget->connections));
	put(text, metric, subject, "resource=\"sessions\"", flow_ceiling_used(&budget->sessions));
	put(text, metric, subject, "resource=\"descriptors\"", flow_ceiling_used(&budget->descriptors));
}

static struct worker_usage usage_of_workers(const struct metric_subject *subject)
{
	return workers_sum_usage(subject->daemon->workers, subject->daemon->worker_count);
}

WRITER(write_memory)
{
	struct worker_usage sum = usage_of_workers(subject);
	put(text, metric, subject, "kind=\"connections\"", sum.connection_bytes);
	put(text, metric, subject, "kind=\"sessions\"", sum.session_bytes);
	put(text, metric, subject, "kind=\"unsent\"", sum.tail_bytes);
	struct trends_usage trends = trends_usage(subject->daemon->trends);
	put(text, metric, subject, "kind=\"trends\"", trends.used_bytes + trends.queue_bytes);
}

WRITER(write_observations_dropped)
{
	put(text, metric, subject, "", trends_usage(subject->daemon->trends).observations_dropped);
}

WRITER(write_descriptors)
{
	put(text, metric, subject, "kind=\"open\"", fd_count_open());
	put(text, metric, subject, "kind=\"limit\"", fd_limit());
}

WRITER(write_packets_dropped)
{
	static const char *const labels[PACKET_CLASS_COUNT] = {
#define PACKET_LABEL(name, word, meaning) [PACKET_##name] = "reason=\"" word "\"",
		PACKET_CLASS_LIST(PACKET_LABEL)
#undef PACKET_LABEL
	};
	struct packet_guard_counts counts;
	ingress_guard_read_counts(subject->daemon->ingress_guard, &counts);
	for (enum packet_class class = PACKET_PASSED + 1; class < PACKET_CLASS_COUNT; class ++)
		put(text, metric, subject, labels[class], counts.by_class[class]);
}

WRITER(write_packet_guard_interfaces)
{
	const struct packet_guard *packets = ingress_guard_packets(subject->daemon->ingress_guard);
	put(text, metric, subject, "", packets != NULL ? packet_guard_places(packets)->count : 0);
}

static uint64_t sum_services(const struct daemon *daemon, size_t offset)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < daemon->snapshot->service_count; i++)
		sum += service_sum(daemon->snapshot->services[i], offset);
	return sum;
}

#define OFFSET(member) offsetof(struct service_counters, member)

/* Counts of different threads are read one after the other, so a difference may be a little below 0. */
static uint64_t without(uint64_t whole, uint64_t part)
{
	return whole > part ? whole - part : 0;
}

WRITER(write_path_flows)
{
	struct worker_usage usage = usage_of_workers(subject);
	uint64_t nat = usage.bare_flows[FLOW_PATH_NAT];
	uint64_t with_sockets = without(usage.kernel_flows, usage.bare_flows[FLOW_PATH_OFFLOAD] + nat);
	put(text, metric, subject, "path=\"relay\"", without(usage.connections + usage.sessions, with_sockets));
	put(text, metric, subject, "path=\"offload\"", without(usage.kernel_flows, nat));
	put(text, metric, subject, "path=\"nat\"", nat);
}

WRITER(write_path_bytes)
{
	uint64_t bytes =
		sum_services(subject->daemon, OFFSET(bytes_in)) + sum_services(subject->daemon, OFFSET(bytes_out));
	struct worker_usage usage = usage_of_workers(subject);
	put(text, metric, subject, "path=\"relay\"", without(bytes, usage.kernel_bytes));
	put(text, metric, subject, "path=\"offload\"", without(usage.kernel_bytes, usage.nat_bytes));
	put(text, metric, subject, "path=\"nat\"", usage.nat_bytes);
}

static const struct flow_table *table_of(const struct metric_subject *subject)
{
	return kernel_path_table(subject->daemon->kernel_path);
}

WRITER(write_kernel_path_packets)
{
	static const char *const labels[FLOW_COUNT_COUNT] = {
#define FLOW_LABEL(name, word, meaning) [FLOW_COUNT_##name] = "result=\"" word "\"",
		FLOW_COUNT_LIST(FLOW_LABEL)
#undef FLOW_LABEL
	};
	struct flow_table_counts counts = { { 0 } };
	if (table_of(subject) != NULL)
		flow_table_read_counts(table_of(subject), &counts);
	for (enum flow_count kind = 0; kind < FLOW_COUNT_COUNT; kind++)
		put(text, metric, subject, labels[kind], counts.by_kind[kind]);
}

WRITER(write_kernel_path_nat)
{
	static const char *const labels[NAT_COUNT_COUNT] = {
#define NAT_LABEL(name, word, meaning) [NAT_COUNT_##name] = "result=\"" word "\"",
		NAT_COUNT_LIST(NAT_LABEL)
#undef NAT_LABEL
	};
	const struct nat_services *services = kernel_path_nat(subject->daemon->kernel_path);
	struct nat_table_counts counts = { { 0 } };
	if (services != NULL)
		nat_table_read_counts(nat_services_table(services), &counts);
	for (enum nat_count kind = 0; kind < NAT_COUNT_COUNT; kind++)
		put(text, metric, subject, labels[kind], counts.by_kind[kind]);
}

WRITER(write_kernel_path_offload)
{
	struct worker_usage usage = usage_of_workers(subject);
	for (enum tcp_offload_outcome outcome = 0; outcome < TCP_OFFLOAD_OUTCOME_COUNT; outcome++) {
		char label[48];
		snprintf(label, sizeof(label), "result=\"%s\"", tcp_offload_outcome_word(outcome));
		put(text, metric, subject, label, usage.offload_outcomes[outcome]);
	}
}

WRITER(write_kernel_path_interfaces)
{
	put(text, metric, subject, "", table_of(subject) != NULL ? flow_table_places(table_of(subject))->count : 0);
}

WRITER(write_kernel_path_flows)
{
	put(text, metric, subject, "", table_of(subject) != NULL ? flow_table_flows(table_of(subject)) : 0);
}

WRITER(write_kernel_path_flows_max)
{
	put(text, metric, subject, "", table_of(subject) != NULL ? flow_table_flows_max(table_of(subject)) : 0);
}

WRITER(write_cpu)
{
	put_us(text, metric, subject, process_cpu_us());
}

WRITER(write_resident)
{
	put(text, metric, subject, "", process_memory().resident_bytes);
}

WRITER(write_virtual)
{
	put(text, metric, subject, "", process_memory().virtual_bytes);
}

WRITER(write_open_fds)
{
	put(text, metric, subject, "", fd_count_open());
}

WRITER(write_max_fds)
{
	put(text, metric, subject, "", fd_limit());
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static void put_protocols(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject,
			  size_t offset)
{
	put(text, metric, subject, "protocol=\"tcp\"",
	    service_sum(subject->service, offset + FLOW_TCP * sizeof(counter)));
	put(text, metric, subject, "protocol=\"udp\"",
	    service_sum(subject->service, offset + FLOW_UDP * sizeof(counter)));
}

WRITER(write_flows)
{
	put_protocols(text, metric, subject, OFFSET(flows));
}

WRITER(write_flows_active)
{
	put_protocols(text, metric, subject, OFFSET(flows_active));
}

static const char *reason_label(enum reason reason)
{
	static const char *const labels[REASON_COUNT] = { [REASON_NONE] = "reason=\"none\"",
#define REASON_LABEL(name, word, is_refusal, meaning) [REASON_##name] = "reason=\"" word "\"",
							  REASON_LIST(REASON_LABEL)
#undef REASON_LABEL
	};
	return labels[reason];
}

static void put_reasons(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject,
			size_t offset, bool (*belongs)(enum reason reason))
{
	for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		if (belongs(reason))
			put(text, metric, subject, reason_label(reason),
			    service_sum(subject->service, offset + reason * sizeof(counter)));
}

WRITER(write_ended)
{
	put_reasons(text, metric, subject, OFFSET(ended), can_end);
}

WRITER(write_refused)
{
	put_reasons(text, metric, subject, OFFSET(refused), reason_is_refusal);
}

WRITER(write_bytes)
{
	put(text, metric, subject, "direction=\"in\"", service_sum(subject->service, OFFSET(bytes_in)));
	put(text, metric, subject, "direction=\"out\"", service_sum(subject->service, OFFSET(bytes_out)));
}

WRITER(write_packets)
{
	put(text, metric, subject, "direction=\"in\"", service_sum(subject->service, OFFSET(packets_in)));
	put(text, metric, subject, "direction=\"out\"", service_sum(subject->service, OFFSET(packets_out)));
}

WRITER(write_datagrams_dropped)
{
	put(text, metric, subject, "", service_sum(subject->service, OFFSET(packets_dropped)));
}

WRITER(write_packets_limited)
{
	put(text, metric, subject, "", service_sum(subject->service, OFFSET(packets_limited)));
}

WRITER(write_spared)
{
	put_reasons(text, metric, subject, OFFSET(spared), can_be_spared);
}

WRITER(write_duration)
{
	struct histogram_total total = { 0 };
	struct metrics_series series = series_of(metric, subject);
	for (uint32_t i = 0; i < subject->service->worker_count; i++)
		histogram_add_to(&subject->service->counters[i].duration, &total);
	metrics_text_histogram(text, &series, &histogram_flow_scale, &total);
}

WRITER(write_queued_now)
{
	put(text, metric, subject, "", atomic_load_explicit(&subject->service->queued_now, memory_order_relaxed));
}

WRITER(write_queued)
{
	put(text, metric, subject, "", service_sum(subject->service, OFFSET(queued)));
}

WRITER(write_queue_timeouts)
{
	put(text, metric, subject, "", service_sum(subject->service, OFFSET(queue_timeouts)));
}

WRITER(write_throttled)
{
	put(text, metric, subject, "direction=\"in\"", service_sum(subject->service, OFFSET(throttled[FLOW_IN])));
	put(text, metric, subject, "direction=\"out\"", service_sum(subject->service, OFFSET(throttled[FLOW_OUT])));
}

WRITER(write_bandwidth_limits)
{
	const struct service_bandwidth *bandwidth = &subject->service->policy->bandwidth;
	put(text, metric, subject, "limit=\"bandwidth\"", bandwidth->total.bytes_per_s);
	put(text, metric, subject, "limit=\"upload\"", bandwidth->flow[FLOW_IN].bytes_per_s);
	put(text, metric, subject, "limit=\"download\"", bandwidth->flow[FLOW_OUT].bytes_per_s);
}

WRITER(write_anomaly)
{
	static const char *const labels[SERVICE_MEASURE_COUNT] = {
		[SERVICE_FLOWS] = "measure=\"flows\"",
		[SERVICE_BYTES] = "measure=\"bytes\"",
		[SERVICE_REFUSED] = "measure=\"refused\"",
	};
	for (enum service_measure measure = 0; measure < SERVICE_MEASURE_COUNT; measure++) {
		struct usual_verdict verdict = { .is_unusual = false };
		trends_read_usual(subject->daemon->trends, subject->service, measure, &verdict);
		put(text, metric, subject, labels[measure], verdict.is_unusual);
	}
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

WRITER(write_pool_servers)
{
	put(text, metric, subject, "", subject->pool->server_count);
}

WRITER(write_pool_available)
{
	put(text, metric, subject, "", status_available_count(subject->pool));
}

WRITER(write_connect_duration)
{
	struct histogram_total total = { 0 };
	struct metrics_series series = series_of(metric, subject);
	for (uint32_t i = 0; i < subject->pool->worker_count; i++)
		histogram_add_to(&subject->pool->counters[i].connect, &total);
	metrics_text_histogram(text, &series, &histogram_answer_scale, &total);
}

WRITER(write_check_duration)
{
	struct histogram_total total = { 0 };
	struct metrics_series series = series_of(metric, subject);
	histogram_add_to(&subject->pool->check, &total);
	metrics_text_histogram(text, &series, &histogram_answer_scale, &total);
}

/* --- servers ----------------------------------------------------------------------------------------------------- */

static uint64_t sum_server(const struct server *server, size_t offset)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < server->worker_count; i++)
		sum += counter_read((const counter *)((const char *)&server->counters[i] + offset));
	return sum;
}

#define SERVER_SUM(subject, member) sum_server((subject)->server, offsetof(struct server_counters, member))

WRITER(write_server_up)
{
	put(text, metric, subject, "", server_is_available(subject->server, 0));
}

WRITER(write_server_flows)
{
	put(text, metric, subject, "", SERVER_SUM(subject, flows));
}

WRITER(write_server_active)
{
	put(text, metric, subject, "", server_active(subject->server));
}

WRITER(write_server_bytes)
{
	put(text, metric, subject, "direction=\"in\"", SERVER_SUM(subject, bytes_in));
	put(text, metric, subject, "direction=\"out\"", SERVER_SUM(subject, bytes_out));
}

WRITER(write_server_failures)
{
	put(text, metric, subject, reason_label(REASON_CONNECT_REFUSED), SERVER_SUM(subject, connect_refused));
	put(text, metric, subject, reason_label(REASON_CONNECT_TIMEOUT), SERVER_SUM(subject, connect_timeout));
	put(text, metric, subject, reason_label(REASON_CONNECT_FAILED), SERVER_SUM(subject, connect_failed));
}

WRITER(write_server_weight)
{
	put(text, metric, subject, "", atomic_load_explicit(&subject->server->weight, memory_order_relaxed));
}

WRITER(write_server_transitions)
{
	static const char *const labels[SERVER_CONDITION_COUNT] = {
		[SERVER_IS_UP] = "to=\"up\"",
		[SERVER_IS_DOWN] = "to=\"down\"",
		[SERVER_IS_DRAINING] = "to=\"drain\"",
		[SERVER_IS_IN_MAINT] = "to=\"maint\"",
	};
	for (enum server_condition to = 0; to < SERVER_CONDITION_COUNT; to++)
		put(text, metric, subject, labels[to], subject->server->conditions.counts[to]);
}

/* --- workers and the log ----------------------------------------------------------------------------------------- */

WRITER(write_busy)
{
	/* A ratio has the digits that seconds have. */
	put_us(text, metric, subject, worker_loads_busy_ppm(&subject->daemon->loads, subject->worker));
}

WRITER(write_turns)
{
	struct histogram_total total = { 0 };
	struct metrics_series series = series_of(metric, subject);
	histogram_add_to(&worker_load(subject->daemon->workers[subject->worker])->turn, &total);
	metrics_text_histogram(text, &series, &histogram_turn_scale, &total);
}

WRITER(write_log_dropped)
{
	put(text, metric, subject, "", subject->log_dropped);
}

/* --- the table --------------------------------------------------------------------------------------------------- */

/* clang-format off: a table is read by its columns */
const struct metric metrics_table[] = {
	{ "strait_build_info", METRIC_GAUGE, METRIC_OF_DAEMON, "version", "1; the version stands in the label", 1,
	  write_build_info },
	{ "strait_start_time_seconds", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "When the daemon started, since 1970-01-01 UTC", 1, write_start_time },
	{ "strait_degraded", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "1 when a server is down, a name cannot be resolved or a pool has no server left", 1, write_degraded },
	{ "strait_config_generation", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "Number of the configuration in force; it rises with every change", 1, write_generation },
	{ "strait_config_last_reload_success", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "1 when the last reload was taken, or there was none", 1, write_last_reload },
	{ "strait_config_reloads_total", METRIC_COUNTER, METRIC_OF_DAEMON, "result=success|failure",
	  "Reloads, and configurations sent to the admin API", 2, write_reloads },
	{ "strait_blocks", METRIC_GAUGE, METRIC_OF_DAEMON, "origin=api|service|configuration",
	  "Networks that are blocked", 3, write_blocks },
	{ "strait_blocks_added_total", METRIC_COUNTER, METRIC_OF_DAEMON, "origin=api|service|configuration",
	  "Networks that came to be blocked", 3, write_blocks_added },
	{ "strait_limit", METRIC_GAUGE, METRIC_OF_DAEMON, "resource=connections|sessions|descriptors",
	  "The daemon's ceilings", 3, write_limits },
	{ "strait_limit_used", METRIC_GAUGE, METRIC_OF_DAEMON, "resource=connections|sessions|descriptors",
	  "How much of each ceiling is taken", 3, write_limits_used },
	{ "strait_memory_bytes", METRIC_GAUGE, METRIC_OF_DAEMON, "kind=connections|sessions|unsent|trends",
	  "User memory of connections, of sessions, of what cannot be passed on yet, and of the trends", 4,
	  write_memory },
	{ "strait_trends_observations_dropped_total", METRIC_COUNTER, METRIC_OF_DAEMON, NULL,
	  "What workers saw of flows and the trends did not learn, because it came too fast", 1,
	  write_observations_dropped },
	{ "strait_file_descriptors", METRIC_GAUGE, METRIC_OF_DAEMON, "kind=open|limit", "Descriptors of the process", 2,
	  write_descriptors },
	{ "strait_packets_dropped_total", METRIC_COUNTER, METRIC_OF_DAEMON, "reason",
	  "Packets that the packet guard dropped before they became a flow, or a part of one", PACKET_CLASS_COUNT - 1,
	  write_packets_dropped },
	{ "strait_packet_guard_interfaces", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "Interfaces that the packet guard is at; 0 when it is off or not allowed", 1, write_packet_guard_interfaces },
	{ "strait_kernel_path_packets_total", METRIC_COUNTER, METRIC_OF_DAEMON, "result",
	  "Packets of flows in the kernel path: sent on, or else why not", FLOW_COUNT_COUNT,
	  write_kernel_path_packets },
	{ "strait_kernel_path_nat_total", METRIC_COUNTER, METRIC_OF_DAEMON, "result",
	  "Flows that began in the kernel, and packets that did not begin one there and why", NAT_COUNT_COUNT,
	  write_kernel_path_nat },
	{ "strait_kernel_path_offload_total", METRIC_COUNTER, METRIC_OF_DAEMON, "result",
	  "TCP connections that were to be moved into the kernel: joined, or else what was in the way",
	  TCP_OFFLOAD_OUTCOME_COUNT, write_kernel_path_offload },
	{ "strait_kernel_path_interfaces", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "Interfaces that the kernel path's program is at; 0 when it is off or not allowed", 1,
	  write_kernel_path_interfaces },
	{ "strait_kernel_path_flows", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Places taken in the kernel path's table",
	  1, write_kernel_path_flows },
	{ "strait_kernel_path_flows_max", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Places in the kernel path's table", 1,
	  write_kernel_path_flows_max },
	{ "strait_path_flows_active", METRIC_GAUGE, METRIC_OF_DAEMON, "path=relay|offload|nat",
	  "Flows by the way their bytes travel", 3, write_path_flows },
	{ "strait_path_bytes_total", METRIC_COUNTER, METRIC_OF_DAEMON, "path=relay|offload|nat",
	  "Bytes of both directions by the way they travelled", 3, write_path_bytes },

	{ "strait_service_flows_total", METRIC_COUNTER, METRIC_OF_SERVICE, "protocol=tcp|udp",
	  "Flows that began; refused ones not", 2, write_flows },
	{ "strait_service_flows_active", METRIC_GAUGE, METRIC_OF_SERVICE, "protocol=tcp|udp",
	  "Flows now, those that still connect included", 2, write_flows_active },
	{ "strait_service_flows_ended_total", METRIC_COUNTER, METRIC_OF_SERVICE, "reason",
	  "Flows that began and have ended", END_REASONS, write_ended },
	{ "strait_service_refused_total", METRIC_COUNTER, METRIC_OF_SERVICE, "reason", "Flows that never began",
	  REFUSAL_REASONS, write_refused },
	{ "strait_service_bytes_total", METRIC_COUNTER, METRIC_OF_SERVICE, "direction=in|out",
	  "Payload bytes: in is what came from clients", 2, write_bytes },
	{ "strait_service_packets_total", METRIC_COUNTER, METRIC_OF_SERVICE, "direction=in|out",
	  "UDP datagrams: in is what came from clients", 2, write_packets },
	{ "strait_service_spared_total", METRIC_COUNTER, METRIC_OF_SERVICE, "reason",
	  "Flows and UDP datagrams that would have been refused but for guard dry-run", SPARED_REASONS, write_spared },
	{ "strait_service_packets_dropped_total", METRIC_COUNTER, METRIC_OF_SERVICE, NULL,
	  "UDP datagrams that could not be passed on, or were not to be", 1, write_datagrams_dropped },
	{ "strait_service_packets_limited_total", METRIC_COUNTER, METRIC_OF_SERVICE, NULL,
	  "UDP datagrams above per-source-packets=", 1, write_packets_limited },
	{ "strait_service_flow_duration_seconds", METRIC_HISTOGRAM, METRIC_OF_SERVICE, NULL,
	  "How long flows lived that have ended", FLOW_SCALE_SERIES, write_duration },
	{ "strait_service_queued", METRIC_GAUGE, METRIC_OF_SERVICE, NULL,
	  "Connections that wait for a place at a server", 1, write_queued_now },
	{ "strait_service_queued_total", METRIC_COUNTER, METRIC_OF_SERVICE, NULL,
	  "Connections that began to wait for a place at a server", 1, write_queued },
	{ "strait_service_queue_timeouts_total", METRIC_COUNTER, METRIC_OF_SERVICE, NULL,
	  "Connections that waited for a place in vain", 1, write_queue_timeouts },
	{ "strait_service_bandwidth_limit_bytes_per_second", METRIC_GAUGE, METRIC_OF_SERVICE,
	  "limit=bandwidth|upload|download", "Limits of bandwidth; 0 where there is none", 3, write_bandwidth_limits },
	{ "strait_service_throttled_total", METRIC_COUNTER, METRIC_OF_SERVICE, "direction=in|out",
	  "Times that a flow had to wait for its bandwidth or its service's: in is from clients", 2, write_throttled },
	{ "strait_service_anomaly", METRIC_GAUGE, METRIC_OF_SERVICE, "measure=flows|bytes|refused",
	  "1 while there is far more or less of it than is usual at this time", SERVICE_MEASURE_COUNT, write_anomaly },

	{ "strait_pool_servers", METRIC_GAUGE, METRIC_OF_POOL, NULL, "Servers of the pool", 1, write_pool_servers },
	{ "strait_pool_servers_available", METRIC_GAUGE, METRIC_OF_POOL, NULL, "Servers that may receive new flows", 1,
	  write_pool_available },
	{ "strait_server_connect_duration_seconds", METRIC_HISTOGRAM, METRIC_OF_POOL, NULL,
	  "How long connects to servers took that succeeded", ANSWER_SCALE_SERIES, write_connect_duration },
	{ "strait_health_check_duration_seconds", METRIC_HISTOGRAM, METRIC_OF_POOL, NULL,
	  "How long health checks took, good or bad", ANSWER_SCALE_SERIES, write_check_duration },

	{ "strait_server_up", METRIC_GAUGE, METRIC_OF_SERVER, NULL,
	  "1 when the server may receive new flows: neither down nor ejected, drained or in maint", 1,
	  write_server_up },
	{ "strait_server_flows_total", METRIC_COUNTER, METRIC_OF_SERVER, NULL, "Flows that reached the server", 1,
	  write_server_flows },
	{ "strait_server_flows_active", METRIC_GAUGE, METRIC_OF_SERVER, NULL,
	  "Flows now, those that still connect included", 1, write_server_active },
	{ "strait_server_bytes_total", METRIC_COUNTER, METRIC_OF_SERVER, "direction=in|out",
	  "Payload bytes: in is what came from clients", 2, write_server_bytes },
	{ "strait_server_connect_failures_total", METRIC_COUNTER, METRIC_OF_SERVER,
	  "reason=connect_refused|connect_timeout|connect_failed",
	  "Connects that failed, those that were tried again elsewhere included", 3, write_server_failures },
	{ "strait_server_weight", METRIC_GAUGE, METRIC_OF_SERVER, NULL, "Its share of new flows, relative to others", 1,
	  write_server_weight },
	{ "strait_server_transitions_total", METRIC_COUNTER, METRIC_OF_SERVER, "to=up|down|drain|maint",
	  "Changes of its state", SERVER_CONDITION_COUNT, write_server_transitions },

	{ "strait_worker_busy_ratio", METRIC_GAUGE, METRIC_OF_WORKER, NULL,
	  "Share of about the last 10 seconds in which the worker did not wait for events", 1, write_busy },
	{ "strait_worker_loop_lag_seconds", METRIC_HISTOGRAM, METRIC_OF_WORKER, NULL,
	  "How long turns of the worker's loop took: an event that came meanwhile waited at most so long",
	  TURN_SCALE_SERIES, write_turns },

	{ "strait_log_dropped_total", METRIC_COUNTER, METRIC_OF_LOG, NULL,
	  "Records and events that were lost: in the rings before the log writer, or at a sink", 1, write_log_dropped },

	{ "process_cpu_seconds_total", METRIC_COUNTER, METRIC_OF_DAEMON, NULL, "User and system time of the process", 1,
	  write_cpu },
	{ "process_resident_memory_bytes", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Memory of the process that is in RAM",
	  1, write_resident },
	{ "process_virtual_memory_bytes", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Address space of the process", 1,
	  write_virtual },
	{ "process_open_fds", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Descriptors that are open", 1, write_open_fds },
	{ "process_max_fds", METRIC_GAUGE, METRIC_OF_DAEMON, NULL, "Descriptors that may be open", 1, write_max_fds },
	{ "process_start_time_seconds", METRIC_GAUGE, METRIC_OF_DAEMON, NULL,
	  "When the process started, since 1970-01-01 UTC", 1, write_start_time },
};
/* clang-format on */
const size_t metrics_table_count = sizeof(metrics_table) / sizeof(metrics_table[0]);

const char *metric_type_word(enum metric_type type)
{
	static const char *const words[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};
	return words[type];
}

const char *metric_scope_labels(enum metric_scope scope)
{
	static const char *const labels[METRIC_SCOPE_COUNT] = {
		[METRIC_OF_DAEMON] = "",       [METRIC_OF_SERVICE] = "service",
		[METRIC_OF_POOL] = "pool",     [METRIC_OF_SERVER] = "pool, server",
		[METRIC_OF_WORKER] = "worker", [METRIC_OF_LOG] = "sink",
	};
	return labels[scope];
}
