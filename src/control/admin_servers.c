/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_servers.h"

#include "base/memory.h"
#include "config/edit.h"
#include "config/server_address.h"
#include "config/server_json.h"
#include "control/json_bytes.h"
#include "control/live_flows.h"
#include "control/names.h"
#include "control/pool_update.h"
#include "control/server_changes.h"
#include "control/status.h"

#include <stdlib.h>
#include <string.h>

/* Where a request points to. */
struct target {
	size_t number; /* of the pool */
	struct config_pool *pool;
	struct config_server *server; /* NULL: the path names none, or none that there is */
};

/* Returns false, and refuses, when there is nothing there or nothing may change. */
static bool find_target(struct admin_request *request, bool wants_server, struct target *ret_target,
			struct admin_answer *answer)
{
	struct config *config = request->daemon->config;
	*ret_target = (struct target){ .pool = config_find_pool(config, request->names[0]) };
	if (ret_target->pool == NULL) {
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no pool of that name; /v1/pools lists all");
		return false;
	}
	ret_target->number = (size_t)(ret_target->pool - config->pools);
	if (wants_server)
		ret_target->server = config_pool_find_server(ret_target->pool, request->names[1]);
	if (wants_server && ret_target->server == NULL)
		admin_refuse(answer, ADMIN_NOT_FOUND, "the pool has no server of that name; /v1/pools/NAME lists all");
	else if (request->daemon->phase != DAEMON_RUNNING)
		admin_refuse(answer, ADMIN_CONFLICT, "strait is stopping");
	else
		return true;
	return false;
}

static void answer_server(struct daemon *daemon, const struct target *target, const char *name,
			  enum admin_status status, struct admin_answer *answer)
{
	char address[SERVER_ADDRESS_TEXT_BYTES];
	const struct server *server = pool_find_server(daemon->snapshot->pools[target->number], name);
	if (server != NULL) {
		admin_answer_json(answer, status, status_build_server(daemon, server));
		return;
	}
	/* A name, which stands for any number of servers; /v1/pools/NAME tells which. */
	server_address_format(config_pool_find_server(target->pool, name), address);
	admin_answer_json(answer, status,
			  json_pack("{s:o, s:o}", "name", json_bytes(name), "address", json_bytes(address)));
}

/* Names of the pool's servers may have come or gone. */
static void publish(struct daemon *daemon, const struct target *target)
{
	names_attach(daemon->names, daemon->config);
	pool_update_publish(daemon, target->number);
	names_watch(daemon->names, daemon->config);
}

static void write_event(struct daemon *daemon, const char *event, const struct target *target,
			const struct config_server *server)
{
	static const char *const states[] = {
		[CONFIG_SERVER_UP] = "up", [CONFIG_SERVER_DRAIN] = "drain", [CONFIG_SERVER_MAINT] = "maint"
	};
	log_event(daemon->log, CONFIG_LEVEL_INFO, event, record_text("pool", target->pool->name),
		  record_text("server", server->name), record_text("state", states[server->state]),
		  record_number("weight", server->weight));
}

/* --- adding ------------------------------------------------------------------------------------------------------ */

static void add(struct admin_request *request, struct target *target, const struct config_server *server,
		struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	if (config_pool_add_server(daemon->config, target->pool, server) < 0) {
		admin_refuse(answer, ADMIN_CONFLICT, "the pool has a server of that name already");
		return;
	}
	const struct config_server *added = &target->pool->servers[target->pool->server_count - 1];
	server_changes_note(daemon->changes, target->pool->name, NULL, added);
	publish(daemon, target);
	write_event(daemon, "server_added", target, added);
	answer_server(daemon, target, added->name, ADMIN_CREATED, answer);
}

void admin_servers_add(struct admin_request *request, struct admin_answer *answer)
{
	struct target target;
	struct config_server server;
	struct diagnostics diagnostics;
	if (!find_target(request, false, &target, answer))
		return;
	if (request->document == NULL) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "the body tells the server: {\"address\":\"10.0.0.3:80\"}");
		return;
	}
	diagnostics_init(&diagnostics);
	if (config_server_read(request->daemon->config, target.pool, request->document, &server, &diagnostics) == 0)
		add(request, &target, &server, answer);
	else
		admin_refuse_configuration(answer, "the server cannot be read", &diagnostics,
					   request->daemon->snapshot->generation);
	diagnostics_done(&diagnostics);
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

static bool read_state(const json_t *value, enum config_server_state *ret_state)
{
	static const struct {
		const char *word;
		enum config_server_state state;
	} words[] = {
		{ "up", CONFIG_SERVER_UP },
		{ "ready", CONFIG_SERVER_UP },
		{ "drain", CONFIG_SERVER_DRAIN },
		{ "maint", CONFIG_SERVER_MAINT },
	};
	for (size_t i = 0; json_is_string(value) && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, json_string_value(value)) == 0) {
			*ret_state = words[i].state;
			return true;
		}
	return false;
}

/* What flows=keep|close or {"flows":...} asks for; "": not asked. */
static bool read_flows(const char *text, bool *ret_closes)
{
	*ret_closes = strcmp(text, "close") == 0;
	return *ret_closes || strcmp(text, "keep") == 0;
}

