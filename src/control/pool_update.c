/* SPDX-License-Identifier: Apache-2.0 */
#include "control/pool_update.h"

#include "control/own_addresses.h"
#include "control/retired.h"
#include "control/server_states.h"

void pool_update_retire(struct daemon *daemon, struct snapshot_leftovers *leftovers)
{
	bool has_lost = leftovers->server_count + leftovers->pool_count > 0;
	retired_add(daemon->retired, leftovers, daemon->loop.now_ms);
	for (uint32_t i = 0; has_lost && i < daemon->worker_count; i++)
		worker_close_lost(daemon->workers[i]);
}

void pool_update_publish(struct daemon *daemon, size_t pool_number)
{
	struct snapshot *snapshot = daemon->snapshot;
	struct snapshot_leftovers leftovers;
	snapshot_update_pool(snapshot, daemon->config, pool_number, &leftovers);
	/* Workers see the servers with the view. */
	own_addresses_mark_pool(snapshot, snapshot->pools[pool_number]);
	daemon->has_stale_views = true;
	server_states_publish(daemon);
	health_watch_pool(daemon->health, snapshot, pool_number, leftovers.servers, leftovers.server_count);
	pool_update_retire(daemon, &leftovers);
	if (daemon->kernel_path != NULL)
		kernel_path_review(daemon->kernel_path);
}

void pool_update_on_names(void *owner, size_t pool_number)
{
	pool_update_publish(owner, pool_number);
}
