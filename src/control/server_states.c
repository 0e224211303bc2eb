/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server_states.h"

#include "balance/view.h"
#include "base/memory.h"

#include <stdlib.h>

enum { RAMP_INTERVAL_MS = 500 };

/* An ejected server on its way back. */
struct ejection {
	struct list link; /* in daemon->ejections */
	struct timer timer;
	struct daemon *daemon;
	struct server *server; /* holding a reference */
};

static void set_bits(struct server *server, uint32_t bits)
{
	atomic_fetch_or_explicit(&server->state, bits, memory_order_relaxed);
}

static void clear_bits(struct server *server, uint32_t bits)
{
	atomic_fetch_and_explicit(&server->state, ~bits, memory_order_relaxed);
}

/* The view follows at the end of the turn, so that many changes at once cost one. */
static void note_change(struct daemon *daemon, struct server *server)
{
	server->pool->is_view_stale = true;
	daemon->has_stale_views = true;
}

static void note_return(struct daemon *daemon, struct server *server)
{
	atomic_store_explicit(&server->failures, 0, memory_order_relaxed);
	server->up_since_ms = daemon->loop.now_ms;
	note_change(daemon, server);
}

void server_states_on_verdict(void *owner, const struct health_verdict *verdict)
{
	struct daemon *daemon = owner;
	struct server *server = verdict->server;
	if (verdict->is_up) {
		clear_bits(server, SERVER_DOWN);
		note_return(daemon, server);
		log_event(daemon->log, CONFIG_LEVEL_INFO, "server_up", record_text("pool", verdict->pool->name),
			  record_text("server", server->name), record_number("check_us", verdict->duration_us));
		return;
	}
	set_bits(server, SERVER_DOWN);
	note_change(daemon, server);
	log_event(daemon->log, CONFIG_LEVEL_WARNING, "server_down", record_text("pool", verdict->pool->name),
		  record_text("server", server->name), record_text("cause", verdict->cause),
		  record_number("flows_active", server_active(server)));
	if (verdict->pool->policy->closes_tcp_on_down)
		for (uint32_t i = 0; i < daemon->worker_count; i++)
			worker_close_lost(daemon->workers[i]);
}

static void end_ejection(struct ejection *ejection)
{
	timer_disarm(&ejection->daemon->wheel, &ejection->timer);
	list_remove(&ejection->link);
	server_release_reference(ejection->server);
	free(ejection);
}

static void on_ejection_over(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct ejection *ejection = LIST_OWNER(timer, struct ejection, timer);
	struct daemon *daemon = ejection->daemon;
	struct server *server = ejection->server;
	clear_bits(server, SERVER_EJECTED);
	note_return(daemon, server);
	log_event(daemon->log, CONFIG_LEVEL_INFO, "server_returned", record_text("pool", server->pool->name),
		  record_text("server", server->name));
	end_ejection(ejection);
}

void server_states_on_ejection(struct daemon *daemon, struct server *server)
{
	const struct pool_policy *policy = server->pool->policy;
	struct ejection *ejection = memory_alloc_zeroed(1, sizeof(*ejection));
	ejection->daemon = daemon;
	ejection->server = server;
	ejection->timer.on_expiry = on_ejection_over;
	server_acquire_reference(server);
	list_add_last(&daemon->ejections, &ejection->link);
	timer_arm(&daemon->wheel, &ejection->timer, daemon->loop.now_ms + policy->eject_for_ms);
	note_change(daemon, server);
	log_event(daemon->log, CONFIG_LEVEL_WARNING, "server_ejected", record_text("pool", server->pool->name),
		  record_text("server", server->name), record_number("failures", policy->eject_failures),
		  record_number("for_ms", policy->eject_for_ms));
}

static void on_ramp(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct daemon *daemon = LIST_OWNER(timer, struct daemon, ramp_timer);
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++) {
		struct pool *pool = daemon->snapshot->pools[i];
		if (pool->view->is_ramping)
			pool->is_view_stale = daemon->has_stale_views = true;
	}
}

/* Whoever waits for a place in the pool may find one in the new view. */
static void publish_view(struct daemon *daemon, struct pool *pool)
{
	balance_view_publish(pool, daemon->loop.now_ms);
	kernel_path_publish_pool(daemon->kernel_path, pool);
	for (size_t i = 0; i < pool->server_count; i++)
		server_note_condition(pool->servers[i], daemon->loop.now_ms);
	if (!pool_queue_is_empty_after_publishing(&pool->queue))
		for (uint32_t i = 0; i < daemon->worker_count; i++)
			worker_review_queue(daemon->workers[i]);
}

void server_states_publish(struct daemon *daemon)
{
	if (!daemon->has_stale_views)
		return;
	daemon->has_stale_views = false;
	bool is_ramping = false;
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++) {
		struct pool *pool = daemon->snapshot->pools[i];
		if (pool->is_view_stale)
			publish_view(daemon, pool);
		pool->is_view_stale = false;
		is_ramping |= pool->view->is_ramping;
	}
	daemon->ramp_timer.on_expiry = on_ramp;
	if (is_ramping && !timer_is_armed(&daemon->ramp_timer))
		timer_arm(&daemon->wheel, &daemon->ramp_timer, daemon->loop.now_ms + RAMP_INTERVAL_MS);
}

void server_states_done(struct daemon *daemon)
{
	timer_disarm(&daemon->wheel, &daemon->ramp_timer);
	while (!list_is_empty(&daemon->ejections))
		end_ejection(LIST_OWNER(daemon->ejections.next, struct ejection, link));
}
