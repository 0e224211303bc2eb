/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/snapshot.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

struct pool *snapshot_find_pool(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->pool_count; i++)
		if (strcmp(snapshot->pools[i]->name, name) == 0)
			return snapshot->pools[i];
	return NULL;
}

struct service *snapshot_find_service(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->service_count; i++)
		if (strcmp(snapshot->services[i]->name, name) == 0)
			return snapshot->services[i];
	return NULL;
}

void snapshot_free_pool(struct pool **pool)
{
	/* The floor above has made the view and must have taken it away: it points at the servers. */
	CHECK((*pool)->view == NULL);
	for (size_t i = 0; i < (*pool)->server_count; i++)
		server_free(&(*pool)->servers[i]);
	pool_free(pool);
}

void snapshot_free_lists(struct snapshot **snapshot)
{
	free((*snapshot)->services);
	free((*snapshot)->pools);
	free((*snapshot)->listens);
	free(*snapshot);
	*snapshot = NULL;
}

static bool has_service(const struct snapshot *snapshot, const struct service *service)
{
	for (size_t i = 0; snapshot != NULL && i < snapshot->service_count; i++)
		if (snapshot->services[i] == service)
			return true;
	return false;
}

static bool has_pool(const struct snapshot *snapshot, const struct pool *pool)
{
	for (size_t i = 0; snapshot != NULL && i < snapshot->pool_count; i++)
		if (snapshot->pools[i] == pool)
			return true;
	return false;
}

void snapshot_discard(struct snapshot **snapshot, const struct snapshot *previous)
{
	for (size_t i = 0; i < (*snapshot)->service_count; i++)
		if (!has_service(previous, (*snapshot)->services[i]))
			service_free(&(*snapshot)->services[i]);
	for (size_t i = 0; i < (*snapshot)->pool_count; i++)
		if (!has_pool(previous, (*snapshot)->pools[i]))
			snapshot_free_pool(&(*snapshot)->pools[i]);
	snapshot_free_lists(snapshot);
}

void snapshot_free(struct snapshot **snapshot)
{
	if (*snapshot == NULL)
		return;
	for (size_t i = 0; i < (*snapshot)->service_count; i++)
		service_free(&(*snapshot)->services[i]);
	for (size_t i = 0; i < (*snapshot)->pool_count; i++)
		snapshot_free_pool(&(*snapshot)->pools[i]);
	snapshot_free_lists(snapshot);
}
