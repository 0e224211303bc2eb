/* SPDX-License-Identifier: Apache-2.0 */
#include "control/path_document.h"

#include "config/flow_path.h"
#include "control/json_bytes.h"
#include "control/kernel_path.h"
#include "control/status.h"
#include "control/nat_services.h"

static json_t *text_or_null(const char *text)
{
	return text != NULL ? json_bytes(text) : json_null();
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* --- the kernel path --------------------------------------------------------------------------------------------- */

static json_t *packets_build(const struct flow_table *table)
{
	struct flow_table_counts counts = { { 0 } };
	json_t *packets = json_object();
	if (table != NULL)
		flow_table_read_counts(table, &counts);
	for (enum flow_count kind = 0; kind < FLOW_COUNT_COUNT; kind++)
		json_object_set_new(packets, flow_count_word(kind), number(counts.by_kind[kind]));
	return packets;
}

/* What became of packets that could have begun a flow in the kernel. */
static json_t *begun_build(const struct nat_services *services)
{
	struct nat_table_counts counts;
	json_t *begun = json_object();
	if (services == NULL)
		return begun;
	nat_table_read_counts(nat_services_table(services), &counts);
	for (enum nat_count kind = 0; kind < NAT_COUNT_COUNT; kind++)
		json_object_set_new(begun, nat_count_word(kind), number(counts.by_kind[kind]));
	return begun;
}

/* What became of TCP connections that were to be moved into the kernel. */
static json_t *offload_build(const struct daemon *daemon)
{
	struct worker_usage usage = workers_sum_usage(daemon->workers, daemon->worker_count);
	json_t *offload = json_object();
	for (enum tcp_offload_outcome outcome = 0; outcome < TCP_OFFLOAD_OUTCOME_COUNT; outcome++)
		json_object_set_new(offload, tcp_offload_outcome_word(outcome),
				    number(usage.offload_outcomes[outcome]));
	return offload;
}

static json_t *flows_build(const struct flow_table *table)
{
	json_t *flows = json_object();
	json_object_set_new(flows, "used", number(table != NULL ? flow_table_flows(table) : 0));
	json_object_set_new(flows, "max", number(table != NULL ? flow_table_flows_max(table) : 0));
	return flows;
}

json_t *path_document_build(const struct daemon *daemon)
{
	const struct kernel_path *path = daemon->kernel_path;
	const struct flow_table *table = kernel_path_table(path);
	json_t *object = json_object();
	json_object_set_new(object, "state", json_string(kernel_path_state_word(kernel_path_state(path))));
	json_object_set_new(object, "why", text_or_null(kernel_path_cause(path)));
	json_object_set_new(object, "why_not_pinned", text_or_null(kernel_path_pins_cause(path)));
	json_object_set_new(object, "interfaces", status_build_places(table != NULL ? flow_table_places(table) : NULL));
	json_object_set_new(object, "flows", flows_build(table));
	json_object_set_new(object, "packets", packets_build(table));
	json_object_set_new(object, "offload", offload_build(daemon));
	json_object_set_new(object, "nat", begun_build(kernel_path_nat(path)));
	return object;
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static bool listens_for(const struct snapshot *snapshot, const struct service *service, enum flow_protocol protocol)
{
	for (size_t i = 0; i < snapshot->listen_count; i++)
		if (snapshot->listens[i].service == service && snapshot->listens[i].protocol == protocol)
			return true;
	return false;
}

static json_t *obstacles_build(uint32_t obstacles)
{
	json_t *list = json_array();
	for (enum flow_obstacle i = 0; i < FLOW_OBSTACLE_COUNT; i++)
		if (obstacles & 1u << i)
			json_array_append_new(list, json_string(flow_obstacle_text(i)));
	return list;
}

static json_t *protocol_build(const struct service_policy *policy, enum flow_protocol protocol)
{
	json_t *object = json_object();
	const char *path = policy->offloads[protocol] ? "offload" : "relay";
	json_object_set_new(object, "path", json_string(policy->begins_in_kernel ? "nat" : path));
	json_object_set_new(object, "obstacles",
			    obstacles_build(policy->begins_in_kernel ? 0 : policy->path_obstacles[protocol]));
	return object;
}

json_t *path_document_build_service(const struct snapshot *snapshot, const struct service *service)
{
	const struct service_policy *policy = service->policy;
	json_t *object = json_object();
	json_object_set_new(object, "configured", json_string(policy->path));
	if (listens_for(snapshot, service, FLOW_TCP))
		json_object_set_new(object, "tcp", protocol_build(policy, FLOW_TCP));
	if (listens_for(snapshot, service, FLOW_UDP))
		json_object_set_new(object, "udp", protocol_build(policy, FLOW_UDP));
	return object;
}
