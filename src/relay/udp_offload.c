/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_offload.h"

#include "net/socket.h"
#include "relay/flow_admission.h"
#include "relay/flow_loss.h"
#include "relay/kernel_flow.h"
#include "relay/udp_throttle.h"

#include <netinet/in.h>

enum { RETRY_MS = 500 };

void udp_offload_fold(struct udp_session *session)
{
	if (session->kernel == NULL)
		return;
	uint32_t worker_index = session->relay->worker_index;
	struct service_counters *of_service = &session->service->counters[worker_index];
	struct server_counters *of_server = &session->server->counters[worker_index];
	struct kernel_flow_counts counts = kernel_flow_fold(session->kernel);
	uint64_t last_ms = kernel_flow_last_ms(session->kernel);
	session->bytes_in += counts.bytes[FLOW_TO_SERVER];
	session->bytes_out += counts.bytes[FLOW_TO_CLIENT];
	session->packets_in += counts.packets[FLOW_TO_SERVER];
	session->packets_out += counts.packets[FLOW_TO_CLIENT];
	counter_add(&of_service->bytes_in, counts.bytes[FLOW_TO_SERVER]);
	counter_add(&of_service->bytes_out, counts.bytes[FLOW_TO_CLIENT]);
	counter_add(&of_service->packets_in, counts.packets[FLOW_TO_SERVER]);
	counter_add(&of_service->packets_out, counts.packets[FLOW_TO_CLIENT]);
	counter_add(&of_server->bytes_in, counts.bytes[FLOW_TO_SERVER]);
	counter_add(&of_server->bytes_out, counts.bytes[FLOW_TO_CLIENT]);
	if (last_ms > session->last_activity_ms)
		session->last_activity_ms = last_ms;
}

void udp_offload_end(struct udp_session *session)
{
	if (session->kernel == NULL)
		return;
	kernel_flow_end(session->kernel);
	udp_offload_fold(session);
	kernel_flow_free(&session->kernel);
	session->offload_at_ms = session->relay->loop->now_ms + RETRY_MS;
}

static bool is_blocked(const struct udp_session *session)
{
	return flow_is_blocked(session->relay, &session->client) || flow_is_blocked(session->relay, &session->peer);
}

/* May its datagrams go by without being looked at? */
static bool may_stay(struct udp_session *session)
{
	const struct relay *relay = session->relay;
	return service_policy(session->service)->offloads[FLOW_UDP] &&
	       relay_settings_flow_table(relay->settings) == session->kernel->table &&
	       kernel_flow_has_way(session->kernel);
}

static void on_look(struct kernel_flow *flow)
{
	struct udp_session *session = flow->owner;
	udp_offload_fold(session);
	enum reason loss = is_blocked(session) ? REASON_BLOCKED : flow_loss_of_session(session->server);
	if (loss != REASON_NONE)
		udp_session_end(session, loss);
	else if (!may_stay(session))
		udp_offload_end(session);
}

static struct kernel_flow_ends ends_of(const struct udp_session *session)
{
	return (struct kernel_flow_ends){
		.client = session->client,
		.listen = udp_session_listen_endpoint(session),
		.local = socket_local_endpoint(session->upstream.fd),
		.server = session->server->endpoint,
		.protocol = IPPROTO_UDP,
	};
}

void udp_offload_begin(struct udp_session *session)
{
	const struct relay *relay = session->relay;
	if (relay_settings_flow_table(relay->settings) == NULL)
		return;
	session->offload_at_ms = relay->loop->now_ms + RETRY_MS;
	if (relay->is_draining || session->throttle != NULL || !endpoint_equal(&session->peer, &session->client))
		return;
	struct kernel_flow_ends ends = ends_of(session);
	struct kernel_flow *flow = kernel_flow_new(session->relay, &ends, session, on_look);
	if (flow == NULL)
		return;
	flow->slot->flags = FLOW_SLOT_HAS_SOCKET;
	flow->slot->algorithm = session->algorithm;
	if (kernel_flow_begin(flow) == 0) {
		session->kernel = flow;
		session->was_offloaded = true;
	} else {
		kernel_flow_free(&flow);
	}
}
