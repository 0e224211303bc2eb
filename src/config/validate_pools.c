/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "config/server_address.h"
#include "config/values.h"

#include <errno.h>
#include <sys/stat.h>

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
	if (server->host[0] != '\0')
		return;
	if (addr_is_any(&server->addr))
		report_error_hint(report, server->place, "this machine itself is 127.0.0.1 or [::1]",
				  "a server has one address, not all of them");
	else if (validate_is_group(&server->addr))
		report_error(report, server->place, "a server cannot have a multicast or broadcast address");
	validate_socket_address(report, &server->addr, server->place);
}

/* A unix socket can neither be asked at a port nor by UDP. */
static void added_unix_server_check(struct report *report, const struct config *config, const struct config_pool *pool,
				    struct config_place place)
{
	if (pool->check.port != 0)
		report_error(report, place, "a unix socket has no port, and \"check port=\" of the pool needs one");
	else if (pool->check.kind == CONFIG_CHECK_UDP)
		report_error_hint(report, place, "unix sockets are for TCP only",
				  "\"check udp\" cannot ask a unix socket");
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		if (&config->pools[service->pool_index] != pool || !validate_takes_udp(service))
			continue;
		report_error_hint(report, place, "unix sockets are for TCP only",
				  "service \"%s\" sends UDP to this pool", service->name);
		return;
	}
}

void validate_added_server(struct report *report, const struct config *config, const struct config_pool *pool,
			   const struct config_server *server)
{
	server_address_check(report, server);
	if (addr_is_unix(&server->addr))
		added_unix_server_check(report, config, pool, server->place);
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

/* Sets of kinds of check. */
enum {
	ASKED_TCP = 1 << CONFIG_CHECK_TCP,
	ASKED_UDP = 1 << CONFIG_CHECK_UDP,
	ASKED_HTTP = 1 << CONFIG_CHECK_HTTP,
	ASKED_DNS = 1 << CONFIG_CHECK_DNS,
	ASKED_EXEC = 1 << CONFIG_CHECK_EXEC,
	ASKED = ASKED_TCP | ASKED_UDP | ASKED_HTTP | ASKED_DNS | ASKED_EXEC,
};

static const struct check_setting {
	const char *key;
	unsigned int kinds; /* that use it */
} check_settings[] = {
	{ "every", ASKED },
	{ "timeout", ASKED },
	{ "rise", ASKED },
	{ "fall", ASKED },
	{ "port", ASKED },
	{ "send", ASKED_TCP | ASKED_UDP },
	{ "expect", ASKED_TCP | ASKED_UDP | ASKED_HTTP },
	{ "path", ASKED_HTTP },
	{ "host", ASKED_HTTP },
	{ "method", ASKED_HTTP },
	{ "status", ASKED_HTTP },
	{ "name", ASKED_DNS },
	{ "type", ASKED_DNS },
	{ "rcode", ASKED_DNS },
	{ "program", ASKED_EXEC },
};

static const char *check_word(enum config_check kind)
{
	static const char *const words[] = {
		[CONFIG_CHECK_NONE] = "none", [CONFIG_CHECK_TCP] = "tcp", [CONFIG_CHECK_UDP] = "udp",
		[CONFIG_CHECK_HTTP] = "http", [CONFIG_CHECK_DNS] = "dns", [CONFIG_CHECK_EXEC] = "exec",
	};
	return words[kind];
}

/* Settings that the kind of check does not use. */
static void check_settings_check(struct checked_pool *checked)
{
	enum config_check kind = checked->pool->check.kind;
	if (written(checked, "check", "KIND") == NULL)
		return;
	for (size_t i = 0; i < sizeof(check_settings) / sizeof(check_settings[0]); i++) {
		const struct check_setting *setting = &check_settings[i];
		const struct config_place *place = written(checked, "check", setting->key);
		if (place != NULL && (setting->kinds & 1u << kind) == 0)
			report_error(checked->report, *place, "\"check %s\" does not use \"%s=\"", check_word(kind),
				     setting->key);
	}
}

/* The file may come later, or be there for another user: a warning. Nothing is opened or run. */
static void check_program_check(struct checked_pool *checked)
{
	const char *program = checked->pool->check.program;
	const struct config_place *place = written(checked, "check", "program");
	struct stat status;
	if (program == NULL || place == NULL)
		return;
	if (stat(program, &status) < 0)
		report_warning_hint(checked->report, *place, "until it can be, all servers of the pool are down",
				    "the program cannot be run: %s",
				    errno == ENOENT ? "it is not there" : strerror(errno));
	else if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		report_warning_hint(checked->report, *place, "until it can be, all servers of the pool are down",
				    "the program cannot be run: %s",
				    S_ISREG(status.st_mode) ? "it is not executable" : "it is not a file");
}

/* What a kind cannot do without, or cannot have together. */
static void check_kind_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *kind = written(checked, "check", "KIND");
	const struct config_place *expect = written(checked, "check", "expect");
	if (kind == NULL)
		return;
	if (pool->check.kind == CONFIG_CHECK_UDP && written(checked, "check", "send") == NULL)
		report_error_hint(checked->report, *kind, "add send=\"...\"",
				  "\"check udp\" needs something to send, or no server would answer");
	if (pool->check.kind == CONFIG_CHECK_EXEC && written(checked, "check", "program") == NULL)
		report_error_hint(checked->report, *kind, "add program=/path/to/program",
				  "\"check exec\" needs a program");
	if (pool->check.kind == CONFIG_CHECK_HTTP && pool->check.http.method == CONFIG_HTTP_HEAD && expect != NULL)
		report_error_hint(checked->report, *expect, "use method=GET",
				  "the answer to a HEAD request has no body to look into");
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
		else if (pool->check.kind == CONFIG_CHECK_UDP || pool->check.kind == CONFIG_CHECK_DNS)
			report_error_hint(checked->report, pool->servers[i].place, "unix sockets are for TCP only",
					  "\"check %s\" cannot ask a unix socket", check_word(pool->check.kind));
		return;
	}
}

