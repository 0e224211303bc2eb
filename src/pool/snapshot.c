/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/snapshot.h"

#include "base/check.h"

#include <stdlib.h>

static void pool_and_servers_free(struct pool *pool)
{
	/* The floor above has made the view and must have taken it away: it points at the servers. */
	CHECK(pool->view == NULL);
	for (size_t i = 0; i < pool->server_count; i++)
		server_free(&pool->servers[i]);
	pool_free(&pool);
}

void snapshot_free(struct snapshot **snapshot_pointer)
{
	struct snapshot *snapshot = *snapshot_pointer;
	if (snapshot == NULL)
		return;
	for (size_t i = 0; i < snapshot->service_count; i++)
		service_free(&snapshot->services[i]);
	for (size_t i = 0; i < snapshot->pool_count; i++)
		pool_and_servers_free(snapshot->pools[i]);
	free(snapshot->services);
	free(snapshot->pools);
	free(snapshot->listens);
	free(snapshot);
	*snapshot_pointer = NULL;
}
