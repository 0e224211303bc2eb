/* SPDX-License-Identifier: Apache-2.0 */
#include "control/own_addresses.h"

#include "base/memory.h"

#include <ifaddrs.h>
#include <stdlib.h>

static bool is_interface_address(const struct ifaddrs *interfaces, const struct addr *addr)
{
	struct endpoint wanted = endpoint_from_addr(addr);
	for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != addr->sa.sa_family)
			continue;
		struct endpoint has = endpoint_from_sockaddr(i->ifa_addr);
		if (memcmp(has.ip, wanted.ip, sizeof(has.ip)) == 0)
			return true;
	}
	return false;
}

static bool listens_at(const struct snapshot_listen *listen, const struct addr *server, bool is_local)
{
	if (addr_equal(&listen->addr, server))
		return true;
	if (addr_is_unix(server) || addr_is_unix(&listen->addr) || addr_port(&listen->addr) != addr_port(server))
		return false;
	bool same_family = listen->is_dual || listen->addr.sa.sa_family == server->sa.sa_family;
	return is_local && same_family && addr_is_any(&listen->addr);
}

/* Ports that something listens on: one look tells most servers apart. */
struct port_set {
	uint64_t bits[65536 / 64];
};

static void collect_ports(const struct snapshot *snapshot, struct port_set *ret_ports)
{
	*ret_ports = (struct port_set){ { 0 } };
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		const struct addr *addr = &snapshot->listens[i].addr;
		if (!addr_is_unix(addr))
			ret_ports->bits[addr_port(addr) / 64] |= UINT64_C(1) << addr_port(addr) % 64;
	}
}

static bool has_port(const struct port_set *ports, const struct addr *addr)
{
	return addr_is_unix(addr) || (ports->bits[addr_port(addr) / 64] >> addr_port(addr) % 64 & 1) != 0;
}

static bool is_own(const struct snapshot *snapshot, const struct ifaddrs *interfaces, const struct addr *server)
{
	bool is_local = !addr_is_unix(server) && (addr_is_loopback(server) || is_interface_address(interfaces, server));
	for (size_t i = 0; i < snapshot->listen_count; i++)
		if (listens_at(&snapshot->listens[i], server, is_local))
			return true;
	return false;
}

static void mark_pools(const struct snapshot *snapshot, struct pool *const *pools, size_t pool_count)
{
	struct ifaddrs *interfaces = NULL;
	struct port_set ports;
	collect_ports(snapshot, &ports);
	if (getifaddrs(&interfaces) < 0)
		interfaces = NULL;
	for (size_t i = 0; i < pool_count; i++) {
		const struct pool *pool = pools[i];
		for (size_t j = 0; j < pool->server_count; j++) {
			const struct addr *addr = &pool->servers[j]->addr;
			pool->servers[j]->is_own = has_port(&ports, addr) && is_own(snapshot, interfaces, addr);
		}
	}
	if (interfaces != NULL)
		freeifaddrs(interfaces);
}

void own_addresses_mark_servers(const struct snapshot *snapshot)
{
	mark_pools(snapshot, snapshot->pools, snapshot->pool_count);
}

void own_addresses_mark_pool(const struct snapshot *snapshot, struct pool *pool)
{
	mark_pools(snapshot, &pool, 1);
}

/* A growing list of endpoints. */
struct endpoints {
	struct endpoint *entries;
	size_t count;
};

static void endpoints_add(struct endpoints *endpoints, struct endpoint endpoint, uint16_t port)
{
	endpoints->entries = memory_resize(endpoints->entries, endpoints->count + 1, sizeof(*endpoints->entries));
	endpoint.port = port;
	endpoint.scope_id = 0;
	endpoints->entries[endpoints->count++] = endpoint;
}

static void add_wildcard(struct endpoints *endpoints, const struct snapshot_listen *listen,
			 const struct ifaddrs *interfaces)
{
	for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		int family = i->ifa_addr->sa_family;
		bool is_ip = family == AF_INET || family == AF_INET6;
		if (is_ip && (listen->is_dual || family == listen->addr.sa.sa_family))
			endpoints_add(endpoints, endpoint_from_sockaddr(i->ifa_addr), addr_port(&listen->addr));
	}
}

struct reflection *own_addresses_build_reflection(const struct snapshot *snapshot)
{
	struct endpoints endpoints = { NULL, 0 };
	struct ifaddrs *interfaces = NULL;
	if (getifaddrs(&interfaces) < 0)
		interfaces = NULL;
	for (size_t i = 0; i < snapshot->listen_count; i++) {
		const struct snapshot_listen *listen = &snapshot->listens[i];
		if (listen->protocol != FLOW_UDP)
			continue;
		if (addr_is_any(&listen->addr))
			add_wildcard(&endpoints, listen, interfaces);
		else
			endpoints_add(&endpoints, endpoint_from_addr(&listen->addr), addr_port(&listen->addr));
	}
	struct reflection *reflection = reflection_new(endpoints.entries, endpoints.count);
	free(endpoints.entries);
	if (interfaces != NULL)
		freeifaddrs(interfaces);
	return reflection;
}
