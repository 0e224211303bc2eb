/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/bare_flow.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "kernel/flow_table.h"
#include "relay/flow_admission.h"
#include "relay/flow_loss.h"
#include "relay/flow_observe.h"
#include "relay/flow_report.h"
#include "relay/relay.h"
#include "relay/tcp_queue.h"

static struct service_counters *counters_of(const struct bare_flow *flow)
{
	return &flow->service->counters[flow->relay->worker_index];
}

struct endpoint bare_flow_listen_endpoint(const struct bare_flow *flow)
{
	const struct flow_slot *slot = flow->kernel->slot;
	return flow_side_source(&slot->sides[FLOW_TO_CLIENT], slot->version);
}

struct endpoint bare_flow_local_endpoint(const struct bare_flow *flow)
{
	const struct flow_slot *slot = flow->kernel->slot;
	return flow_side_source(&slot->sides[FLOW_TO_SERVER], slot->version);
}

/* --- counts ------------------------------------------------------------------------------------------------------ */

static void count_packets(struct bare_flow *flow, const struct kernel_flow_counts *counts)
{
	if (flow->protocol != FLOW_UDP)
		return;
	flow->packets_in += counts->packets[FLOW_TO_SERVER];
	flow->packets_out += counts->packets[FLOW_TO_CLIENT];
	counter_add(&counters_of(flow)->packets_in, counts->packets[FLOW_TO_SERVER]);
	counter_add(&counters_of(flow)->packets_out, counts->packets[FLOW_TO_CLIENT]);
}

