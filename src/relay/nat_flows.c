/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/nat_flows.h"

#include "base/check.h"
#include "base/clock.h"
#include "kernel/flow_table.h"
#include "kernel/nat_table.h"
#include "relay/bare_flow.h"
#include "relay/flow_admission.h"
#include "relay/flow_observe.h"
#include "relay/flow_report.h"
#include "kernel/nat_directory.h"
#include "relay/relay.h"

#include <netinet/in.h>
#include <string.h>

enum {
	LOOK_MS = 20,
	WAYS_MAX = 16, /* that are learnt at each look */
	FILL_MS = 100, /* until slots are looked for again, when there were too few */
};

static struct endpoint client_of(const struct nat_event *event)
{
	struct endpoint client = {
		.ip = { [10] = 0xff, [11] = 0xff },
		.port = ntohs(event->client_port_be16),
		.family = event->version == 4 ? AF_INET : AF_INET6,
	};
	if (event->version == 4)
		memcpy(client.ip + 12, event->client, 4);
	else
		memcpy(client.ip, event->client, 16);
	return client;
}

static enum flow_protocol protocol_of(const struct nat_event *event)
{
	return event->protocol == IPPROTO_UDP ? FLOW_UDP : FLOW_TCP;
}

/* What the program has counted the flow in. */
static uint32_t *kernel_count_of(const struct nat_directory *directory, const struct nat_event *event)
{
	return &nat_table_service(directory->table, event->service)->flows[protocol_of(event)];
}

/* --- flows that have begun --------------------------------------------------------------------------------------- */

static void count_begin(struct relay *relay, const struct bare_flow *flow)
{
	struct service_counters *counters = &flow->service->counters[relay->worker_index];
	counter_add(&counters->flows[flow->protocol], 1);
	counter_add(&counters->flows_active[flow->protocol], 1);
	counter_add(&flow->server->counters[relay->worker_index].flows, 1);
	if (flow->protocol == FLOW_TCP)
		histogram_observe(&flow->pool->counters[relay->worker_index].connect, &histogram_answer_scale,
				  flow->connect_us);
	flow_observe_begin(relay, flow->service, &flow->client);
}

/* Its service or server is gone, or there is no memory for it: its next packet ends it. */
static void forget(const struct nat_directory *directory, const struct nat_event *event)
{
	flow_table_end(directory->flows, event->slot);
	flow_table_give(directory->flows, event->slot);
	__atomic_fetch_sub(kernel_count_of(directory, event), 1, __ATOMIC_RELAXED);
}

static struct bare_flow *take(struct relay *relay, const struct nat_event *event, struct service *service,
			      struct server *server)
{
	const struct nat_directory *directory = relay->nat_flows.directory;
	enum flow_protocol protocol = protocol_of(event);
	struct kernel_flow *kernel = kernel_flow_adopt(relay, directory->flows, event->slot);
	if (kernel == NULL)
		return NULL;
	struct bare_flow_origin origin = {
		.service = service,
		.server = server,
		.pool = server->pool,
		.client = client_of(event),
		.start_ns = kernel->slot->start_ns,
		.connect_us = protocol == FLOW_TCP ? event->connect_us : 0,
		.path = FLOW_PATH_NAT,
		.protocol = protocol,
		.algorithm = (uint8_t)pool_policy(server->pool)->algorithm,
		.retries = (uint8_t)event->tried_count,
		.kernel_count = kernel_count_of(directory, event),
		.has_ticket = true,
	};
	origin.ticket = guard_enter(service->guard, protocol == FLOW_TCP ? GUARD_CONNECTION : GUARD_SESSION,
				    &origin.client, relay->loop->now_ns);
	kernel->slot->algorithm = origin.algorithm;
	/* The way back is that by which the client has come, until routes change. */
	kernel->routes_epoch = relay_settings_routes_epoch(relay->settings);
	kernel->is_way_back_unknown = event->is_way_known == 0;
	server_enter_always(server);
	server_note_success(server);
	struct bare_flow *flow = bare_flow_new(relay, kernel, &origin);
	CHECK(flow != NULL); /* as many as flows of the kernel */
	return flow;
}

/* So that flows to come know it from the start. Only of some each time, because each costs a question to the kernel. */
static void note_way_back(struct relay *relay, struct kernel_flow *kernel, const struct endpoint *client)
{
	struct nat_flows *flows = &relay->nat_flows;
	uint32_t interface_index = kernel->slot->sides[FLOW_TO_CLIENT].way_out & FLOW_INTERFACE_BITS;
	uint32_t routes_epoch;
	if (!kernel->is_way_back_unknown || flows->ways_left == 0)
		return;
	flows->ways_left--;
	uint32_t way_out = kernel_flow_learn_way_back(kernel, &routes_epoch);
	nat_table_note_way(flows->directory->table, client, interface_index, routes_epoch, way_out);
}

