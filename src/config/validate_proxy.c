/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of the PROXY protocol: `accept-proxy` in services, `send-proxy` in pools, and where both meet. */
#include "config/validate.h"

/* --- services ---------------------------------------------------------------------------------------------------- */

static bool takes_family(const struct config_service *service, uint8_t family)
{
	for (size_t i = 0; i < service->listen_count; i++) {
		const struct config_listen *listen = &service->listens[i];
		if (listen->addr.sa.sa_family == family || (listen->is_dual && family == AF_INET))
			return true;
	}
	return false;
}

static const char *family_word(uint8_t family)
{
	return family == AF_INET ? "an IPv4 address" : family == AF_INET6 ? "an IPv6 address" : "a unix socket";
}

static void networks_check(struct report *report, const struct config_service *service)
{
	for (size_t i = 0; i < service->proxy_network_count && service->listen_count > 0; i++) {
		const struct config_proxy_network *proxy = &service->proxy_networks[i];
		if (!takes_family(service, proxy->network.family))
			report_warning_hint(report, proxy->place, NULL,
					    "no proxy can come from there: the service does not listen on %s",
					    family_word(proxy->network.family));
	}
}

/* A header of version 1 has no place for UDP. */
static void version_check(struct parsed *parsed, const struct config_service *service)
{
	struct report *report = parsed->report;
	if (service->pool_index == (size_t)VALIDATE_NO_POOL || !validate_takes_udp(service))
		return;
	if (parsed->config->pools[service->pool_index].send_proxy.version != CONFIG_SEND_PROXY_V1)
		return;
	const struct config_place *version =
		marks_find_named(&parsed->pools[service->pool_index], SCHEMA_POOL, "send-proxy", "VERSION");
	report_error_hint(report, service->to_place, "version 2 is for UDP, too: send-proxy v2",
			  "this service takes UDP, but the pool has \"send-proxy v1\" at %s, which is for TCP only",
			  report_place(report, *version));
}

static void hello_check(struct parsed *parsed, size_t number)
{
	size_t pool_index = parsed->config->services[number].pool_index;
	const struct config_place *timeout =
		marks_find_named(&parsed->services[number], SCHEMA_SERVICE, "timeout", "hello");
	if (timeout != NULL && pool_index != (size_t)VALIDATE_NO_POOL &&
	    !parsed->config->pools[pool_index].send_proxy.has_authority)
		report_warning_hint(parsed->report, *timeout, NULL,
				    "\"timeout hello=\" has no effect: pool \"%s\" has no \"send-proxy v2 authority\"",
				    parsed->config->pools[pool_index].name);
}

static void service_check(struct parsed *parsed, size_t number)
{
	const struct config_service *service = &parsed->config->services[number];
	const struct config_place *timeout =
		marks_find_named(&parsed->services[number], SCHEMA_SERVICE, "timeout", "proxy-header");
	hello_check(parsed, number);
	networks_check(parsed->report, service);
	version_check(parsed, service);
	if (timeout != NULL &&
	    marks_find_named(&parsed->services[number], SCHEMA_SERVICE, "accept-proxy", NULL) == NULL)
		report_warning_hint(parsed->report, *timeout, "add: accept-proxy NETWORK",
				    "\"timeout proxy-header=\" has no effect: no header is waited for");
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

/* What only version 2 has. */
static void version_1_check(struct report *report, const struct marks *marks)
{
	static const char *const switches[] = { "first", "authority", "unique-id" };
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		const struct config_place *place = marks_find_named(marks, SCHEMA_POOL, "send-proxy", switches[i]);
		if (place != NULL)
			report_error_hint(report, *place, "write: send-proxy v2",
					  "\"send-proxy v1\" does not use \"%s\"", switches[i]);
	}
}

/* Sets: what services send to a pool. */
enum use { USE_TCP = 1, USE_UDP = 2 };

/* By the number of the pool. */
static const unsigned int *uses_find(const struct parsed *parsed)
{
	const struct config *config = parsed->config;
	unsigned int *uses = config_memory_alloc(parsed->report->memory, config->pool_count * sizeof(*uses));
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		for (size_t j = 0; j < service->listen_count && service->pool_index != (size_t)VALIDATE_NO_POOL; j++)
			uses[service->pool_index] |= service->listens[j].protocol == CONFIG_UDP ? USE_UDP : USE_TCP;
	}
	return uses;
}

/* What is for a protocol that no service sends to the pool. */
static void unused_check(struct report *report, const struct marks *marks, unsigned int uses)
{
	const struct config_place *first = marks_find_named(marks, SCHEMA_POOL, "send-proxy", "first");
	const struct config_place *authority = marks_find_named(marks, SCHEMA_POOL, "send-proxy", "authority");
	if (first != NULL && uses == USE_TCP)
		report_warning_hint(report, *first, NULL, "\"first\" is for UDP, which no service sends to this pool");
	if (authority != NULL && uses == USE_UDP)
		report_warning_hint(report, *authority, NULL,
				    "\"authority\" is for TCP, which no service sends to this pool");
}

void validate_proxy(struct parsed *parsed)
{
	const struct config *config = parsed->config;
	for (size_t i = 0; i < config->service_count; i++)
		service_check(parsed, i);
	const unsigned int *uses = uses_find(parsed);
	for (size_t i = 0; i < config->pool_count; i++) {
		if (config->pools[i].send_proxy.version == CONFIG_SEND_PROXY_V1)
			version_1_check(parsed->report, &parsed->pools[i]);
		else if (!parsed->has_lost_services)
			unused_check(parsed->report, &parsed->pools[i], uses[i]);
	}
}
