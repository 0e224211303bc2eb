/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/adopted_flow.h"

#include "base/check.h"
#include "base/fd.h"
#include "kernel/flow_table.h"
#include "net/socket.h"
#include "relay/bare_flow.h"
#include "relay/flow_observe.h"
#include "relay/relay.h"
#include "relay/tcp_queue.h"

#include <netinet/in.h>

/* Returns a socket with the flow's own addresses, or -1 when it cannot be had. */
static int reserve_port(struct relay *relay, const struct flow_slot *slot)
{
	const struct flow_side *to_server = &slot->sides[FLOW_TO_SERVER];
	struct endpoint local = flow_side_source(to_server, slot->version);
	struct endpoint server = flow_side_dest(to_server, slot->version);
	struct socket_source source = { 0 };
	struct addr server_addr;
	if (!relay_take_descriptors(relay, 1))
		return -1;
	endpoint_to_addr(&local, &source.addr);
	endpoint_to_addr(&server, &server_addr);
	int fd = socket_open_from(server_addr.sa.sa_family, SOCK_DGRAM, &source);
	if (fd >= 0 && socket_connect(fd, &server_addr) == 0)
		return fd;
	fd_close(&fd);
	flow_ceiling_give(&relay->settings->budget->descriptors, 1);
	return -1;
}

static void count_begin(struct relay *relay, const struct adopted_flow *adopted, const struct bare_flow *flow)
{
	struct service_counters *counters = &adopted->service->counters[relay->worker_index];
	counter_add(&counters->flows[flow->protocol], 1);
	counter_add(&counters->flows_active[flow->protocol], 1);
	if (adopted->server != NULL)
		counter_add(&adopted->server->counters[relay->worker_index].flows, 1);
	flow_observe_begin(relay, adopted->service, &flow->client);
}

static void forget(struct relay *relay, struct flow_table *table, const struct adopted_flow *adopted)
{
	flow_table_end(table, adopted->number);
	flow_table_give(table, adopted->number);
	if (adopted->server != NULL)
		tcp_queue_give_place(relay, adopted->server);
}

void adopted_flow_take(struct relay *relay, struct flow_table *table, const struct adopted_flow *adopted)
{
	struct kernel_flow *kernel = kernel_flow_adopt(relay, table, adopted->number);
	const struct flow_slot *slot = flow_table_slot(table, adopted->number);
	if (kernel == NULL) {
		forget(relay, table, adopted);
		return;
	}
	int port_fd = slot->protocol == IPPROTO_UDP ? reserve_port(relay, slot) : -1;
	const struct bare_flow_origin origin = {
		.service = adopted->service,
		.server = adopted->server,
		.pool = adopted->pool,
		.client = flow_side_dest(&slot->sides[FLOW_TO_CLIENT], slot->version),
		.start_ns = slot->start_ns,
		.path = slot->flags & FLOW_SLOT_IS_NAT ? FLOW_PATH_NAT : FLOW_PATH_OFFLOAD,
		.protocol = slot->protocol == IPPROTO_UDP ? FLOW_UDP : FLOW_TCP,
		.algorithm = slot->algorithm,
		.has_port_fd = port_fd >= 0,
		.port_fd = port_fd,
	};
	/* There are as many bare flows as flows of the kernel. */
	struct bare_flow *flow = bare_flow_new(relay, kernel, &origin);
	CHECK(flow != NULL);
	count_begin(relay, adopted, flow);
}
