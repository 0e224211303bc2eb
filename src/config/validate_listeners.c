/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

/* What a socket is bound to; compared bytewise. */
struct listener_key {
	enum config_protocol protocol;
	struct addr addr;
};

/* Who listens there: a service, or the admin API. */
struct listener {
	const struct config_service *service; /* NULL: the admin API */
	struct config_place place;
};

struct listeners {
	struct parsed *parsed;
	struct name_index *index; /* from struct listener_key to the number in items */
	struct listener *items;
	size_t count;
};

static struct listener_key key_of(enum config_protocol protocol, const struct addr *addr)
{
	struct listener_key key;
	memset(&key, 0, sizeof(key));
	key.protocol = protocol;
	memcpy(&key.addr, addr, sizeof(key.addr));
	return key;
}

static void taken_report(struct listeners *listeners, const struct listener *listener, const struct listener *first)
{
	struct report *report = listeners->parsed->report;
	const char *place = report_place(report, first->place);
	if (listener->service == first->service)
		report_error(report, listener->place, "this address is listened on twice; first at %s", place);
	else if (first->service == NULL)
		report_error(report, listener->place, "this address is taken by the admin API at %s", place);
	else
		report_error(report, listener->place, "this address is taken by service \"%s\" at %s",
			     first->service->name, place);
}

/* Returns false, with a message, when the address is taken. */
static bool listener_add(struct listeners *listeners, struct listener_key key, struct listener listener)
{
	struct span bytes = { (const char *)&key, sizeof(key) };
	size_t first = 0;
	if (!name_index_add(listeners->index, bytes, listeners->count, &first)) {
		taken_report(listeners, &listener, &listeners->items[first]);
		return false;
	}
	listeners->items = config_memory_grow(listeners->parsed->report->memory, listeners->items, listeners->count,
					      sizeof(*listeners->items));
	listeners->items[listeners->count++] = listener;
	return true;
}

static void listen_address_check(struct report *report, const struct config_listen *listen)
{
	if (listen->protocol == CONFIG_UDP && addr_is_unix(&listen->addr))
		report_error_hint(report, listen->place, "unix sockets are for TCP only",
				  "UDP cannot be listened for on a unix socket");
	else if (validate_is_group(&listen->addr))
		report_error(report, listen->place, "multicast and broadcast are not supported");
	validate_socket_address(report, &listen->addr, listen->place);
}

static void service_listeners_add(struct listeners *listeners, const struct config_service *service)
{
	for (size_t i = 0; i < service->listen_count; i++) {
		const struct config_listen *listen = &service->listens[i];
		struct listener listener = { service, listen->place };
		listen_address_check(listeners->parsed->report, listen);
		bool is_added = listener_add(listeners, key_of(listen->protocol, &listen->addr), listener);
		if (is_added && listen->is_dual) {
			/* ":80" is "[::]:80" and "*:80" in one. */
			struct addr any4;
			memset(&any4, 0, sizeof(any4));
			any4.len = sizeof(any4.in);
			any4.in.sin_family = AF_INET;
			any4.in.sin_port = listen->addr.in6.sin6_port;
			listener_add(listeners, key_of(listen->protocol, &any4), listener);
		}
	}
}

/* Chains of services are legal; a service that sends to itself is a circle. */
static void circle_check(struct listeners *listeners, size_t pool_index, const struct config_server *server)
{
	static const enum config_protocol protocols[] = { CONFIG_TCP, CONFIG_UDP };
	if (server->host[0] != '\0')
		return;
	/* A server at all addresses is refused anyway. */
	for (size_t i = 0; !addr_is_any(&server->addr) && i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		struct listener_key key = key_of(protocols[i], &server->addr);
		size_t number = 0;
		if (!name_index_find(listeners->index, (struct span){ (const char *)&key, sizeof(key) }, &number))
			continue;
		const struct config_service *service = listeners->items[number].service;
		if (service != NULL && service->pool_index == pool_index) {
			report_warning_hint(listeners->parsed->report, server->place,
					    "what comes back to its own service is refused",
					    "service \"%s\" sends to its own address", service->name);
			return;
		}
	}
}

void validate_listeners(struct parsed *parsed)
{
	const struct config *config = parsed->config;
	struct listeners listeners = { .parsed = parsed, .index = name_index_new() };
	for (size_t i = 0; i < config->admin_count; i++) {
		const struct config_admin *admin = &config->admins[i];
		listener_add(&listeners, key_of(CONFIG_TCP, &admin->addr), (struct listener){ NULL, admin->place });
	}
	for (size_t i = 0; i < config->service_count; i++)
		service_listeners_add(&listeners, &config->services[i]);
	for (size_t i = 0; i < config->pool_count; i++) {
		for (size_t j = 0; j < config->pools[i].server_count; j++)
			circle_check(&listeners, i, &config->pools[i].servers[j]);
	}
	name_index_free(&listeners.index);
}
