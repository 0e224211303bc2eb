/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of judgement: access rules, the source, the service's number, the service's rate. A source above its own
 * limits is stopped before it touches what all clients share, so its attempts cost the others nothing. The rate comes
 * last because what it takes need not be given back.
 *
 * Settings and counts are apart. The settings are one immutable object that guard_update replaces through RCU; the
 * counts stay. The table of sources is made when limits per source are first set and dropped when there are none: each
 * table has an epoch, and a flow gives its place back only to the table it was counted in.
 */
#include "guard/guard.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/published.h"
#include "guard/access_list.h"
#include "guard/rate.h"
#include "guard/source_table.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

/* For sizing the table of sources where the service has no limit of its own. */
enum { FLOWS_EXPECTED = 1 << 15 };

/* Flows now, of one kind; every new flow writes it. */
struct guard_count {
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t active;
};

/* A table of sources and its epoch; shared by the rules that follow each other while there are limits per source. */
struct sources {
	struct source_table *table;
	uint32_t epoch;
};

/* Immutable once published. */
struct rules {
	struct access_list *access; /* NULL = no rules */
	struct sources *sources;    /* NULL = no limits per source */
	struct source_limits source_limits;
	uint64_t active_max[2]; /* by enum guard_kind; UINT64_MAX = no limit */
	struct rate rate;
	struct sources *doomed_sources; /* dropped together with these rules, when they are replaced */
	struct rcu_head rcu;
};

struct guard {
	struct rules *rules;                                   /* published */
	uint32_t last_epoch;                                   /* control's own */
	struct guard_count counts[2];                          /* by enum guard_kind */
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t arrival_ns; /* see rate.h */
};

static uint64_t max_or_none(uint64_t max)
{
	return max != 0 ? max : UINT64_MAX;
}

static struct sources *sources_new(const struct guard_settings *settings, uint32_t epoch)
{
	struct sources *sources = memory_alloc_zeroed(1, sizeof(*sources));
	uint64_t connections = settings->connections_max != 0 ? settings->connections_max : FLOWS_EXPECTED;
	uint64_t sessions = settings->sessions_max != 0 ? settings->sessions_max : FLOWS_EXPECTED;
	sources->table = source_table_new(connections > sessions ? connections : sessions);
	sources->epoch = epoch;
	return sources;
}

static void sources_free(struct sources *sources)
{
	if (sources == NULL)
		return;
	source_table_free(&sources->table);
	free(sources);
}

/* Does not make or free the table of sources: it may outlive these rules. */
static struct rules *rules_new(const struct guard_settings *settings)
{
	struct rules *rules = memory_alloc_zeroed(1, sizeof(*rules));
	if (settings->rule_count > 0)
		rules->access = access_list_new(settings->rules, settings->rule_count);
	rules->source_limits.flows_max = settings->per_source_max;
	rules->source_limits.rate = rate_from(settings->per_source_rate.amount, settings->per_source_rate.per_ms);
	rules->active_max[GUARD_CONNECTION] = max_or_none(settings->connections_max);
	rules->active_max[GUARD_SESSION] = max_or_none(settings->sessions_max);
	rules->rate = rate_from(settings->rate.amount, settings->rate.per_ms);
	return rules;
}

static void rules_free(struct rules *rules)
{
	sources_free(rules->doomed_sources);
	access_list_free(&rules->access);
	free(rules);
}

static void rules_free_replaced(struct rcu_head *rcu)
{
	rules_free(caa_container_of(rcu, struct rules, rcu));
}

static bool has_source_limits(const struct guard_settings *settings)
{
	return settings->per_source_max != 0 || settings->per_source_rate.amount != 0;
}

struct guard *guard_new(const struct guard_settings *settings)
{
	struct guard *guard = aligned_alloc_zeroed(alignof(struct guard), sizeof(*guard));
	guard->rules = rules_new(settings);
	if (has_source_limits(settings))
		guard->rules->sources = sources_new(settings, ++guard->last_epoch);
	return guard;
}

void guard_update(struct guard *guard, const struct guard_settings *settings)
{
	struct rules *replaced = guard->rules;
	struct rules *rules = rules_new(settings);
	if (!has_source_limits(settings))
		replaced->doomed_sources = replaced->sources;
	else if (replaced->sources != NULL)
		rules->sources = replaced->sources;
	else
		rules->sources = sources_new(settings, ++guard->last_epoch);
	published_write(guard->rules, rules);
	call_rcu(&replaced->rcu, rules_free_replaced);
}

void guard_free(struct guard **guard)
{
	if (*guard == NULL)
		return;
	sources_free((*guard)->rules->sources);
	rules_free((*guard)->rules);
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

static enum reason service_admit(struct guard *guard, const struct rules *rules, enum guard_kind kind, uint64_t now_ns)
{
	if (!count_take(&guard->counts[kind], rules->active_max[kind]))
		return kind == GUARD_CONNECTION ? REASON_LIMIT_CONNECTIONS : REASON_LIMIT_SESSIONS;
	if (rate_take_shared(&rules->rate, &guard->arrival_ns, now_ns))
		return REASON_NONE;
	count_give(&guard->counts[kind]);
	return REASON_LIMIT_RATE;
}

enum reason guard_admit(struct guard *guard, enum guard_kind kind, const struct endpoint *client, uint64_t now_ns,
			struct guard_ticket *ret_ticket)
{
	const struct rules *rules = published_read(guard->rules);
	const struct source_limits *limits = &rules->source_limits;
	struct sources *sources = rules->sources;
	enum reason reason = REASON_NONE;
	if (rules->access != NULL && !access_list_allows(rules->access, client))
		return REASON_DENIED_ACCESS;
	if (sources != NULL)
		reason = source_table_enter(sources->table, limits, client, now_ns);
	if (reason != REASON_NONE)
		return reason;
	reason = service_admit(guard, rules, kind, now_ns);
	if (reason != REASON_NONE && sources != NULL)
		source_table_withdraw(sources->table, limits, client);
	else
		*ret_ticket = (struct guard_ticket){ .source_epoch = sources != NULL ? sources->epoch : 0 };
	return reason;
}

void guard_release(struct guard *guard, enum guard_kind kind, const struct endpoint *client, struct guard_ticket ticket)
{
	count_give(&guard->counts[kind]);
	const struct sources *sources = published_read(guard->rules)->sources;
	if (sources != NULL && sources->epoch == ticket.source_epoch)
		source_table_leave(sources->table, client);
}
