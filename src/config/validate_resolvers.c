/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

static const char *address_problem(const struct addr *addr)
{
	if (addr_is_unix(addr))
		return "a name server is asked over UDP and TCP, not over a unix socket";
	if (addr_is_any(addr))
		return "a name server has one address, not all of them";
	if (validate_is_group(addr))
		return "a name server cannot have a multicast or broadcast address";
	if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr))
		return "a name server with a link-local address cannot be asked";
	return NULL;
}

static void resolver_check(struct report *report, const struct config_resolver *resolver,
			   const struct config_place *place)
{
	for (size_t i = 0; i < resolver->addr_count; i++) {
		const char *problem = address_problem(&resolver->addrs[i]);
		if (problem != NULL)
			report_error(report, *place, "%s", problem);
		for (size_t j = 0; j < i; j++) {
			if (addr_equal(&resolver->addrs[i], &resolver->addrs[j]))
				report_error(report, *place, "a name server is given twice");
		}
	}
}

static bool has_host(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		if (pool->servers[i].host[0] != '\0')
			return true;
	}
	return false;
}

void validate_resolvers(struct parsed *parsed)
{
	const struct config *config = parsed->config;
	const struct config_place *place = marks_find_named(&parsed->top, SCHEMA_TOP, "resolver", NULL);
	if (place != NULL)
		resolver_check(parsed->report, &config->resolver, place);
	for (size_t i = 0; i < config->pool_count; i++) {
		place = marks_find_named(&parsed->pools[i], SCHEMA_POOL, "resolver", NULL);
		if (place == NULL)
			continue;
		resolver_check(parsed->report, &config->pools[i].resolver, place);
		if (!has_host(&config->pools[i]))
			report_warning_hint(parsed->report, *place, NULL, "pool \"%s\" has no names to resolve",
					    config->pools[i].name);
	}
}
