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

#include <stdlib.h>

const char *server_state_word(uint32_t state)
{
	if (state & SERVER_MAINT)
		return "maint";
	if (state & SERVER_DRAIN)
		return "drain";
	return state & SERVER_UNHEALTHY ? "down" : "up";
}

bool server_enter(struct server *server, uint32_t ignored_bits)
{
	if (!server_is_available(server, ignored_bits))
		return false;
	uint32_t max = atomic_load_explicit(&server->connections_max, memory_order_relaxed);
	if (max == UINT32_MAX) {
		atomic_fetch_add_explicit(&server->active, 1, memory_order_relaxed);
		return true;
	}
	uint32_t active = atomic_load_explicit(&server->active, memory_order_relaxed);
	while (active < max) {
		if (atomic_compare_exchange_weak_explicit(&server->active, &active, active + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

void server_leave(struct server *server)
{
	/*
	 * Whoever sees 0 and frees the server must see all that this flow did before; and either who waits for a place
	 * sees this one, or the caller sees who waits (relay/tcp_queue.h).
	 */
	uint32_t before = atomic_fetch_sub_explicit(&server->active, 1, memory_order_seq_cst);
	CHECK(before > 0);
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

struct server *server_new(const char *name, const struct addr *addr, uint32_t worker_count)
{
	size_t counters_bytes = worker_count * sizeof(struct server_counters);
	struct server *server = aligned_alloc_zeroed(alignof(struct server), sizeof(*server) + counters_bytes);
	bool fits = span_copy(span_from_text(name), server->name, sizeof(server->name));
	CHECK(fits);
	server->addr = *addr;
	server->endpoint = endpoint_from_addr(addr);
	server->worker_count = worker_count;
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