void bare_flow_fold(struct bare_flow *flow)
{
	struct kernel_flow_counts counts = kernel_flow_fold(flow->kernel);
	flow->bytes_in += counts.bytes[FLOW_TO_SERVER];
	flow->bytes_out += counts.bytes[FLOW_TO_CLIENT];
	counter_add(&counters_of(flow)->bytes_in, counts.bytes[FLOW_TO_SERVER]);
	counter_add(&counters_of(flow)->bytes_out, counts.bytes[FLOW_TO_CLIENT]);
	count_packets(flow, &counts);
	if (flow->path == FLOW_PATH_NAT)
		counter_add(&flow->relay->nat_bytes, counts.bytes[FLOW_TO_SERVER] + counts.bytes[FLOW_TO_CLIENT]);
	if (flow->server == NULL)
		return;
	struct server_counters *server = &flow->server->counters[flow->relay->worker_index];
	counter_add(&server->bytes_in, counts.bytes[FLOW_TO_SERVER]);
	counter_add(&server->bytes_out, counts.bytes[FLOW_TO_CLIENT]);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void release_memory(struct loop_deferred *deferred)
{
	struct bare_flow *flow = LIST_OWNER(deferred, struct bare_flow, deferred);
	if (flow->port_fd >= 0) {
		fd_close(&flow->port_fd);
		flow_ceiling_give(&flow->relay->settings->budget->descriptors, 1);
	}
	kernel_flow_free(&flow->kernel);
	slab_give(&flow->relay->bare_flows, flow);
}

static void count_end(struct bare_flow *flow, enum reason reason)
{
	struct service_counters *counters = counters_of(flow);
	uint64_t duration_ns = flow->relay->loop->now_ns - flow->start_ns;
	counter_add(&counters->ended[reason], 1);
	counter_subtract(&counters->flows_active[flow->protocol], 1);
	counter_subtract(&flow->relay->bare_active[flow->path], 1);
	flow_observe_end(flow->relay, flow->service, &flow->client, flow->bytes_in, flow->bytes_out);
	histogram_observe(&counters->duration, &histogram_flow_scale, duration_ns / CLOCK_NS_PER_US);
}

/* What limits count is given back as soon as a connection is over, though its entries stay a while. */
static void give_places(struct bare_flow *flow)
{
	if (flow->has_ticket)
		guard_release(flow->service->guard, flow->protocol == FLOW_TCP ? GUARD_CONNECTION : GUARD_SESSION,
			      &flow->client, flow->ticket);
	if (flow->kernel_count != NULL)
		__atomic_fetch_sub(flow->kernel_count, 1, __ATOMIC_RELAXED);
	flow->has_ticket = false;
	flow->kernel_count = NULL;
}

void bare_flow_end(struct bare_flow *flow, enum reason reason)
{
	CHECK(!flow->is_ended);
	flow->is_ended = true;
	kernel_flow_end(flow->kernel);
	bare_flow_fold(flow);
	flow_report_bare(flow, reason);
	count_end(flow, reason);
	if (flow->server != NULL)
		tcp_queue_give_place(flow->relay, flow->server);
	give_places(flow);
	loop_defer(flow->relay->loop, &flow->deferred, release_memory);
}

/* --- a look ------------------------------------------------------------------------------------------------------ */

static uint8_t flags_of(const struct bare_flow *flow, enum flow_way way)
{
	return __atomic_load_n(&flow->kernel->slot->sides[way].tcp_flags, __ATOMIC_RELAXED);
}

/* The FIN of that way has a number like a byte, behind all others, and the other end acknowledges it. */
static bool has_finished(const struct bare_flow *flow, enum flow_way way)
{
	const struct flow_slot *slot = flow->kernel->slot;
	const struct flow_side *side = &slot->sides[way];
	const struct flow_side *back = &slot->sides[way == FLOW_TO_SERVER ? FLOW_TO_CLIENT : FLOW_TO_SERVER];
	uint32_t fin = (uint32_t)__atomic_load_n(&side->bytes, __ATOMIC_RELAXED) + side->seq_delta;
	uint32_t acked = __atomic_load_n(&back->acked, __ATOMIC_RELAXED);
	return (flags_of(flow, way) & FLOW_TCP_FIN) != 0 && (int32_t)(acked - fin) > 0;
}

/* How a connection has ended, or REASON_NONE. Both ends may have had their FINs; what is sent again still passes then. */
static enum reason find_tcp_end(struct bare_flow *flow, uint64_t now_ms)
{
	uint8_t from_client = flags_of(flow, FLOW_TO_SERVER);
	uint8_t from_server = flags_of(flow, FLOW_TO_CLIENT);
	enum reason first = from_client & FLOW_TCP_FIN_FIRST ? REASON_CLIENT_FIN : REASON_SERVER_FIN;
	bool is_reset = ((from_client | from_server) & FLOW_TCP_RST) != 0;
	if (is_reset && (from_client & from_server & FLOW_TCP_FIN))
		return first; /* whoever has closed it does not want to hear of it any more */
	if (is_reset)
		return from_client & FLOW_TCP_RST ? REASON_CLIENT_RST : REASON_SERVER_RST;
	if (!has_finished(flow, FLOW_TO_SERVER) || !has_finished(flow, FLOW_TO_CLIENT))
		return REASON_NONE;
	if (flow->finished_ms == 0) {
		flow->finished_ms = now_ms;
		give_places(flow);
	}
	if (now_ms < flow->finished_ms + BARE_FLOW_LINGER_MS)
		return REASON_NONE;
	return first;
}

static uint64_t idle_limit_ms(const struct bare_flow *flow)
{
	const struct service_policy *policy = service_policy(flow->service);
	if (flow->protocol == FLOW_UDP)
		return policy->session_idle_ms;
	bool is_half_closed = (flags_of(flow, FLOW_TO_SERVER) | flags_of(flow, FLOW_TO_CLIENT)) & FLOW_TCP_FIN;
	return is_half_closed && policy->half_closed_ms < policy->idle_ms ? policy->half_closed_ms : policy->idle_ms;
}

static enum reason find_loss(const struct bare_flow *flow)
{
	if (flow->server == NULL)
		return REASON_NONE;
	return flow->protocol == FLOW_TCP ? flow_loss_of_connection(flow->server) : flow_loss_of_session(flow->server);
}

static enum reason find_end(struct bare_flow *flow, uint64_t now_ms)
{
	enum reason reason = flow->protocol == FLOW_TCP ? find_tcp_end(flow, now_ms) : REASON_NONE;
	if (reason == REASON_NONE && flow_is_blocked(flow->relay, &flow->client))
		reason = REASON_BLOCKED;
	if (reason == REASON_NONE)
		reason = find_loss(flow);
	if (reason == REASON_NONE && flow->finished_ms == 0 &&
	    now_ms >= kernel_flow_last_ms(flow->kernel) + idle_limit_ms(flow))
		reason = REASON_IDLE_TIMEOUT;
	return reason;
}

/* A flow that cannot come back stays where it is when there is no way for it: there may be one again. */
static void on_look(struct kernel_flow *kernel)
{
	struct bare_flow *flow = kernel->owner;
	uint64_t now_ms = flow->relay->loop->now_ms;
	if (flow->finished_ms != 0 && now_ms < flow->finished_ms + BARE_FLOW_LINGER_MS)
		return;
	bare_flow_fold(flow);
	enum reason reason = find_end(flow, now_ms);
	if (reason != REASON_NONE)
		bare_flow_end(flow, reason);
	else if (flow->finished_ms == 0)
		kernel_flow_has_way(kernel);
}

/* --- the beginning ----------------------------------------------------------------------------------------------- */

struct bare_flow *bare_flow_new(struct relay *relay, struct kernel_flow *kernel, const struct bare_flow_origin *origin)
{
	struct bare_flow *flow = slab_take(&relay->bare_flows);
	if (flow == NULL)
		return NULL;
	*flow = (struct bare_flow){
		.kernel = kernel,
		.relay = relay,
		.service = origin->service,
		.server = origin->server,
		.pool = origin->pool,
		.client = origin->client,
		.ticket = origin->ticket,
		.id = origin->id != 0 ? origin->id : relay->next_flow_id++,
		.start_ns = origin->start_ns,
		.connect_us = origin->connect_us,
		.bytes_in = origin->bytes_in,
		.bytes_out = origin->bytes_out,
		.path = (uint8_t)origin->path,
		.algorithm = origin->algorithm,
		.protocol = (uint8_t)origin->protocol,
		.retries = origin->retries,
		.kernel_count = origin->kernel_count,
		.has_ticket = origin->has_ticket,
		.port_fd = origin->has_port_fd ? origin->port_fd : -1,
	};
	kernel->owner = flow;
	kernel->on_look = on_look;
	counter_add(&relay->bare_active[flow->path], 1);
	return flow;
}
