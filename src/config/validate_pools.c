/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "config/server_address.h"
#include "config/values.h"

/* One pool while it is checked. */
struct checked_pool {
	struct report *report;
	const struct config_pool *pool;
	const struct marks *marks;
};

static const struct config_place *written(const struct checked_pool *checked, const char *directive, const char *value)
{
	return marks_find_named(checked->marks, SCHEMA_POOL, directive, value);
}

static void server_address_check(struct report *report, const struct config_server *server)
{
	if (server->host != NULL)
		return;
	if (addr_is_any(&server->addr))
		report_error_hint(report, server->place, "this machine itself is 127.0.0.1 or [::1]",
				  "a server has one address, not all of them");
	else if (validate_is_group(&server->addr))
		report_error(report, server->place, "a server cannot have a multicast or broadcast address");
	validate_socket_address(report, &server->addr, server->place);
}

static void server_repeated_report(struct report *report, const struct config_server *server,
				   const struct config_server *first)
{
	if (server_address_equal(server, first))
		report_error_hint(report, server->place,
				  "if both are meant give one a name=", "this server is listed twice; first at %s",
				  report_place(report, first->place));
	else
		report_error(report, server->place, "the name \"%s\" is used twice in this pool; first at %s",
			     server->name, report_place(report, first->place));
}

static void srv_weight_check(struct report *report, const struct config_server *server)
{
	if (server->is_srv && server->weight != 1)
		report_warning_hint(report, server->place, NULL,
				    "\"weight=\" has no effect with srv: the records tell the weights");
}

static void servers_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	struct name_index *names = name_index_new();
	size_t backup_count = 0;
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct config_server *server = &pool->servers[i];
		size_t first = 0;
		backup_count += server->is_backup;
		server_address_check(checked->report, server);
		srv_weight_check(checked->report, server);
		if (!addr_is_any(&server->addr) && !name_index_add(names, span_from_text(server->name), i, &first))
			server_repeated_report(checked->report, server, &pool->servers[first]);
	}
	name_index_free(&names);
	if (pool->server_count == 0 && written(checked, "server", NULL) == NULL)
		report_error_hint(checked->report, pool->place, "add: server ADDRESS", "pool \"%s\" has no servers",
				  pool->name);
	else if (pool->server_count > 0 && backup_count == pool->server_count)
		report_warning_hint(checked->report, pool->place, NULL, "all servers of pool \"%s\" are backups",
				    pool->name);
}

/* Settings that the kind of check does not use. */
static void check_settings_check(struct checked_pool *checked)
{
	static const char *const keys[] = { "every", "timeout", "rise", "fall", "port", "send", "expect" };
	if (checked->pool->check.kind != CONFIG_CHECK_NONE || written(checked, "check", "KIND") == NULL)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct config_place *place = written(checked, "check", keys[i]);
		if (place != NULL)
			report_error(checked->report, *place, "\"check none\" does not use \"%s=\"", keys[i]);
	}
}

static void check_unix_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *port = written(checked, "check", "port");
	for (size_t i = 0; i < pool->server_count; i++) {
		if (!addr_is_unix(&pool->servers[i].addr))
			continue;
		if (port != NULL)
			report_error(checked->report, *port, "the server at %s is a unix socket and has no port",
				     report_place(checked->report, pool->servers[i].place));
		else if (pool->check.kind == CONFIG_CHECK_UDP)
			report_error_hint(checked->report, pool->servers[i].place, "unix sockets are for TCP only",
					  "\"check udp\" cannot ask a unix socket");
		return;
	}
}

static void check_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *kind = written(checked, "check", "KIND");
	const struct config_place *timeout = written(checked, "check", "timeout");
	const struct config_place *every = written(checked, "check", "every");
	if (written(checked, "check", NULL) == NULL) {
		report_warning_hint(checked->report, pool->place, "add: check tcp, or check none if that is meant",
				    "pool \"%s\" has no check: a server that is down keeps its share", pool->name);
		return;
	}
	check_settings_check(checked);
	check_unix_check(checked);
	if (pool->check.kind == CONFIG_CHECK_UDP && kind != NULL && written(checked, "check", "send") == NULL)
		report_error_hint(checked->report, *kind, "add send=\"...\"",
				  "\"check udp\" needs something to send, or no server would answer");
	if ((timeout != NULL || every != NULL) && pool->check.kind != CONFIG_CHECK_NONE &&
	    pool->check.timeout_ms > pool->check.every_ms) {
		char text[VALUE_TEXT_BYTES];
		const char *hint =
			report_text(checked->report, "every= is %s", value_format_time(pool->check.every_ms, text));
		report_warning_hint(checked->report, timeout != NULL ? *timeout : *every, hint,
				    "a check may take %s, longer than the time to the next",
				    value_format_time(pool->check.timeout_ms, text));
	}
}

static void balance_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *slow_start = written(checked, "balance", "slow-start");
	if (pool->balance != CONFIG_BALANCE_FIRST)
		return;
	if (slow_start != NULL)
		report_warning_hint(checked->report, *slow_start, NULL,
				    "\"slow-start=\" has no effect with \"balance first\"");
	for (size_t i = 0; i < pool->server_count; i++) {
		if (pool->servers[i].weight == 1)
			continue;
		report_warning_hint(checked->report, pool->servers[i].place, NULL,
				    "weights have no effect with \"balance first\"");
		return;
	}
}

/* Whether each pool is used; all count as used when it cannot be known, and one whose name is taken in any case. */
static bool *used_find(const struct parsed *parsed, const struct name_index *pools)
{
	const struct config *config = parsed->config;
	bool *used = config_memory_alloc(parsed->report->memory, config->pool_count * sizeof(*used));
	bool is_unknown = parsed->has_lost_services;
	for (size_t i = 0; i < config->service_count; i++) {
		if (config->services[i].pool_index == (size_t)VALIDATE_NO_POOL)
			is_unknown = true;
		else
			used[config->services[i].pool_index] = true;
	}
	for (size_t i = 0; i < config->pool_count; i++) {
		size_t number = i;
		name_index_find(pools, span_from_text(config->pools[i].name), &number);
		used[i] = used[i] || is_unknown || number != i;
	}
	return used;
}

void validate_pools(struct parsed *parsed, const struct name_index *pools)
{
	const struct config *config = parsed->config;
	const bool *used = used_find(parsed, pools);
	for (size_t i = 0; i < config->pool_count; i++) {
		struct checked_pool checked = {
			.report = parsed->report,
			.pool = &config->pools[i],
			.marks = &parsed->pools[i],
		};
		servers_check(&checked);
		check_check(&checked);
		balance_check(&checked);
		if (!used[i])
			report_warning_hint(parsed->report, config->pools[i].place, NULL, "pool \"%s\" is never used",
					    config->pools[i].name);
	}
}
