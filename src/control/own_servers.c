/* SPDX-License-Identifier: Apache-2.0 */
#include "control/own_servers.h"

#include <ifaddrs.h>

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

static bool is_own(const struct snapshot *snapshot, const struct ifaddrs *interfaces, const struct addr *server)
{
	bool is_local = !addr_is_unix(server) && (addr_is_loopback(server) || is_interface_address(interfaces, server));
	for (size_t i = 0; i < snapshot->listen_count; i++)
		if (listens_at(&snapshot->listens[i], server, is_local))
			return true;
	return false;
}

bool own_servers_mark(const struct snapshot *snapshot)
{
	struct ifaddrs *interfaces = NULL;
	bool is_any = false;
	if (getifaddrs(&interfaces) < 0)
		interfaces = NULL;
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool *pool = snapshot->pools[i];
		for (size_t j = 0; j < pool->server_count; j++) {
			pool->servers[j]->is_own = is_own(snapshot, interfaces, &pool->servers[j]->addr);
			is_any |= pool->servers[j]->is_own;
		}
	}
	if (interfaces != NULL)
		freeifaddrs(interfaces);
	return is_any;
}
