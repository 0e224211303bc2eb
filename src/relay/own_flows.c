/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/own_flows.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

struct own_flow {
	struct own_flow_key key;
	uint32_t service_count;
	const struct service *services[OWN_FLOWS_SERVICES_MAX];
	UT_hash_handle hh;
};

struct own_flows {
	_Atomic uint32_t count; /* of flows; changed under the lock */
	pthread_mutex_t lock;
	struct own_flow *flows;
};

struct own_flows *own_flows_new(void)
{
	struct own_flows *own_flows = memory_alloc_zeroed(1, sizeof(*own_flows));
	pthread_mutex_init(&own_flows->lock, NULL);
	return own_flows;
}

void own_flows_free(struct own_flows **own_flows)
{
	if (*own_flows == NULL)
		return;
	struct own_flow *flow, *next;
	HASH_ITER(hh, (*own_flows)->flows, flow, next)
	{
		HASH_DEL((*own_flows)->flows, flow);
		free(flow);
	}
	pthread_mutex_destroy(&(*own_flows)->lock);
	free(*own_flows);
	*own_flows = NULL;
}

static struct own_flow *find(const struct own_flows *own_flows, const struct own_flow_key *key)
{
	struct own_flow *flow = NULL;
	HASH_FIND(hh, own_flows->flows, key, sizeof(*key), flow);
	return flow;
}

static void forget(struct own_flows *own_flows, const struct own_flow_key *key)
{
	struct own_flow *flow = find(own_flows, key);
	if (flow == NULL)
		return;
	HASH_DEL(own_flows->flows, flow);
	atomic_fetch_sub(&own_flows->count, 1);
	free(flow);
}

void own_flows_add(struct own_flows *own_flows, const struct own_flow_key *goes, const struct service *service,
		   const struct own_flow_key *came)
{
	struct own_flow *flow = memory_alloc_zeroed(1, sizeof(*flow));
	flow->key = *goes;
	pthread_mutex_lock(&own_flows->lock);
	const struct own_flow *came_as = find(own_flows, came);
	if (came_as != NULL) {
		flow->service_count = came_as->service_count;
		memcpy(flow->services, came_as->services, sizeof(flow->services));
	}
	/* A flow that has passed too many was refused before it got here. */
	if (flow->service_count < OWN_FLOWS_SERVICES_MAX)
		flow->services[flow->service_count++] = service;
	forget(own_flows, goes);
	HASH_ADD(hh, own_flows->flows, key, sizeof(flow->key), flow);
	atomic_fetch_add(&own_flows->count, 1);
	pthread_mutex_unlock(&own_flows->lock);
}

void own_flows_remove(struct own_flows *own_flows, const struct own_flow_key *key)
{
	pthread_mutex_lock(&own_flows->lock);
	forget(own_flows, key);
	pthread_mutex_unlock(&own_flows->lock);
}

static bool has_passed(const struct own_flow *flow, const struct service *service)
{
	if (flow->service_count == OWN_FLOWS_SERVICES_MAX)
		return true;
	for (uint32_t i = 0; i < flow->service_count; i++)
		if (flow->services[i] == service)
			return true;
	return false;
}

bool own_flows_is_empty(const struct own_flows *own_flows)
{
	return atomic_load(&own_flows->count) == 0;
}

bool own_flows_returns(struct own_flows *own_flows, const struct own_flow_key *key, const struct service *service)
{
	pthread_mutex_lock(&own_flows->lock);
	const struct own_flow *flow = find(own_flows, key);
	bool returns = flow != NULL && has_passed(flow, service);
	pthread_mutex_unlock(&own_flows->lock);
	return returns;
}
