/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of judgement: access rules, the source, the service's number, the service's rate. A source above its own
 * limits is stopped before it touches what all clients share, so its attempts cost the others nothing. The rate comes
 * last because what it takes need not be given back.
 */
#include "guard/guard.h"

#include "base/aligned.h"
#include "base/check.h"
#include "guard/access_list.h"
#include "guard/rate.h"
#include "guard/source_table.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

/* For sizing the table of sources where the service has no limit of its own. */
enum { FLOWS_EXPECTED = 1 << 15 };

/* Flows now, of one kind; every new flow writes it. */
struct guard_count {
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t active;
};

struct guard {
	struct access_list *access;   /* NULL = no rules */
	struct source_table *sources; /* NULL = no limits per source */
	uint64_t active_max[2];       /* by enum guard_kind; UINT64_MAX = no limit */
	struct rate rate;
	struct guard_count counts[2];                          /* by enum guard_kind */
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t arrival_ns; /* see rate.h */
};

static uint64_t max_or_none(uint64_t max)
{
	return max != 0 ? max : UINT64_MAX;
}

static struct source_table *sources_new(const struct guard_settings *settings)
{
	struct source_limits limits = {
		.flows_max = settings->per_source_max,
		.rate = rate_from(settings->per_source_rate.amount, settings->per_source_rate.per_ms),
	};
	uint64_t connections = settings->connections_max != 0 ? settings->connections_max : FLOWS_EXPECTED;
	uint64_t sessions = settings->sessions_max != 0 ? settings->sessions_max : FLOWS_EXPECTED;
	return source_table_new(&limits, connections > sessions ? connections : sessions);
}

struct guard *guard_new(const struct guard_settings *settings)
{
	struct guard *guard = aligned_alloc_zeroed(alignof(struct guard), sizeof(*guard));
	if (settings->rule_count > 0)
		guard->access = access_list_new(settings->rules, settings->rule_count);
	if (settings->per_source_max != 0 || settings->per_source_rate.amount != 0)
		guard->sources = sources_new(settings);
	guard->active_max[GUARD_CONNECTION] = max_or_none(settings->connections_max);
	guard->active_max[GUARD_SESSION] = max_or_none(settings->sessions_max);
	guard->rate = rate_from(settings->rate.amount, settings->rate.per_ms);
	return guard;
}

void guard_free(struct guard **guard)
{
	if (*guard == NULL)
		return;
	source_table_free(&(*guard)->sources);
	access_list_free(&(*guard)->access);
	free(*guard);
	*guard = NULL;
}

/* Adding first and giving back would refuse one flow because another one is just being refused. */
static bool count_take(struct guard_count *count, uint64_t max)
{
	uint64_t active = atomic_load_explicit(&count->active, memory_order_relaxed);
	while (active < max) {
		if (atomic_compare_exchange_weak_explicit(&count->active, &active, active + 1, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

static void count_give(struct guard_count *count)
{
	uint64_t before = atomic_fetch_sub_explicit(&count->active, 1, memory_order_relaxed);
	CHECK(before > 0);
}

static enum reason service_admit(struct guard *guard, enum guard_kind kind, uint64_t now_ns)
{
	if (!count_take(&guard->counts[kind], guard->active_max[kind]))
		return kind == GUARD_CONNECTION ? REASON_LIMIT_CONNECTIONS : REASON_LIMIT_SESSIONS;
	if (rate_take_shared(&guard->rate, &guard->arrival_ns, now_ns))
		return REASON_NONE;
	count_give(&guard->counts[kind]);
	return REASON_LIMIT_RATE;
}

enum reason guard_admit(struct guard *guard, enum guard_kind kind, const struct endpoint *client, uint64_t now_ns)
{
	enum reason reason = REASON_NONE;
	if (guard->access != NULL && !access_list_allows(guard->access, client))
		return REASON_DENIED_ACCESS;
	if (guard->sources != NULL)
		reason = source_table_enter(guard->sources, client, now_ns);
	if (reason != REASON_NONE)
		return reason;
	reason = service_admit(guard, kind, now_ns);
	if (reason != REASON_NONE && guard->sources != NULL)
		source_table_withdraw(guard->sources, client);
	return reason;
}

void guard_release(struct guard *guard, enum guard_kind kind, const struct endpoint *client)
{
	count_give(&guard->counts[kind]);
	if (guard->sources != NULL)
		source_table_leave(guard->sources, client);
}
