/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"

#include "base/check.h"
#include "base/memory.h"
#include "config/log_target.h"
#include "config/name_index.h"
#include "config/server_address.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(struct diff *diff, const char *format, ...)
{
	char *line = NULL;
	va_list arguments;
	va_start(arguments, format);
	int len = vasprintf(&line, format, arguments);
	va_end(arguments);
	CHECK(len >= 0);
	diff->lines = memory_resize(diff->lines, diff->count + 1, sizeof(diff->lines[0]));
	diff->lines[diff->count++] = line;
}

static bool is_same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool is_same_bytes(const struct config_bytes *a, const struct config_bytes *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static bool have_same_listens(const struct config_service *a, const struct config_service *b)
{
	if (a->listen_count != b->listen_count)
		return false;
	for (size_t i = 0; i < a->listen_count; i++)
		if (a->listens[i].protocol != b->listens[i].protocol ||
		    a->listens[i].is_dual != b->listens[i].is_dual ||
		    !addr_equal(&a->listens[i].addr, &b->listens[i].addr))
			return false;
	return true;
}

/* Of a list, only which file it is: what it holds is read again when it changes. */
static bool are_same_networks(const struct config_networks *a, const struct config_networks *b)
{
	return is_same_text(a->list_path, b->list_path) && memcmp(&a->network, &b->network, sizeof(a->network)) == 0;
}

static bool have_same_rules(const struct config_service *a, const struct config_service *b)
{
	if (a->rule_count != b->rule_count)
		return false;
	for (size_t i = 0; i < a->rule_count; i++)
		if (a->rules[i].is_allow != b->rules[i].is_allow ||
		    !are_same_networks(&a->rules[i].from, &b->rules[i].from))
			return false;
	return true;
}

static bool have_same_proxy_networks(const struct config_service *a, const struct config_service *b)
{
	if (a->proxy_network_count != b->proxy_network_count)
		return false;
	for (size_t i = 0; i < a->proxy_network_count; i++)
		if (memcmp(&a->proxy_networks[i].network, &b->proxy_networks[i].network,
			   sizeof(a->proxy_networks[i].network)) != 0)
			return false;
	return true;
}

static bool have_same_limits(const struct config_service *a, const struct config_service *b)
{
	return memcmp(&a->limit, &b->limit, sizeof(a->limit)) == 0;
}

static bool have_same_times(const struct config_service *a, const struct config_service *b)
{
	return memcmp(&a->timeout, &b->timeout, sizeof(a->timeout)) == 0 && a->retries == b->retries;
}

static bool have_same_sessions(const struct config_service *a, const struct config_service *b)
{
	return a->session.idle_ms == b->session.idle_ms && a->session.new_ms == b->session.new_ms &&
	       a->session.has_replies == b->session.has_replies && a->session.replies == b->session.replies &&
	       a->session.requests == b->session.requests && a->session.amplification == b->session.amplification;
}

static bool have_same_paths(const struct config_service *a, const struct config_service *b)
{
	return a->path == b->path && a->offload_after.bytes == b->offload_after.bytes &&
	       a->offload_after.ms == b->offload_after.ms;
}

static void compare_services(struct diff *diff, const struct config_service *a, const struct config_service *b)
{
	if (!have_same_listens(a, b))
		add(diff, "service %s: listeners changed", b->name);
	if (!is_same_text(a->to, b->to))
		add(diff, "service %s: goes to pool %s, was %s", b->name, b->to, a->to);
	if (!have_same_rules(a, b))
		add(diff, "service %s: access rules changed", b->name);
	if (!have_same_proxy_networks(a, b))
		add(diff, "service %s: networks of accept-proxy changed", b->name);
	if (memcmp(&a->block, &b->block, sizeof(a->block)) != 0)
		add(diff, "service %s: automatic blocks changed", b->name);
	if (a->guard != b->guard)
		add(diff,
		    b->guard == CONFIG_GUARD_DRY_RUN ? "service %s: access rules and limits are on trial"
						     : "service %s: access rules and limits are enforced",
		    b->name);
	if (!have_same_paths(a, b))
		add(diff, "service %s: path changed", b->name);
	if (!have_same_limits(a, b))
		add(diff, "service %s: limits changed", b->name);
	if (!have_same_times(a, b))
		add(diff, "service %s: time-outs or retries changed", b->name);
	if (!have_same_sessions(a, b))
		add(diff, "service %s: session settings changed", b->name);
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

static bool have_same_requests(const struct config_pool *a, const struct config_pool *b)
{
	return is_same_bytes(&a->check.send, &b->check.send) && is_same_bytes(&a->check.expect, &b->check.expect) &&
	       is_same_text(a->check.http.path, b->check.http.path) &&
	       is_same_text(a->check.http.host, b->check.http.host) && a->check.http.method == b->check.http.method &&
	       memcmp(&a->check.http.statuses, &b->check.http.statuses, sizeof(a->check.http.statuses)) == 0 &&
	       is_same_text(a->check.dns.name, b->check.dns.name) && a->check.dns.type == b->check.dns.type &&
	       a->check.dns.rcodes == b->check.dns.rcodes && is_same_text(a->check.program, b->check.program);
}

static bool have_same_checks(const struct config_pool *a, const struct config_pool *b)
{
	return a->check.kind == b->check.kind && a->check.every_ms == b->check.every_ms &&
	       a->check.timeout_ms == b->check.timeout_ms && a->check.rise == b->check.rise &&
	       a->check.fall == b->check.fall && a->check.port == b->check.port && have_same_requests(a, b);
}

static bool are_same_addrs(const struct addr *a, size_t a_count, const struct addr *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!addr_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool have_same_resolvers(const struct config_resolver *a, const struct config_resolver *b)
{
	return a->ttl_ms == b->ttl_ms && a->timeout_ms == b->timeout_ms &&
	       are_same_addrs(a->addrs, a->addr_count, b->addrs, b->addr_count);
}

static bool have_same_sources(const struct config_source *a, const struct config_source *b)
{
	return a->is_client == b->is_client && are_same_addrs(a->addrs, a->addr_count, b->addrs, b->addr_count);
}

static void compare_pool_settings(struct diff *diff, const struct config_pool *a, const struct config_pool *b)
{
	if (a->balance != b->balance || a->slow_start_ms != b->slow_start_ms || a->load_percent != b->load_percent)
		add(diff, "pool %s: balancing changed", b->name);
	if (!have_same_checks(a, b))
		add(diff, "pool %s: health check changed", b->name);
	if (a->eject.failures != b->eject.failures || a->eject.for_ms != b->eject.for_ms)
		add(diff, "pool %s: ejection changed", b->name);
	if (!have_same_resolvers(&a->resolver, &b->resolver))
		add(diff, "pool %s: resolver changed", b->name);
	if (a->send_proxy.version != b->send_proxy.version || a->send_proxy.is_first != b->send_proxy.is_first ||
	    a->send_proxy.has_authority != b->send_proxy.has_authority ||
	    a->send_proxy.has_unique_id != b->send_proxy.has_unique_id)
		add(diff, "pool %s: PROXY headers to servers changed", b->name);
	if (!have_same_sources(&a->source, &b->source))
		add(diff, "pool %s: source changed", b->name);
	if (a->panic_percent != b->panic_percent || a->on_down != b->on_down)
		add(diff, "pool %s: what happens when servers are down changed", b->name);
}

static const char *state_word(enum config_server_state state)
{
	static const char *const words[] = {
		[CONFIG_SERVER_UP] = "up", [CONFIG_SERVER_DRAIN] = "drain", [CONFIG_SERVER_MAINT] = "maint"
	};
	return words[state];
}

static void compare_servers(struct diff *diff, const char *pool, const struct config_server *a,
			    const struct config_server *b)
{
	if (!server_address_equal(a, b))
		add(diff, "pool %s: server %s has another address", pool, b->name);
	if (a->weight != b->weight)
		add(diff, "pool %s: server %s has weight %llu, was %llu", pool, b->name, (unsigned long long)b->weight,
		    (unsigned long long)a->weight);
	if (a->state != b->state)
		add(diff, "pool %s: server %s is %s, was %s", pool, b->name, state_word(b->state),
		    state_word(a->state));
	if (a->max_connections != b->max_connections || a->is_backup != b->is_backup)
		add(diff, "pool %s: server %s changed", pool, b->name);
}

static struct name_index *servers_index(const struct config_pool *pool)
{
	struct name_index *index = name_index_new();
	size_t known;
	for (size_t i = 0; i < pool->server_count; i++)
		name_index_add(index, span_from_text(pool->servers[i].name), i, &known);
	return index;
}

static void compare_pools(struct diff *diff, const struct config_pool *a, const struct config_pool *b)
{
	struct name_index *older = servers_index(a);
	struct name_index *newer = servers_index(b);
	size_t number;
	compare_pool_settings(diff, a, b);
	for (size_t i = 0; i < b->server_count; i++)
		if (name_index_find(older, span_from_text(b->servers[i].name), &number))
			compare_servers(diff, b->name, &a->servers[number], &b->servers[i]);
		else
			add(diff, "pool %s: server %s added", b->name, b->servers[i].name);
	for (size_t i = 0; i < a->server_count; i++)
		if (!name_index_find(newer, span_from_text(a->servers[i].name), &number))
			add(diff, "pool %s: server %s removed", b->name, a->servers[i].name);
	name_index_free(&newer);
	name_index_free(&older);
}

/* --- log sinks --------------------------------------------------------------------------------------------------- */

static const struct config_log *find_sink(const struct config *config, const struct config_log *like)
{
	for (size_t i = 0; i < config->log_count; i++)
		if (log_target_equal(&config->logs[i], like))
			return &config->logs[i];
	return NULL;
}

static void compare_sinks(struct diff *diff, const struct config_log *a, const struct config_log *b)
{
	char name[LOG_TARGET_NAME_BYTES];
	static const char *const formats[] = { [CONFIG_LOG_TEXT] = "text", [CONFIG_LOG_JSON] = "json" };
	static const char *const levels[] = { [CONFIG_LEVEL_ERROR] = "error",
					      [CONFIG_LEVEL_WARNING] = "warning",
					      [CONFIG_LEVEL_INFO] = "info",
					      [CONFIG_LEVEL_DEBUG] = "debug" };
	log_target_name(b, name);
	if (a->format != b->format)
		add(diff, "log %s: format is %s, was %s", name, formats[b->format], formats[a->format]);
	if (a->level != b->level)
		add(diff, "log %s: level is %s, was %s", name, levels[b->level], levels[a->level]);
	if (a->sample != b->sample)
		add(diff, "log %s: sample changed", name);
	if (a->every_ms != b->every_ms)
		add(diff, "log %s: every changed", name);
}

static void diff_logs(struct diff *diff, const struct config *older, const struct config *newer)
{
	char name[LOG_TARGET_NAME_BYTES];
	for (size_t i = 0; i < newer->log_count; i++) {
		const struct config_log *before = find_sink(older, &newer->logs[i]);
		if (before != NULL)
			compare_sinks(diff, before, &newer->logs[i]);
		else
			add(diff, "log %s added", log_target_name(&newer->logs[i], name));
	}
	for (size_t i = 0; i < older->log_count; i++)
		if (find_sink(newer, &older->logs[i]) == NULL)
			add(diff, "log %s removed", log_target_name(&older->logs[i], name));
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static void diff_services(struct diff *diff, const struct config *older, const struct config *newer)
{
	struct name_index *before = name_index_new();
	struct name_index *after = name_index_new();
	size_t number;
	for (size_t i = 0; i < older->service_count; i++)
		name_index_add(before, span_from_text(older->services[i].name), i, &number);
	for (size_t i = 0; i < newer->service_count; i++)
		name_index_add(after, span_from_text(newer->services[i].name), i, &number);
	for (size_t i = 0; i < newer->service_count; i++)
		if (name_index_find(before, span_from_text(newer->services[i].name), &number))
			compare_services(diff, &older->services[number], &newer->services[i]);
		else
			add(diff, "service %s added", newer->services[i].name);
	for (size_t i = 0; i < older->service_count; i++)
		if (!name_index_find(after, span_from_text(older->services[i].name), &number))
			add(diff, "service %s removed", older->services[i].name);
	name_index_free(&after);
	name_index_free(&before);
}

static void diff_pools(struct diff *diff, const struct config *older, const struct config *newer)
{
	struct name_index *before = name_index_new();
	struct name_index *after = name_index_new();
	size_t number;
	for (size_t i = 0; i < older->pool_count; i++)
		name_index_add(before, span_from_text(older->pools[i].name), i, &number);
	for (size_t i = 0; i < newer->pool_count; i++)
		name_index_add(after, span_from_text(newer->pools[i].name), i, &number);
	for (size_t i = 0; i < newer->pool_count; i++)
		if (name_index_find(before, span_from_text(newer->pools[i].name), &number))
			compare_pools(diff, &older->pools[number], &newer->pools[i]);
		else
			add(diff, "pool %s added, with %zu servers", newer->pools[i].name,
			    newer->pools[i].server_count);
	for (size_t i = 0; i < older->pool_count; i++)
		if (!name_index_find(after, span_from_text(older->pools[i].name), &number))
			add(diff, "pool %s removed", older->pools[i].name);
	name_index_free(&after);
	name_index_free(&before);
}

static const struct config_admin *find_admin(const struct config *config, const struct addr *addr)
{
	for (size_t i = 0; i < config->admin_count; i++)
		if (addr_equal(&config->admins[i].addr, addr))
			return &config->admins[i];
	return NULL;
}

static void diff_admins(struct diff *diff, const struct config *older, const struct config *newer)
{
	char text[ADDR_TEXT_BYTES];
	for (size_t i = 0; i < newer->admin_count; i++) {
		const struct config_admin *admin = &newer->admins[i];
		const struct config_admin *before = find_admin(older, &admin->addr);
		addr_format(&admin->addr, text, sizeof(text));
		if (before == NULL)
			add(diff, "admin %s added", text);
		else if (!is_same_text(before->token_file, admin->token_file))
			add(diff, "admin %s: token file changed", text);
	}
	for (size_t i = 0; i < older->admin_count; i++)
		if (find_admin(newer, &older->admins[i].addr) == NULL)
			add(diff, "admin %s removed", addr_format(&older->admins[i].addr, text, sizeof(text)));
}

static bool have_same_trends(const struct config *a, const struct config *b)
{
	return is_same_text(a->trends.file, b->trends.file) && a->trends.memory_bytes == b->trends.memory_bytes &&
	       a->trends.prefixes.ipv4_bits == b->trends.prefixes.ipv4_bits &&
	       a->trends.prefixes.ipv6_bits == b->trends.prefixes.ipv6_bits;
}

static bool have_same_blocks(const struct config *a, const struct config *b)
{
	if (a->block_count != b->block_count)
		return false;
	for (size_t i = 0; i < a->block_count; i++)
		if (!are_same_networks(&a->blocks[i].from, &b->blocks[i].from))
			return false;
	return true;
}

static bool have_same_packet_guard(const struct config *a, const struct config *b)
{
	return a->packet_guard.mode == b->packet_guard.mode &&
	       a->packet_guard.has_only_listen == b->packet_guard.has_only_listen &&
	       is_same_text(a->packet_guard.interfaces, b->packet_guard.interfaces);
}

static bool have_same_kernel_path(const struct config *a, const struct config *b)
{
	return a->kernel_path.mode == b->kernel_path.mode && a->kernel_path.flows == b->kernel_path.flows &&
	       is_same_text(a->kernel_path.pins, b->kernel_path.pins);
}

void diff_make(const struct config *older, const struct config *newer, struct diff *ret_diff)
{
	*ret_diff = (struct diff){ 0 };
	if (memcmp(&older->limit, &newer->limit, sizeof(older->limit)) != 0)
		add(ret_diff, "limits of the daemon changed");
	if (!have_same_blocks(older, newer))
		add(ret_diff, "blocks changed");
	if (older->drain_ms != newer->drain_ms)
		add(ret_diff, "time-out for draining changed");
	if (older->io_uring != newer->io_uring)
		add(ret_diff, "io-uring changed to %s", newer->io_uring == CONFIG_IO_URING_ON ? "on" : "off");
	if (!have_same_packet_guard(older, newer))
		add(ret_diff, "settings of the packet guard changed");
	if (!have_same_kernel_path(older, newer))
		add(ret_diff, "settings of the kernel path changed");
	if (!have_same_trends(older, newer))
		add(ret_diff, "settings of the trends changed");
	diff_logs(ret_diff, older, newer);
	diff_admins(ret_diff, older, newer);
	if (!have_same_resolvers(&older->resolver, &newer->resolver))
		add(ret_diff, "resolver changed");
	diff_services(ret_diff, older, newer);
	diff_pools(ret_diff, older, newer);
}

void diff_done(struct diff *diff)
{
	for (size_t i = 0; i < diff->count; i++)
		free(diff->lines[i]);
	free(diff->lines);
	*diff = (struct diff){ 0 };
}

const char *diff_find_fixed(const struct config *older, const struct config *newer)
{
	if (older->workers != newer->workers)
		return "workers";
	return NULL;
}