static void check_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *timeout = written(checked, "check", "timeout");
	const struct config_place *every = written(checked, "check", "every");
	if (written(checked, "check", NULL) == NULL) {
		report_warning_hint(checked->report, pool->place, "add: check tcp, or check none if that is meant",
				    "pool \"%s\" has no check: a server that is down keeps its share", pool->name);
		return;
	}
	check_settings_check(checked);
	check_unix_check(checked);
	check_kind_check(checked);
	check_program_check(checked);
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

static void maglev_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *algorithm = written(checked, "balance", "ALGORITHM");
	if (pool->balance != CONFIG_BALANCE_MAGLEV || pool->server_count <= CONFIG_MAGLEV_SERVERS_MAX)
		return;
	report_error_hint(checked->report, algorithm != NULL ? *algorithm : pool->place, "source-hash takes any number",
			  "\"balance maglev\" takes at most %d servers, and pool \"%s\" has %zu",
			  CONFIG_MAGLEV_SERVERS_MAX, pool->name, pool->server_count);
}

static void load_check(struct checked_pool *checked)
{
	const struct config_pool *pool = checked->pool;
	const struct config_place *load = written(checked, "balance", "load");
	bool is_consistent = pool->balance == CONFIG_BALANCE_SOURCE_HASH || pool->balance == CONFIG_BALANCE_MAGLEV;
	if (load != NULL && !is_consistent && written(checked, "balance", "ALGORITHM") != NULL)
		report_error_hint(checked->report, *load, "least-connections keeps loads even by itself",
				  "\"load=\" is for source-hash and maglev only");
}

static void first_check(struct checked_pool *checked)
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
		first_check(&checked);
		maglev_check(&checked);
		load_check(&checked);
		if (!used[i])
			report_warning_hint(parsed->report, config->pools[i].place, NULL, "pool \"%s\" is never used",
					    config->pools[i].name);
	}
}
