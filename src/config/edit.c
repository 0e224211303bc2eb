/* SPDX-License-Identifier: Apache-2.0 */
#include "config/edit.h"

#include "config/config_memory.h"
#include "config/server_address.h"

#include <errno.h>

struct config_service *config_find_service(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (strcmp(config->services[i].name, name) == 0)
			return &config->services[i];
	}
	return NULL;
}

struct config_pool *config_find_pool(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pool_count; i++) {
		if (strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	}
	return NULL;
}

struct config_server *config_pool_find_server(const struct config_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		if (strcmp(pool->servers[i].name, name) == 0)
			return &pool->servers[i];
	}
	return NULL;
}

static void servers_make_room(struct config *config, struct config_pool *pool)
{
	if (pool->server_capacity == 0)
		pool->server_capacity = config_memory_capacity(pool->server_count);
	if (pool->server_count < pool->server_capacity)
		return;
	size_t capacity = pool->server_capacity > 0 ? 2 * pool->server_capacity : 4;
	struct config_server *larger = config_memory_alloc(config->memory, capacity * sizeof(*larger));
	if (pool->server_count > 0)
		memcpy(larger, pool->servers, pool->server_count * sizeof(*larger));
	pool->servers = larger;
	pool->server_capacity = capacity;
}

int config_pool_add_server(struct config *config, struct config_pool *pool, const struct config_server *server)
{
	struct config_server added = *server;
	added.place = (struct config_place){ 0 };
	added.resolved = NULL; /* what it stands for is for others to say */
	added.resolved_count = 0;
	if (added.name[0] == '\0')
		server_address_name(server, added.name);
	if (config_pool_find_server(pool, added.name) != NULL)
		return -EEXIST;
	servers_make_room(config, pool);
	pool->servers[pool->server_count++] = added;
	return 0;
}

int config_pool_remove_server(struct config_pool *pool, const char *name)
{
	struct config_server *server = config_pool_find_server(pool, name);
	if (server == NULL)
		return -ENOENT;
	if (pool->server_count == 1)
		return -EBUSY;
	/* Before the count falls, while it still tells how much room reading left. */
	if (pool->server_capacity == 0)
		pool->server_capacity = config_memory_capacity(pool->server_count);
	size_t behind = pool->server_count - (size_t)(server - pool->servers) - 1;
	memmove(server, server + 1, behind * sizeof(*server));
	pool->server_count--;
	return 0;
}
