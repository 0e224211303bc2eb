/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/server_plan.h"

#include "base/memory.h"
#include "config/name_index.h"
#include "config/server_address.h"

#include <stdio.h>
#include <stdlib.h>

static void name_resolved(struct planned_server *server, uint32_t salt)
{
	char addr[ADDR_TEXT_BYTES];
	const char *name = server->config->has_name ? server->config->name : server->config->host;
	/* At most "@[39 characters]:65535": no scope comes from a name. */
	size_t addr_len = strlen(addr_format(&server->addr, addr, sizeof(addr)));
	size_t room = sizeof(server->name) - 1 - 1 - addr_len;
	server_name_shorten(span_from_text(name), room, salt, server->name);
	size_t len = strlen(server->name);
	snprintf(server->name + len, sizeof(server->name) - len, "@%s", addr);
}

/* The names of addresses are unique already, and none of them looks like one made here. */
static void plan_address(struct server_plan *plan, const struct config_server *config)
{
	struct planned_server server = {
		.config = config,
		.addr = config->addr,
		.weight = config->weight,
		.is_backup = config->is_backup,
	};
	span_copy(span_from_text(config->name), server.name, sizeof(server.name));
	plan->servers[plan->count++] = server;
}

static void plan_resolved(struct server_plan *plan, struct name_index *names, const struct config_server *config,
			  const struct config_resolved *resolved)
{
	struct planned_server server = {
		.config = config,
		.addr = resolved->addr,
		.weight = resolved->weight != 0 ? resolved->weight : config->weight,
		.is_backup = config->is_backup || resolved->is_backup,
	};
	size_t taken;
	if (!config->is_srv)
		addr_set_port(&server.addr, config->port);
	/* Two shortened names may come out the same. */
	for (uint32_t salt = 0;; salt++) {
		name_resolved(&server, salt);
		if (name_index_add(names, span_from_text(server.name), plan->count, &taken))
			break;
	}
	plan->servers[plan->count++] = server;
}

void server_plan_make(const struct config_pool *config, struct server_plan *ret_plan)
{
	struct name_index *names = name_index_new();
	size_t count = 0;
	for (size_t i = 0; i < config->server_count; i++)
		count += config->servers[i].host[0] != '\0' ? config->servers[i].resolved_count : 1;
	*ret_plan = (struct server_plan){ .servers = memory_alloc_zeroed(count, sizeof(ret_plan->servers[0])) };
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_server *server = &config->servers[i];
		if (server->host[0] == '\0')
			plan_address(ret_plan, server);
		for (size_t j = 0; server->host[0] != '\0' && j < server->resolved_count; j++)
			plan_resolved(ret_plan, names, server, &server->resolved[j]);
	}
	name_index_free(&names);
}

void server_plan_done(struct server_plan *plan)
{
	free(plan->servers);
	*plan = (struct server_plan){ NULL, 0 };
}
