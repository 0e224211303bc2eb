/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run-time form of a configuration: which services listen where and which pools there are, under one generation
 * number. Made by build.c from the configuration tree; owned by control, read by workers.
 */
#ifndef POOL_SNAPSHOT_H
#define POOL_SNAPSHOT_H

#include "base/addr.h"
#include "pool/service.h"

struct config;

struct snapshot_listen {
	struct service *service;
	enum flow_protocol protocol;
	struct addr addr;
	bool is_dual; /* [::] that also takes IPv4 */
};

struct snapshot {
	uint64_t generation;
	uint32_t worker_count;
	uint64_t drain_ms;
	struct service **services; /* in the order written */
	size_t service_count;
	struct pool **pools;
	size_t pool_count;
	struct snapshot_listen *listens;
	size_t listen_count;
	uint64_t connections_max; /* ceilings of the daemon, 0 = none written */
	uint64_t sessions_max;
	uint64_t memory_bytes_max;
};

/*
 * Builds everything new from a valid tree. worker_count is the number already decided on (config->workers 0 is resolved
 * by the caller). Aborts when memory is short (start-up); cannot fail otherwise.
 */
struct snapshot *snapshot_build(const struct config *config, uint64_t generation, uint32_t worker_count);

/*
 * Frees it with all services, guards, pools and servers, when no worker runs any more and the pools' views have been
 * taken away (balance_view_discard). Accepts NULL; clears the pointer.
 */
void snapshot_free(struct snapshot **snapshot);

#endif
