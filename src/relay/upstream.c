/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/upstream.h"

#include "base/fd.h"
#include "kernel/flow_table.h"
#include "kernel/own_ports.h"
#include "net/socket.h"
#include "pool/pool.h"
#include "relay/relay.h"

#include <string.h>

enum {
	CLIENT_SOURCES = 2,  /* its address and port, then its address */
	OWN_PORT_LOOKS = 64, /* ports that are looked at, of which flows in the kernel may have many */
	OWN_PORT_TRIES = 4,  /* of the others; ports of connections that have just ended are not free for a minute */
	OWN_PORT_REST_MS = 1000,
	REPORT_INTERVAL_MS = 60 * 1000,
};

/* What is tried, in this order. */
struct sources {
	const struct endpoint *client;  /* or NULL */
	const struct pool_addrs *addrs; /* or NULL */
	bool is_client_port_ephemeral;
	uint32_t first; /* of the addresses */
	uint32_t count;
};

/* Can packets to it be routed? */
static bool is_global(const struct endpoint *client)
{
	const uint8_t *ip = client->ip;
	if (client->family == AF_INET)
		return ip[12] != 0 && ip[12] != IN_LOOPBACKNET && ip[12] < 224;
	const struct in6_addr *ip6 = (const void *)ip;
	return client->family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(ip6) && !IN6_IS_ADDR_LOOPBACK(ip6) &&
	       !IN6_IS_ADDR_LINKLOCAL(ip6) && !IN6_IS_ADDR_MULTICAST(ip6);
}

static bool can_be_itself(const struct server *server, const struct endpoint *client)
{
	return client->family == server->endpoint.family && is_global(client) && !server->is_own &&
	       !addr_is_loopback(&server->addr);
}

static void find_sources(struct relay *relay, const struct upstream_request *request, struct sources *ret_sources)
{
	struct pool *pool = request->server->pool;
	const struct pool_policy *policy = pool_policy(pool);
	const struct pool_addrs *addrs = pool_policy_sources(policy, request->server->addr.sa.sa_family);
	*ret_sources = (struct sources){ .count = 1 };
	if (policy->source.is_client && can_be_itself(request->server, request->client)) {
		ret_sources->client = request->client;
		ret_sources->is_client_port_ephemeral =
			relay_settings_is_ephemeral(relay->settings, request->client->port);
		ret_sources->count = CLIENT_SOURCES;
	} else if (addrs->count > 0 && !addr_is_unix(&request->server->addr)) {
		ret_sources->addrs = addrs;
		ret_sources->first = pool->counters[relay->worker_index].source_turn++ % addrs->count;
		ret_sources->count = addrs->count;
	}
}

static bool is_chosen_by_kernel(const struct sources *sources)
{
	return sources->client == NULL && sources->addrs == NULL;
}

static void source_at(const struct sources *sources, uint32_t i, struct socket_source *ret_source)
{
	*ret_source = (struct socket_source){ .is_port_ephemeral = sources->is_client_port_ephemeral };
	if (sources->addrs != NULL) {
		ret_source->addr = sources->addrs->addrs[(sources->first + i) % sources->addrs->count];
	} else if (sources->client != NULL) {
		endpoint_to_addr(sources->client, &ret_source->addr);
		ret_source->is_foreign = true;
		if (i > 0)
			addr_set_port(&ret_source->addr, 0);
	}
}

static void report(struct relay *relay, struct pool *pool, int error)
{
	uint64_t *reported_ms = &pool->counters[relay->worker_index].source_reported_ms;
	uint64_t now_ms = relay->loop->now_ms;
	if (*reported_ms != 0 && now_ms - *reported_ms < REPORT_INTERVAL_MS)
		return;
	*reported_ms = now_ms;
	mailbox_post(relay->settings->to_control,
		     (struct message){ .kind = RELAY_REPORT_NO_SOURCE, .number = (uint32_t)-error, .subject = pool });
}

/* Is there no port of this source for this server? */
static bool is_used_up(int error)
{
	return error == -EADDRNOTAVAIL || error == -EADDRINUSE || error == -EAGAIN;
}

/* --- own ports --------------------------------------------------------------------------------------------------- */

/* Each worker has its share, and goes through it so that a port comes back as late as possible. */
static uint16_t next_own_port(struct relay *relay, const struct own_ports *ports)
{
	uint32_t share = (uint32_t)ports->count / relay->settings->worker_count;
	uint32_t turn = relay->own_port_turn++ % share;
	return ports->all[turn * relay->settings->worker_count + relay->worker_index];
}

static struct addr any_address(sa_family_t family)
{
	if (family == AF_INET6)
		return (struct addr){ .len = sizeof(struct sockaddr_in6), .in6.sin6_family = AF_INET6 };
	return (struct addr){ .len = sizeof(struct sockaddr_in), .in.sin_family = AF_INET };
}

