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
	uint64_t pool_updates; /* how often a pool of it was given anew what the tree says of it */
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
 * Builds the snapshot of a valid tree. Services and pools whose names are in `previous` (NULL at start) are the same
 * objects again, unchanged yet; others are new and complete. So until it is published nothing has changed, and it can be
 * dropped with snapshot_discard. worker_count is the number already decided on. Aborts when memory is short; cannot
 * fail otherwise.
 */
struct snapshot *snapshot_build(const struct config *config, uint64_t generation, uint32_t worker_count,
				const struct snapshot *previous);

/* What a published snapshot left over from its predecessor: no longer configured, but flows may still use it. */
struct snapshot_leftovers {
	struct service **services;
	size_t service_count;
	struct pool **pools;
	size_t pool_count;
	struct server **servers; /* of pools that stay; those of a pool that goes are in the pool */
	size_t server_count;
};

/*
 * Gives the objects that were there before their new policies, limits and servers (what a server is known to be stays:
 * health, ejection, counts), and frees the previous snapshot itself. The tree is the one the snapshot was built from.
 * Pools whose views depend on what changed are marked stale: their views are still the old ones. Workers see policies from now on. The arrays of
 * *ret_leftovers are the caller's to free.
 */
void snapshot_publish(struct snapshot *snapshot, const struct config *config, struct snapshot **previous,
		      struct snapshot_leftovers *ret_leftovers);

/*
 * Gives one pool of a published snapshot what the tree now says of it: policy and servers, as snapshot_publish does.
 * number: the pool's in both. The pool is marked stale if need be; *ret_leftovers holds servers only.
 */
void snapshot_update_pool(struct snapshot *snapshot, const struct config *config, size_t number,
			  struct snapshot_leftovers *ret_leftovers);

/* What a list of networks holds has changed in the tree: the services whose access rules name it follow. */
void snapshot_update_list(struct snapshot *snapshot, const struct config *config, size_t list);

/* NULL when there is none of that name. */
struct pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name);
struct service *snapshot_find_service(const struct snapshot *snapshot, const char *name);

/* Drops a snapshot that was built upon `previous` and not published. */
void snapshot_discard(struct snapshot **snapshot, const struct snapshot *previous);

/*
 * Frees it with all services, guards, pools and servers, when no worker runs any more and the pools' views have been
 * taken away (balance_view_discard). Accepts NULL; clears the pointer.
 */
void snapshot_free(struct snapshot **snapshot);

/* The snapshot itself, without what it names. Clears the pointer. */
void snapshot_free_lists(struct snapshot **snapshot);

/* A pool with its servers; its view has been taken away and no flow uses them. Clears the pointer. */
void snapshot_free_pool(struct pool **pool);

#endif
