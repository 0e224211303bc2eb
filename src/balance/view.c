/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views are freed by the thread of call_rcu, a moment after they were replaced. The number of those still waiting is
 * kept, so that a program that ends can wait for them and then free the servers they refer to.
 */
#include "balance/view.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { RAMP_STEPS = 20 };

static _Atomic uint32_t replaced_count; /* views given to call_rcu and not yet freed */

/* Servers of one rank, by what they could be used for. */
struct rank_count {
	size_t available;
	size_t not_withdrawn;
};

static struct rank_count rank_count(const struct pool *pool, bool is_backup)
{
	struct rank_count count = { 0, 0 };
	for (size_t i = 0; i < pool->server_count; i++) {
		const struct server *server = pool->servers[i];
		if (server->is_backup != is_backup)
			continue;
		count.available += server_is_available(server, 0);
		count.not_withdrawn += server_is_available(server, SERVER_UNHEALTHY);
	}
	return count;
}

static bool pool_panics(const struct pool *pool)
{
	struct rank_count primary = rank_count(pool, false);
	if (primary.available * 100 >= primary.not_withdrawn * pool->policy->panic_percent)
		return false;
	return primary.available > 0 || rank_count(pool, true).available == 0;
}

/* How many of RAMP_STEPS parts of its weight the server gets now. */
static uint32_t ramp_step(const struct server *server, uint64_t slow_start_ms, uint64_t now_ms)
{
	if (slow_start_ms == 0 || server->up_since_ms == 0 || !server_is_available(server, 0))
		return RAMP_STEPS;
	uint64_t up_ms = now_ms > server->up_since_ms ? now_ms - server->up_since_ms : 0;
	if (up_ms >= slow_start_ms)
		return RAMP_STEPS;
	uint64_t step = up_ms * RAMP_STEPS / slow_start_ms;
	return step > 0 ? (uint32_t)step : 1;
}

static bool pool_is_ramping(const struct pool *pool, uint64_t now_ms)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		if (ramp_step(pool->servers[i], pool->policy->slow_start_ms, now_ms) < RAMP_STEPS)
			return true;
	}
	return false;
}

static uint32_t effective_weight(const struct server *server, const struct balance_view *view, uint64_t now_ms)
{
	uint32_t weight = atomic_load_explicit(&server->weight, memory_order_relaxed);
	uint32_t step = view->is_ramping ? ramp_step(server, server->pool->policy->slow_start_ms, now_ms) : 1;
	return (weight > 0 ? weight : 1) * step;
}

static void tier_add(struct balance_tier *tier, struct server *server, uint32_t weight)
{
	server_acquire_reference(server);
	tier->servers[tier->count] = server;
	tier->weights[tier->count++] = weight;
	tier->weight_sum += weight;
}

static void tier_init(struct balance_tier *tier, const struct pool *pool, const struct balance_view *view,
		      enum server_total total)
{
	tier->servers = memory_alloc_zeroed(pool->server_count, sizeof(tier->servers[0]));
	tier->weights = memory_alloc_zeroed(pool->server_count, sizeof(tier->weights[0]));
	tier->weight_scale = view->is_ramping ? RAMP_STEPS : 1;
	tier->load_percent = pool->policy->load_percent;
	tier->total = &pool->totals[total - 1];
}

static void tier_done(struct balance_tier *tier, const struct balancer *balancer)
{
	if (balancer->free != NULL && tier->table != NULL)
		balancer->free(tier->table);
	for (uint32_t i = 0; i < tier->count; i++)
		server_release_reference(tier->servers[i]);
	free(tier->servers);
	free(tier->weights);
}

static void tier_build_table(struct balance_tier *tier, const struct balancer *balancer)
{
	if (balancer->build != NULL && tier->count > 0)
		tier->table = balancer->build(tier);
}

static struct balance_view *view_new(const struct pool *pool, uint64_t now_ms)
{
	struct balance_view *view = memory_alloc_zeroed(1, sizeof(*view));
	view->balancer = balance_find(pool->policy->algorithm);
	view->ignored_bits = pool_panics(pool) ? SERVER_UNHEALTHY : 0;
	view->is_ramping = pool_is_ramping(pool, now_ms);
	tier_init(&view->primary, pool, view, SERVER_TOTAL_PRIMARY);
	tier_init(&view->backup, pool, view, SERVER_TOTAL_BACKUP);
	for (size_t i = 0; i < pool->server_count; i++) {
		struct server *server = pool->servers[i];
		if (server_is_available(server, server->is_backup ? 0 : view->ignored_bits))
			tier_add(server->is_backup ? &view->backup : &view->primary, server,
				 effective_weight(server, view, now_ms));
	}
	tier_build_table(&view->primary, view->balancer);
	tier_build_table(&view->backup, view->balancer);
	return view;
}

static void view_free(struct balance_view *view)
{
	tier_done(&view->primary, view->balancer);
	tier_done(&view->backup, view->balancer);
	free(view);
}

static void view_free_replaced(struct rcu_head *rcu)
{
	view_free(caa_container_of(rcu, struct balance_view, rcu));
	atomic_fetch_sub_explicit(&replaced_count, 1, memory_order_release);
}

static void tier_count(const struct balance_tier *tier, enum server_total total)
{
	for (uint32_t i = 0; i < tier->count; i++)
		server_count_in(tier->servers[i], tier->load_percent > 0 ? total : SERVER_TOTAL_NONE);
}

static void tier_mark(const struct balance_tier *tier, bool is_in_view)
{
	for (uint32_t i = 0; i < tier->count; i++)
		tier->servers[i]->is_in_view = is_in_view;
}

static void tier_count_no_more(const struct balance_tier *tier)
{
	for (uint32_t i = 0; i < tier->count; i++)
		if (!tier->servers[i]->is_in_view)
			server_count_in(tier->servers[i], SERVER_TOTAL_NONE);
}

/* Servers that are in both views are counted all the time: a total that is too small would turn clients away. */
static void count_no_more(const struct balance_view *replaced, const struct balance_view *view)
{
	tier_mark(&replaced->primary, false);
	tier_mark(&replaced->backup, false);
	if (view != NULL) {
		tier_mark(&view->primary, true);
		tier_mark(&view->backup, true);
	}
	tier_count_no_more(&replaced->primary);
	tier_count_no_more(&replaced->backup);
}

static void view_replace(struct pool *pool, struct balance_view *view)
{
	struct balance_view *replaced = pool->view;
	if (view != NULL) {
		tier_count(&view->primary, SERVER_TOTAL_PRIMARY);
		tier_count(&view->backup, SERVER_TOTAL_BACKUP);
	}
	published_write(pool->view, view);
	if (replaced == NULL)
		return;
	count_no_more(replaced, view);
	atomic_fetch_add_explicit(&replaced_count, 1, memory_order_relaxed);
	call_rcu(&replaced->rcu, view_free_replaced);
}

void balance_view_publish(struct pool *pool, uint64_t now_ms)
{
	pool->is_view_stale = false;
	view_replace(pool, view_new(pool, now_ms));
}

void balance_view_withdraw(struct pool *pool)
{
	view_replace(pool, NULL);
}

void balance_view_discard(struct pool *pool)
{
	if (atomic_load_explicit(&replaced_count, memory_order_acquire) > 0)
		rcu_barrier();
	if (pool->view != NULL)
		view_free(pool->view);
	pool->view = NULL;
}
