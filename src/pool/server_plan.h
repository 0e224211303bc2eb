/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which servers the directives of a pool come to: one for an address, one for each address that a name stands for at
 * the moment. Only for build.c, and like it one of the last to see configuration types. Any thread.
 *
 * A server made of a name is called NAME@ADDRESS:PORT, NAME being name= or the host; where that is too long for a name
 * NAME is shortened (config/server_address.h). So a server keeps its name, and with it its counts and state, as long
 * as its address stays in the answer.
 */
#ifndef POOL_SERVER_PLAN_H
#define POOL_SERVER_PLAN_H

#include "config/config.h"
#include "pool/server.h"

struct planned_server {
	const struct config_server *config; /* of the tree */
	char name[SERVER_NAME_BYTES];       /* unique in the plan */
	struct addr addr;
	uint64_t weight;
	bool is_backup;
};

struct server_plan {
	struct planned_server *servers;
	size_t count;
};

/* Directives in the order written, addresses of a name in the order of its answer. */
void server_plan_make(const struct config_pool *config, struct server_plan *ret_plan);
void server_plan_done(struct server_plan *plan);

#endif
