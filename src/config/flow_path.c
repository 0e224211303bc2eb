/* SPDX-License-Identifier: Apache-2.0 */
#include "config/flow_path.h"

const char *flow_path_word(enum config_path path)
{
	static const char *const words[] = {
		[CONFIG_PATH_RELAY] = "relay",
		[CONFIG_PATH_AUTO] = "auto",
		[CONFIG_PATH_OFFLOAD] = "offload",
		[CONFIG_PATH_NAT] = "nat",
	};
	return words[path];
}

const char *flow_obstacle_text(enum flow_obstacle obstacle)
{
	static const char *const texts[] = {
#define FLOW_OBSTACLE_TEXT(name, text) [FLOW_OBSTACLE_##name] = text,
		FLOW_OBSTACLE_LIST(FLOW_OBSTACLE_TEXT)
#undef FLOW_OBSTACLE_TEXT
	};
	return texts[obstacle];
}

static uint32_t bit_if(bool is_there, enum flow_obstacle obstacle)
{
	return is_there ? 1u << obstacle : 0;
}

static bool has_only_unix_servers(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++)
		if (!addr_is_unix(&pool->servers[i].addr))
			return false;
	return pool->server_count > 0;
}

static bool has_only_unix_listeners(const struct config_service *service)
{
	for (size_t i = 0; i < service->listen_count; i++)
		if (!addr_is_unix(&service->listens[i].addr))
			return false;
	return true;
}

/* A PROXY header moves sequence numbers by a constant, so TCP with one can be joined; of UDP it is in every datagram. */
static uint32_t udp_obstacles(const struct config_service *service, const struct config_pool *pool)
{
	return bit_if(service->proxy_network_count > 0, FLOW_OBSTACLE_ACCEPT_PROXY) |
	       bit_if(pool->send_proxy.version != CONFIG_SEND_PROXY_NONE, FLOW_OBSTACLE_SEND_PROXY) |
	       bit_if(service->limit.per_source_packets.amount > 0, FLOW_OBSTACLE_SOURCE_PACKETS) |
	       bit_if(service->session.has_replies, FLOW_OBSTACLE_REPLIES) |
	       bit_if(service->session.requests > 0, FLOW_OBSTACLE_REQUESTS);
}

uint32_t flow_path_obstacles(const struct config *config, const struct config_service *service,
			     enum config_protocol protocol)
{
	const struct config_pool *pool = &config->pools[service->pool_index];
	bool is_limited = service->limit.bandwidth > 0 || service->limit.upload > 0 || service->limit.download > 0;
	uint32_t obstacles =
		bit_if(is_limited, FLOW_OBSTACLE_BANDWIDTH) |
		bit_if(pool->source.is_client, FLOW_OBSTACLE_SOURCE_CLIENT) |
		bit_if(has_only_unix_servers(pool) || has_only_unix_listeners(service), FLOW_OBSTACLE_UNIX_SOCKETS);
	return protocol == CONFIG_UDP ? obstacles | udp_obstacles(service, pool) : obstacles;
}

static bool has_limited_server(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i].max_connections > 0)
			return true;
	return false;
}

static bool has_unix_socket(const struct config_service *service, const struct config_pool *pool)
{
	for (size_t i = 0; i < service->listen_count; i++)
		if (addr_is_unix(&service->listens[i].addr))
			return true;
	for (size_t i = 0; i < pool->server_count; i++)
		if (pool->servers[i].host[0] == '\0' && addr_is_unix(&pool->servers[i].addr))
			return true;
	return false;
}

static bool has_loopback_listener(const struct config_service *service)
{
	for (size_t i = 0; i < service->listen_count; i++)
		if (addr_is_loopback(&service->listens[i].addr))
			return true;
	return false;
}

static uint32_t nat_pool_obstacles(const struct config_pool *pool)
{
	return bit_if(pool->send_proxy.version != CONFIG_SEND_PROXY_NONE, FLOW_OBSTACLE_SEND_PROXY) |
	       bit_if(pool->source.is_client, FLOW_OBSTACLE_SOURCE_CLIENT) |
	       bit_if(has_limited_server(pool), FLOW_OBSTACLE_SERVER_MAX) |
	       bit_if(pool->load_percent > 0, FLOW_OBSTACLE_LOAD);
}

uint32_t flow_path_nat_obstacles(const struct config *config, const struct config_service *service)
{
	const struct config_pool *pool = &config->pools[service->pool_index];
	bool is_limited = service->limit.bandwidth > 0 || service->limit.upload > 0 || service->limit.download > 0;
	bool limits_sources = service->limit.per_source > 0 || service->limit.per_source_rate.amount > 0;
	return nat_pool_obstacles(pool) | bit_if(service->proxy_network_count > 0, FLOW_OBSTACLE_ACCEPT_PROXY) |
	       bit_if(is_limited, FLOW_OBSTACLE_BANDWIDTH) | bit_if(limits_sources, FLOW_OBSTACLE_PER_SOURCE) |
	       bit_if(service->limit.per_source_packets.amount > 0, FLOW_OBSTACLE_SOURCE_PACKETS) |
	       bit_if(service->timeout.queue_ms > 0, FLOW_OBSTACLE_QUEUE) |
	       bit_if(service->guard == CONFIG_GUARD_DRY_RUN, FLOW_OBSTACLE_DRY_RUN) |
	       bit_if(service->session.has_replies, FLOW_OBSTACLE_REPLIES) |
	       bit_if(service->session.requests > 0, FLOW_OBSTACLE_REQUESTS) |
	       bit_if(service->session.amplification > 0, FLOW_OBSTACLE_AMPLIFICATION) |
	       bit_if(has_unix_socket(service, pool), FLOW_OBSTACLE_UNIX_SOCKETS) |
	       bit_if(has_loopback_listener(service), FLOW_OBSTACLE_LOOPBACK);
}
