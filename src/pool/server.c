/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The count of active flows decides whether a flow may enter, so it is changed before anything is done for the flow.
 * Without a limit that is one addition. With a limit it is a compare-and-exchange loop: add-and-give-back would let a
 * reader see more flows than the limit allows, and would refuse a flow because another one was being refused.
 */
#include "pool/server.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/span.h"
#include "pool/pool.h"

#include <stdlib.h>

enum server_condition server_condition_of(uint32_t state)
{
	if (state & SERVER_MAINT)
		return SERVER_IS_IN_MAINT;
	if (state & SERVER_DRAIN)
		return SERVER_IS_DRAINING;
	return state & SERVER_UNHEALTHY ? SERVER_IS_DOWN : SERVER_IS_UP;
}

const char *server_condition_word(enum server_condition condition)
{
	static const char *const words[SERVER_CONDITION_COUNT] = {
		[SERVER_IS_UP] = "up",
		[SERVER_IS_DOWN] = "down",
		[SERVER_IS_DRAINING] = "drain",
		[SERVER_IS_IN_MAINT] = "maint",
	};
	CHECK(condition < SERVER_CONDITION_COUNT);
	return words[condition];
}

const char *server_state_word(uint32_t state)
{
	return server_condition_word(server_condition_of(state));
}

void server_note_condition(struct server *server, uint64_t now_ms)
{
	enum server_condition now = server_condition_of(atomic_load_explicit(&server->state, memory_order_relaxed));
	if (server->conditions.is_noted && server->conditions.noted != now) {
		server->conditions.counts[now]++;
		server->state_since_ms = now_ms;
	}
	server->conditions.noted = now;
	server->conditions.is_noted = true;
}

/* places: what the server's word was when its number of flows changed by this. */
static void total_change(struct server *server, uint32_t places, int64_t change)
{
	uint32_t total = places >> SERVER_TOTAL_SHIFT;
	if (total != SERVER_TOTAL_NONE)
		atomic_fetch_add_explicit(&server->pool->totals[total - 1].active, change, memory_order_relaxed);
}

bool server_enter(struct server *server, uint32_t ignored_bits)
{
	return server_enter_below(server, ignored_bits, UINT32_MAX);
}

void server_enter_always(struct server *server)
{
	total_change(server, atomic_fetch_add_explicit(&server->places, 1, memory_order_relaxed), 1);
}

bool server_enter_below(struct server *server, uint32_t ignored_bits, uint32_t flows_max)
{
	if (!server_is_available(server, ignored_bits))
		return false;
	uint32_t max = atomic_load_explicit(&server->connections_max, memory_order_relaxed);
	if (flows_max < max)
		max = flows_max;
	if (max == UINT32_MAX) {
		total_change(server, atomic_fetch_add_explicit(&server->places, 1, memory_order_relaxed), 1);
		return true;
	}
	uint32_t places = atomic_load_explicit(&server->places, memory_order_relaxed);
	while ((places & SERVER_ACTIVE_MASK) < max) {
		if (atomic_compare_exchange_weak_explicit(&server->places, &places, places + 1, memory_order_relaxed,
							  memory_order_relaxed)) {
			total_change(server, places, 1);
			return true;
		}
	}
	return false;
}

void server_leave(struct server *server)
{
	/*
	 * Whoever sees 0 and frees the server must see all that this flow did before; and either who waits for a place
	 * sees this one, or the caller sees who waits (relay/tcp_queue.h).
	 */
	uint32_t places = atomic_fetch_sub_explicit(&server->places, 1, memory_order_seq_cst);
	CHECK((places & SERVER_ACTIVE_MASK) > 0);
	total_change(server, places, -1);
}

bool server_is_idle(const struct server *server)
{
	return (atomic_load_explicit(&server->places, memory_order_acquire) & SERVER_ACTIVE_MASK) == 0;
}

void server_count_in(struct server *server, enum server_total total)
{
	uint32_t places = atomic_load_explicit(&server->places, memory_order_relaxed);
	uint32_t counted;
	if (places >> SERVER_TOTAL_SHIFT == total)
		return;
	do {
		counted = (places & SERVER_ACTIVE_MASK) | (uint32_t)total << SERVER_TOTAL_SHIFT;
	} while (!atomic_compare_exchange_weak_explicit(&server->places, &places, counted, memory_order_relaxed,
							memory_order_relaxed));
	total_change(server, counted, places & SERVER_ACTIVE_MASK);
	total_change(server, places, -(int64_t)(places & SERVER_ACTIVE_MASK));
}

void server_acquire_reference(struct server *server)
{
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
}

void server_release_reference(struct server *server)
{
	uint32_t before = atomic_fetch_sub_explicit(&server->references, 1, memory_order_release);
	CHECK(before > 0);
}

bool server_note_failure(struct server *server, uint32_t failures_max)
{
	uint32_t failures = atomic_fetch_add_explicit(&server->failures, 1, memory_order_relaxed) + 1;
	if (failures_max == 0 || failures < failures_max)
		return false;
	uint32_t before = atomic_fetch_or_explicit(&server->state, SERVER_EJECTED, memory_order_relaxed);
	return (before & SERVER_EJECTED) == 0;
}

void server_note_success(struct server *server)
{
	/* Nearly always 0 already; not writing leaves the cache line shared. */
	if (atomic_load_explicit(&server->failures, memory_order_relaxed) != 0)
		atomic_store_explicit(&server->failures, 0, memory_order_relaxed);
}

static uint32_t numbers_given; /* control's own */

struct server *server_new(const char *name, const struct addr *addr, uint32_t worker_count)
{
	size_t counters_bytes = worker_count * sizeof(struct server_counters);
	struct server *server = aligned_alloc_zeroed(alignof(struct server), sizeof(*server) + counters_bytes);
	bool fits = span_copy(span_from_text(name), server->name, sizeof(server->name));
	CHECK(fits);
	server->addr = *addr;
	server->endpoint = endpoint_from_addr(addr);
	server->worker_count = worker_count;
	server->number = ++numbers_given;
	atomic_init(&server->weight, 1);
	atomic_init(&server->connections_max, UINT32_MAX);
	atomic_init(&server->references, 1);
	return server;
}

void server_free(struct server **server)
{
	free(*server);
	*server = NULL;
}
