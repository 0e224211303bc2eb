/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "config/log_target.h"

static void path_check(struct report *report, const char *path, struct config_place place)
{
	if (path != NULL && path[0] != '/')
		report_warning_hint(report, place, "a path from / is always the same",
				    "this path depends on the folder strait is started in");
}

bool validate_is_group(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(addr->in.sin_addr.s_addr)) || addr->in.sin_addr.s_addr == INADDR_BROADCAST;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr);
}

bool validate_takes_udp(const struct config_service *service)
{
	for (size_t i = 0; i < service->listen_count; i++) {
		if (service->listens[i].protocol == CONFIG_UDP)
			return true;
	}
	return false;
}

void validate_socket_address(struct report *report, const struct addr *addr, struct config_place place)
{
	bool is_link_local = addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr);
	if (is_link_local && addr->in6.sin6_scope_id == 0)
		report_error_hint(report, place, "write its number: [fe80::1%2]:80",
				  "a link-local address needs an interface");
	/* An abstract name begins with a zero byte and belongs to no folder. */
	if (addr_is_unix(addr) && addr->un.sun_path[0] != '\0')
		path_check(report, addr->un.sun_path, place);
}

static void admins_check(struct parsed *parsed)
{
	char text[ADDR_TEXT_BYTES];
	for (size_t i = 0; i < parsed->config->admin_count; i++) {
		const struct config_admin *admin = &parsed->config->admins[i];
		bool is_local = addr_is_unix(&admin->addr) || addr_is_loopback(&admin->addr);
		if (!is_local && admin->token_file == NULL)
			report_error_hint(parsed->report, admin->place, "add token=file:PATH, or listen on 127.0.0.1",
					  "anybody could reach the admin API at %s without a token",
					  addr_format(&admin->addr, text, sizeof(text)));
		validate_socket_address(parsed->report, &admin->addr, admin->place);
		path_check(parsed->report, admin->token_file, admin->place);
	}
}

static void log_check(struct report *report, const struct config_log *log)
{
	bool is_remote = log->sink == CONFIG_LOG_SYSLOG_UDP || log->sink == CONFIG_LOG_SYSLOG_TCP;
	if (is_remote && validate_is_group(&log->addr))
		report_error_hint(report, log->place, "write the address of the log server",
				  "records cannot be sent to a group of hosts");
	if (log->sink == CONFIG_LOG_FILE)
		path_check(report, log->path, log->place);
	else if (log->sink != CONFIG_LOG_STDERR)
		validate_socket_address(report, &log->addr, log->place);
	if (log->level < CONFIG_LEVEL_INFO && (log->sample > 0 || log->every_ms > 0))
		report_warning_hint(report, log->place, "they are of level info",
				    "this sink takes no access records, so sample= and every= do nothing");
}

static void logs_check(struct parsed *parsed)
{
	struct name_index *sinks = name_index_new();
	const struct config *config = parsed->config;
	for (size_t i = 0; i < config->log_count; i++) {
		const struct config_log *log = &config->logs[i];
		const char *name = log_target_text(log, config->memory);
		size_t first = 0;
		if (!name_index_add(sinks, span_from_text(name), i, &first))
			report_error(parsed->report, log->place, "this log sink is given twice; first at %s",
				     report_place(parsed->report, config->logs[first].place));
		else
			log_check(parsed->report, log);
	}
	name_index_free(&sinks);
}

void validate(struct parsed *parsed, const struct name_index *pools, enum validate_origin origin)
{
	if (parsed->config->service_count == 0 && !parsed->has_lost_services)
		report_warning_hint(parsed->report, (struct config_place){ 0 }, NULL,
				    "there is no service, so nothing will be listened on");
	admins_check(parsed);
	logs_check(parsed);
	validate_services(parsed, pools);
	validate_lists(parsed, origin);
	validate_rules(parsed);
	validate_pools(parsed, pools);
	validate_proxy(parsed);
	validate_path(parsed);
	validate_listeners(parsed);
	validate_resolvers(parsed);
	validate_sources(parsed);
}
