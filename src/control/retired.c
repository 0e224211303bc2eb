/* SPDX-License-Identifier: Apache-2.0 */
#include "control/retired.h"

#include "balance/view.h"
#include "base/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

enum { LOOK_INTERVAL_MS = 1000 };

enum kind { RETIRED_SERVICE, RETIRED_POOL, RETIRED_SERVER };

struct entry {
	struct list link;
	enum kind kind;
	bool is_idle; /* was found unused at the last look, and a grace period has passed */
	union {
		struct service *service;
		struct pool *pool;
		struct server *server;
	};
	uint64_t orders_given[]; /* for a service: by worker, when it was retired */
};

struct retired {
	struct timer_wheel *wheel;
	struct worker *const *workers;
	uint32_t worker_count;
	struct timer timer;
	size_t count;
	struct list entries;
};

static struct entry *entry_of(struct list *link)
{
	return LIST_OWNER(link, struct entry, link);
}

/* --- is it still in use? ----------------------------------------------------------------------------------------- */

static bool is_service_used(const struct retired *retired, const struct entry *entry)
{
	for (uint32_t i = 0; i < retired->worker_count; i++)
		if (worker_orders_done(retired->workers[i]) < entry->orders_given[i])
			return true;
	for (int protocol = 0; protocol < FLOW_PROTOCOL_COUNT; protocol++) {
		size_t offset = offsetof(struct service_counters, flows_active) + (size_t)protocol * sizeof(counter);
		if (service_sum(entry->service, offset) > 0)
			return true;
	}
	return false;
}

/* The one reference that is always there is control's own. */
static bool is_server_used(const struct server *server)
{
	return !server_is_idle(server) || atomic_load_explicit(&server->references, memory_order_acquire) > 1;
}

/*
 * A flow that uses a pool waits for a place in it or uses one of its servers, but for the moment between two of them,
 * within a turn. The server may have been removed from the pool earlier.
 */
static bool is_pool_used(const struct retired *retired, const struct pool *pool)
{
	if (!pool_queue_is_empty(&pool->queue))
		return true;
	for (size_t i = 0; i < pool->server_count; i++)
		if (is_server_used(pool->servers[i]))
			return true;
	for (struct list *link = retired->entries.next; link != &retired->entries; link = link->next)
		if (entry_of(link)->kind == RETIRED_SERVER && entry_of(link)->server->pool == pool)
			return true;
	return false;
}

static bool is_used(const struct retired *retired, const struct entry *entry)
{
	switch (entry->kind) {
	case RETIRED_SERVICE:
		return is_service_used(retired, entry);
	case RETIRED_POOL:
		return is_pool_used(retired, entry->pool);
	case RETIRED_SERVER:
		return is_server_used(entry->server);
	}
	return true;
}

/* --- the looks --------------------------------------------------------------------------------------------------- */

static void free_entry(struct retired *retired, struct entry *entry)
{
	list_remove(&entry->link);
	retired->count--;
	if (entry->kind == RETIRED_SERVICE)
		service_free(&entry->service);
	else if (entry->kind == RETIRED_POOL)
		snapshot_free_pool(&entry->pool);
	else
		server_free(&entry->server);
	free(entry);
}

static void look(struct timer *timer, uint64_t now_ms)
{
	struct retired *retired = LIST_OWNER(timer, struct retired, timer);
	bool has_new_idle = false;
	for (struct list *link = retired->entries.next, *next; link != &retired->entries; link = next) {
		struct entry *entry = entry_of(link);
		next = link->next;
		if (entry->is_idle) {
			free_entry(retired, entry);
		} else if (!is_used(retired, entry)) {
			entry->is_idle = true;
			has_new_idle = true;
		}
	}
	/*
	 * Workers that were in the middle of a turn have left it after this, and messages about these objects have been
	 * posted; control reads those before the next look, which frees.
	 */
	if (has_new_idle)
		synchronize_rcu();
	if (!list_is_empty(&retired->entries))
		timer_arm(retired->wheel, timer, now_ms + LOOK_INTERVAL_MS);
}

struct retired *retired_new(struct timer_wheel *wheel, struct worker *const *workers, uint32_t worker_count)
{
	struct retired *retired = memory_alloc_zeroed(1, sizeof(*retired));
	retired->wheel = wheel;
	retired->workers = workers;
	retired->worker_count = worker_count;
	retired->timer.on_expiry = look;
	list_init(&retired->entries);
	return retired;
}

static struct entry *add(struct retired *retired, enum kind kind)
{
	struct entry *entry = memory_alloc_zeroed(1, sizeof(*entry) + retired->worker_count * sizeof(uint64_t));
	entry->kind = kind;
	list_add_last(&retired->entries, &entry->link);
	retired->count++;
	return entry;
}

static void add_service(struct retired *retired, struct service *service)
{
	struct entry *entry = add(retired, RETIRED_SERVICE);
	entry->service = service;
	for (uint32_t i = 0; i < retired->worker_count; i++)
		entry->orders_given[i] = worker_orders_given(retired->workers[i]);
}

void retired_add(struct retired *retired, struct snapshot_leftovers *leftovers, uint64_t now_ms)
{
	for (size_t i = 0; i < leftovers->service_count; i++)
		add_service(retired, leftovers->services[i]);
	for (size_t i = 0; i < leftovers->pool_count; i++) {
		balance_view_withdraw(leftovers->pools[i]);
		add(retired, RETIRED_POOL)->pool = leftovers->pools[i];
	}
	for (size_t i = 0; i < leftovers->server_count; i++)
		add(retired, RETIRED_SERVER)->server = leftovers->servers[i];
	free(leftovers->services);
	free(leftovers->pools);
	free(leftovers->servers);
	*leftovers = (struct snapshot_leftovers){ 0 };
	if (!list_is_empty(&retired->entries) && !timer_is_armed(&retired->timer))
		timer_arm(retired->wheel, &retired->timer, now_ms + LOOK_INTERVAL_MS);
}

size_t retired_count(const struct retired *retired)
{
	return retired != NULL ? retired->count : 0;
}

void retired_free(struct retired **retired)
{
	if (*retired == NULL)
		return;
	timer_disarm((*retired)->wheel, &(*retired)->timer);
	rcu_barrier();
	for (struct list *link; (link = (*retired)->entries.next) != &(*retired)->entries;)
		free_entry(*retired, entry_of(link));
	free(*retired);
	*retired = NULL;
}