/* The system does not know of flows in the kernel. Whatever the server answered would be taken for a packet of such a flow. */
static bool is_of_a_flow(const struct relay *relay, const struct server *server, const struct endpoint *local)
{
	const struct flow_table *table = relay_settings_flow_table(relay->settings);
	return table != NULL && flow_table_has_server_side(table, IPPROTO_TCP, local, &server->endpoint);
}

/* Which address the system will choose is only known afterwards; most often it is the same as the last time. */
static struct endpoint expected_local(const struct relay *relay, const struct server *server, const struct addr *source)
{
	struct endpoint local = { .family = server->endpoint.family };
	if (source != NULL)
		return endpoint_from_addr(source);
	memcpy(local.ip, server->counters[relay->worker_index].own_ip, sizeof(local.ip));
	return local;
}

/* 0: none was found. */
static uint16_t find_own_port(struct relay *relay, const struct own_ports *ports, const struct server *server,
			      const struct addr *source)
{
	struct endpoint local = expected_local(relay, server, source);
	for (int i = 0; i < OWN_PORT_LOOKS; i++) {
		local.port = next_own_port(relay, ports);
		if (!is_of_a_flow(relay, server, &local))
			return local.port;
	}
	return 0;
}

/* Returns as upstream_connect, or -EADDRINUSE when the port cannot be had. */
static int connect_from_port(struct relay *relay, struct server *server, const struct addr *source, uint16_t port,
			     int *ret_fd)
{
	struct socket_source from = { .addr = source != NULL ? *source : any_address(server->addr.sa.sa_family) };
	addr_set_port(&from.addr, port);
	int fd = socket_open_from(server->addr.sa.sa_family, SOCK_STREAM, &from);
	int result = fd < 0 ? fd : socket_connect(fd, &server->addr);
	if (result == 0 || result == -EINPROGRESS) {
		struct endpoint local = socket_local_endpoint(fd);
		memcpy(server->counters[relay->worker_index].own_ip, local.ip, sizeof(local.ip));
		if (!is_of_a_flow(relay, server, &local)) {
			*ret_fd = fd;
			return result;
		}
		result = -EADDRINUSE;
	}
	fd_close(&fd);
	return is_used_up(result) ? -EADDRINUSE : result;
}

/* The same, of any own port. */
static int connect_from_own_port(struct relay *relay, struct server *server, const struct addr *source, int *ret_fd)
{
	const struct own_ports *ports = atomic_load_explicit(&relay->settings->own_ports, memory_order_acquire);
	if (ports == NULL || ports->count < relay->settings->worker_count ||
	    relay->loop->now_ms < relay->own_ports_rest_ms)
		return -EADDRINUSE;
	for (int i = 0; i < OWN_PORT_TRIES; i++) {
		uint16_t port = find_own_port(relay, ports, server, source);
		if (port == 0)
			break;
		int result = connect_from_port(relay, server, source, port, ret_fd);
		if (result != -EADDRINUSE)
			return result;
	}
	relay->own_ports_rest_ms = relay->loop->now_ms + OWN_PORT_REST_MS;
	return -EADDRINUSE;
}

/* The first of the pool's addresses in turn, or NULL: the kernel chooses. */
static const struct addr *first_address(const struct sources *sources)
{
	return sources->addrs != NULL ? &sources->addrs->addrs[sources->first] : NULL;
}

/* --- connecting -------------------------------------------------------------------------------------------------- */

int upstream_connect(struct relay *relay, const struct upstream_request *request, int *ret_fd)
{
	const struct addr *addr = &request->server->addr;
	struct sources sources;
	struct socket_source source;
	int bind_error = 0;
	int connect_error = 0;
	find_sources(relay, request, &sources);
	if (request->wants_own_port && sources.client == NULL && !addr_is_unix(addr)) {
		int result = connect_from_own_port(relay, request->server, first_address(&sources), ret_fd);
		if (result != -EADDRINUSE)
			return result;
	}
	for (uint32_t i = 0; i < sources.count; i++) {
		source_at(&sources, i, &source);
		int fd = socket_open_from(addr->sa.sa_family, request->type, &source);
		if (fd < 0 && (is_chosen_by_kernel(&sources) || socket_is_shortage(-fd)))
			return fd;
		if (fd < 0) {
			bind_error = fd;
			continue;
		}
		connect_error = socket_connect(fd, addr);
		if (connect_error == 0 || connect_error == -EINPROGRESS) {
			*ret_fd = fd;
			return connect_error;
		}
		fd_close(&fd);
		if (!is_used_up(connect_error))
			return connect_error;
	}
	if (connect_error < 0)
		return connect_error;
	report(relay, request->server->pool, bind_error);
	return UPSTREAM_NO_SOURCE;
}