/* Returns a sentence when the body is not right. */
static const char *read_change(const json_t *document, struct config_server *server, bool *ret_closes)
{
	const char *key;
	json_t *value;
	*ret_closes = false;
	if (json_object_size(document) == 0)
		return "the body tells what to change: {\"state\":\"drain\"}, {\"weight\":50}";
	json_object_foreach((json_t *)document, key, value)
	{
		if (strcmp(key, "state") == 0) {
			if (!read_state(value, &server->state))
				return "state is \"up\", \"drain\" or \"maint\"";
		} else if (strcmp(key, "weight") == 0) {
			if (!json_is_integer(value) || json_integer_value(value) < 1 ||
			    json_integer_value(value) > CONFIG_WEIGHT_MAX)
				return "weight is a number from 1 to 1000";
			server->weight = (uint64_t)json_integer_value(value);
		} else if (strcmp(key, "flows") == 0) {
			if (!json_is_string(value) || !read_flows(json_string_value(value), ret_closes))
				return "flows is \"keep\" or \"close\"";
		} else {
			return "state, weight and flows can be given, nothing else";
		}
	}
	return NULL;
}

/* The servers that a directive comes to, each held. */
struct held_servers {
	struct server **servers;
	size_t count;
};

static bool comes_to(const struct config_server *config, const struct server *server)
{
	if (config->host[0] == '\0')
		return strcmp(config->name, server->name) == 0;
	for (size_t i = 0; i < config->resolved_count; i++) {
		struct addr addr = config->resolved[i].addr;
		if (!config->is_srv)
			addr_set_port(&addr, config->port);
		if (addr_equal(&addr, &server->addr))
			return true;
	}
	return false;
}

static struct held_servers hold_servers(const struct pool *pool, const struct config_server *config)
{
	struct held_servers held = { memory_alloc_zeroed(pool->server_count, sizeof(held.servers[0])), 0 };
	for (size_t i = 0; i < pool->server_count; i++) {
		if (!comes_to(config, pool->servers[i]))
			continue;
		server_acquire_reference(pool->servers[i]);
		held.servers[held.count++] = pool->servers[i];
	}
	return held;
}

static void release_servers(struct held_servers *held)
{
	for (size_t i = 0; i < held->count; i++)
		server_release_reference(held->servers[i]);
	free(held->servers);
}

static size_t close_flows(struct daemon *daemon, const struct held_servers *held)
{
	size_t count = 0;
	for (size_t i = 0; i < held->count; i++) {
		const struct flow_filter filter = { .server = held->servers[i] };
		count += live_flows_close(daemon, &filter, REASON_ADMIN_CLOSED);
	}
	return count;
}

static size_t count_active(const struct held_servers *held)
{
	size_t count = 0;
	for (size_t i = 0; i < held->count; i++)
		count += server_active(held->servers[i]);
	return count;
}

void admin_servers_show(struct admin_request *request, struct admin_answer *answer)
{
	const struct pool *pool = snapshot_find_pool(request->daemon->snapshot, request->names[0]);
	const struct server *server = pool != NULL ? pool_find_server(pool, request->names[1]) : NULL;
	if (server == NULL)
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no such server; /v1/pools lists all");
	else
		admin_answer_json(answer, ADMIN_OK, status_build_server(request->daemon, server));
}

void admin_servers_change(struct admin_request *request, struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	struct target target;
	bool closes;
	if (!find_target(request, true, &target, answer))
		return;
	struct config_server before = *target.server;
	struct config_server after = before;
	const char *problem = read_change(request->document, &after, &closes);
	if (problem != NULL) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, problem);
		return;
	}
	struct held_servers held = hold_servers(daemon->snapshot->pools[target.number], &before);
	*target.server = after;
	server_changes_note(daemon->changes, target.pool->name, &before, &after);
	publish(daemon, &target);
	if (closes)
		close_flows(daemon, &held);
	release_servers(&held);
	write_event(daemon, "server_changed", &target, &after);
	answer_server(daemon, &target, after.name, ADMIN_OK, answer);
}

/* --- removing ---------------------------------------------------------------------------------------------------- */

void admin_servers_remove(struct admin_request *request, struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	const char *flows = admin_argument(request, "flows");
	struct target target;
	bool closes = false;
	if (flows != NULL && !read_flows(flows, &closes)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "flows is keep or close");
		return;
	}
	if (!find_target(request, true, &target, answer))
		return;
	struct config_server before = *target.server;
	struct held_servers held = hold_servers(daemon->snapshot->pools[target.number], &before);
	if (config_pool_remove_server(target.pool, before.name) < 0) {
		release_servers(&held);
		admin_refuse(answer, ADMIN_CONFLICT, "it is the last server of the pool; set it to maint instead");
		return;
	}
	server_changes_note(daemon->changes, target.pool->name, &before, NULL);
	publish(daemon, &target);
	size_t closed_count = closes ? close_flows(daemon, &held) : 0;
	size_t active_count = count_active(&held);
	release_servers(&held);
	write_event(daemon, "server_removed", &target, &before);
	admin_answer_json(answer, ADMIN_OK,
			  json_pack("{s:o, s:I, s:I}", "removed", json_bytes(before.name), "flows_closed",
				    (json_int_t)closed_count, "flows_active", (json_int_t)active_count));
}
