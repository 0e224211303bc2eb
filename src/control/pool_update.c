/* SPDX-License-Identifier: Apache-2.0 */
#include "control/pool_update.h"

#include "control/own_addresses.h"
#include "control/server_states.h"

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
	retired_add(daemon->retired, &leftovers, daemon->loop.now_ms);
}

void pool_update_on_names(void *owner, size_t pool_number)
{
	pool_update_publish(owner, pool_number);
}
