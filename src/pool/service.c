/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/service.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/span.h"
#include "guard/guard.h"

#include <stdlib.h>

bool service_queue_enter(struct service *service, uint32_t max)
{
	uint32_t queued = atomic_load_explicit(&service->queued_now, memory_order_relaxed);
	while (queued < max) {
		if (atomic_compare_exchange_weak_explicit(&service->queued_now, &queued, queued + 1,
							  memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

void service_queue_leave(struct service *service)
{
	uint32_t before = atomic_fetch_sub_explicit(&service->queued_now, 1, memory_order_relaxed);
	CHECK(before > 0);
}

void service_reset_lines(struct service *service)
{
	for (size_t i = 0; i < FLOW_DIRECTION_COUNT; i++)
		atomic_store_explicit(&service->lines[i].taken_until, 0, memory_order_relaxed);
}

static uint32_t numbers_given; /* control's own */

bool service_policy_wants_proxy_header(const struct service_policy *policy, const struct endpoint *peer)
{
	for (size_t i = 0; i < policy->proxy_network_count; i++)
		if (network_contains(&policy->proxy_networks[i], peer))
			return true;
	return false;
}

struct service *service_new(const char *name, uint32_t worker_count)
{
	size_t counters_bytes = worker_count * sizeof(struct service_counters);
	struct service *service = aligned_alloc_zeroed(alignof(struct service), sizeof(*service) + counters_bytes);
	bool fits = span_copy(span_from_text(name), service->name, sizeof(service->name));
	CHECK(fits);
	service->worker_count = worker_count;
	service->number = ++numbers_given;
	for (uint32_t i = 0; i < worker_count; i++)
		list_init(&service->counters[i].unanswered);
	return service;
}

void service_free(struct service **service)
{
	if (*service == NULL)
		return;
	guard_free(&(*service)->guard);
	free((*service)->policy);
	free(*service);
	*service = NULL;
}

uint64_t service_sum(const struct service *service, size_t offset)
{
	uint64_t sum = 0;
	CHECK(offset <= sizeof(struct service_counters) - sizeof(counter));
	for (uint32_t i = 0; i < service->worker_count; i++) {
		const char *counters = (const char *)&service->counters[i];
		sum += counter_read((const counter *)(const void *)(counters + offset));
	}
	return sum;
}