/* It is counted by the guard now, or never will be. */
static void settle(const struct nat_directory *directory, const struct nat_event *event)
{
	struct nat_service *service = nat_table_service(directory->table, event->service);
	__atomic_fetch_sub(&service->pending[protocol_of(event)], 1, __ATOMIC_RELEASE);
}

static void on_begun(struct relay *relay, const struct nat_event *event)
{
	const struct nat_directory *directory = relay->nat_flows.directory;
	struct service *service = nat_directory_service(directory, event->service);
	struct server *server = nat_directory_server(directory, event->server, event->server_state);
	struct bare_flow *flow = NULL;
	flow_table_use(directory->flows);
	if (service != NULL && server != NULL)
		flow = take(relay, event, service, server);
	settle(directory, event);
	if (flow == NULL) {
		forget(directory, event);
		return;
	}
	count_begin(relay, flow);
	note_way_back(relay, flow->kernel, &flow->client);
	if (flow_is_kept_out(relay, &flow->client))
		bare_flow_end(flow, REASON_BLOCKED);
}

/* --- what has failed --------------------------------------------------------------------------------------------- */

static void on_failure(struct relay *relay, const struct nat_event *event)
{
	struct server *server = nat_directory_server(relay->nat_flows.directory, event->server, event->server_state);
	if (server == NULL)
		return;
	struct server_counters *counters = &server->counters[relay->worker_index];
	counter_add(event->kind == NAT_EVENT_REFUSED ? &counters->connect_refused : &counters->connect_timeout, 1);
	if (server_note_failure(server, pool_policy(server->pool)->eject_failures))
		mailbox_post(relay->settings->to_control,
			     (struct message){ .kind = RELAY_REPORT_EJECTED, .subject = server });
}

static void on_limited(struct relay *relay, const struct nat_event *event)
{
	struct service *service = nat_directory_service(relay->nat_flows.directory, event->service);
	if (service == NULL)
		return;
	const struct flow_refusal refusal = {
		.service = service,
		.protocol = protocol_of(event),
		.reason = event->is_limited_by_rate ? REASON_LIMIT_RATE : REASON_LIMIT_CONNECTIONS,
		.client = client_of(event),
	};
	flow_report_refusal(relay, &refusal);
}

static void on_event(void *owner, const struct nat_event *event)
{
	struct relay *relay = owner;
	switch ((enum nat_event_kind)event->kind) {
	case NAT_EVENT_BEGUN:
		on_begun(relay, event);
		break;
	case NAT_EVENT_REFUSED:
	case NAT_EVENT_UNANSWERED:
		on_failure(relay, event);
		break;
	case NAT_EVENT_LIMITED:
		on_limited(relay, event);
		break;
	}
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

static void look(struct relay *relay)
{
	const struct nat_directory *directory = relay->nat_flows.directory;
	relay->nat_flows.ways_left = WAYS_MAX;
	size_t count = nat_table_take_events(directory->table, on_event, relay);
	bool is_full = nat_table_fill_slots(directory->table);
	if (count > 0 || !is_full)
		timer_arm(relay->wheel, &relay->nat_flows.timer, relay->loop->now_ms + (count > 0 ? LOOK_MS : FILL_MS));
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct nat_flows *flows = LIST_OWNER(timer, struct nat_flows, timer);
	look(LIST_OWNER(flows, struct relay, nat_flows));
}

static void on_ring(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct nat_flows *flows = LIST_OWNER(source, struct nat_flows, source);
	struct relay *relay = LIST_OWNER(flows, struct relay, nat_flows);
	/* The timer looks while there is much to do. */
	if (!timer_is_armed(&flows->timer))
		look(relay);
}

void nat_flows_start(struct relay *relay, const struct nat_directory *directory)
{
	struct nat_flows *flows = &relay->nat_flows;
	*flows = (struct nat_flows){
		.directory = directory,
		.source = { .on_event = on_ring, .fd = nat_table_events_fd(directory->table) },
		.timer = { .on_expiry = on_timer },
	};
	int result = loop_add(relay->loop, &flows->source, EPOLLIN | EPOLLET);
	CHECK(result == 0); /* as for listeners */
	look(relay);
}

void nat_flows_stop(struct relay *relay)
{
	struct nat_flows *flows = &relay->nat_flows;
	if (flows->directory == NULL)
		return;
	nat_table_take_events(flows->directory->table, on_event, relay);
	timer_disarm(relay->wheel, &flows->timer);
	loop_remove(relay->loop, &flows->source);
	flows->directory = NULL;
}
