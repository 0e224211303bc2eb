/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

/* Of the servers of a pool the first with an address of each family; NULL: there is none. Names are not looked up. */
struct first_servers {
	const struct config_server *ipv4;
	const struct config_server *ipv6;
	const struct config_server *loopback;
};

static void first_servers_find(const struct config_pool *pool, struct first_servers *ret_first)
{
	*ret_first = (struct first_servers){ NULL, NULL, NULL };
	for (size_t i = pool->server_count; i > 0; i--) {
		const struct config_server *server = &pool->servers[i - 1];
		if (server->host[0] != '\0')
			continue;
		if (server->addr.sa.sa_family == AF_INET)
			ret_first->ipv4 = server;
		else if (server->addr.sa.sa_family == AF_INET6)
			ret_first->ipv6 = server;
		if (addr_is_loopback(&server->addr))
			ret_first->loopback = server;
	}
}

static const char *address_problem(const struct addr *addr)
{
	if (addr_is_any(addr))
		return "a source is one address, not all of them";
	if (validate_is_group(addr))
		return "a source cannot be a multicast or broadcast address";
	if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr) &&
	    addr->in6.sin6_scope_id == 0)
		return "a link-local address needs the number of its interface: fe80::1%2";
	return NULL;
}

static void addresses_check(struct report *report, const struct config_source *source, struct config_place place)
{
	for (size_t i = 0; i < source->addr_count; i++) {
		const char *problem = address_problem(&source->addrs[i]);
		if (problem != NULL)
			report_error(report, place, "%s", problem);
		for (size_t j = 0; j < i; j++) {
			if (addr_equal(&source->addrs[i], &source->addrs[j]))
				report_error(report, place, "an address is given twice");
		}
	}
}

static bool has_family(const struct config_source *source, sa_family_t family)
{
	for (size_t i = 0; i < source->addr_count; i++) {
		if (source->addrs[i].sa.sa_family == family)
			return true;
	}
	return false;
}

static void families_check(struct report *report, const struct config_source *source, const struct first_servers *first,
			   struct config_place place)
{
	bool lacks_ipv4 = first->ipv4 != NULL && !has_family(source, AF_INET);
	bool lacks_ipv6 = first->ipv6 != NULL && !has_family(source, AF_INET6);
	if (source->addr_count > 0 && (lacks_ipv4 || lacks_ipv6))
		report_warning_hint(report, place, "the system chooses one then",
				    "none of the addresses is of %s, as server \"%s\" is", lacks_ipv4 ? "IPv4" : "IPv6",
				    lacks_ipv4 ? first->ipv4->name : first->ipv6->name);
}

static void loopback_check(struct report *report, const struct first_servers *first, struct config_place place)
{
	if (first->loopback != NULL)
		report_warning_hint(
			report, place, "it sees strait's own address",
			"server \"%s\" is on this machine, and what it answers to the client would not come back",
			first->loopback->name);
}

/* Clients can be themselves only towards servers of their own family. */
static void clients_check(struct report *report, const struct config_service *service,
			  const struct first_servers *first, struct config_place place)
{
	static const char hint[] = "to the server they come from strait's own address";
	bool has_ipv4 = false;
	bool has_ipv6 = false;
	bool has_unix = false;
	for (size_t i = 0; i < service->listen_count; i++) {
		const struct config_listen *listen = &service->listens[i];
		has_ipv4 |= listen->addr.sa.sa_family == AF_INET || listen->is_dual;
		has_ipv6 |= listen->addr.sa.sa_family == AF_INET6;
		has_unix |= addr_is_unix(&listen->addr);
	}
	if (has_unix)
		report_warning_hint(report, place, hint, "clients of service \"%s\" on a unix socket have no address",
				    service->name);
	if (has_ipv6 && first->ipv4 != NULL)
		report_warning_hint(report, place, hint,
				    "service \"%s\" has clients of IPv6, and server \"%s\" is IPv4", service->name,
				    first->ipv4->name);
	if (has_ipv4 && first->ipv6 != NULL)
		report_warning_hint(report, place, hint,
				    "service \"%s\" has clients of IPv4, and server \"%s\" is IPv6", service->name,
				    first->ipv6->name);
}

void validate_sources(struct parsed *parsed)
{
	const struct config *config = parsed->config;
	struct first_servers *first = config_memory_alloc(parsed->report->memory, config->pool_count * sizeof(*first));
	const struct config_place **places =
		config_memory_alloc(parsed->report->memory, config->pool_count * sizeof(*places));
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_source *source = &config->pools[i].source;
		places[i] = marks_find_named(&parsed->pools[i], SCHEMA_POOL, "source", NULL);
		if (places[i] == NULL)
			continue;
		first_servers_find(&config->pools[i], &first[i]);
		addresses_check(parsed->report, source, *places[i]);
		families_check(parsed->report, source, &first[i], *places[i]);
		if (source->is_client)
			loopback_check(parsed->report, &first[i], *places[i]);
	}
	for (size_t i = 0; i < config->service_count; i++) {
		size_t number = config->services[i].pool_index;
		if (number != (size_t)VALIDATE_NO_POOL && config->pools[number].source.is_client)
			clients_check(parsed->report, &config->services[i], &first[number], *places[number]);
	}
}
