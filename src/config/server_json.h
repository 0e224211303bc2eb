/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one server from JSON, by the rows that the schema has for the directive `server`, for requests that add one to a
 * pool. One thread at a time.
 */
#ifndef CONFIG_SERVER_JSON_H
#define CONFIG_SERVER_JSON_H

#include "config/config.h"

#include <jansson.h>

/*
 * {"address": "10.0.0.3:80", "name": "c", "weight": 2, "max-connections": 200, "backup": true, "state": "up"}: only the
 * address is needed. Also checks whether the pool, which is one of config's, can have such a server: its address, and for a
 * unix socket the pool's check and the services that use it; not whether its name is taken, which config_pool_add_server
 * does. Returns 0, or -EINVAL with errors that tell JSON pointers and no file; warnings do not fail it.
 */
int config_server_read(const struct config *config, const struct config_pool *pool, json_t *object,
		       struct config_server *ret_server, struct diagnostics *diagnostics);

#endif
