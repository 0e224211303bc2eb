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
#include "guard/refusal_table.h"
#include "guard/source_table.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

enum {
	FLOWS_EXPECTED = 1 << 15, /* for sizing the table of sources where the service has no limit of its own */
	NS_PER_MS = 1000000,
};

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
	struct source_prefixes source_prefixes;
	uint64_t active_max[2]; /* by enum guard_kind; UINT64_MAX = no limit */
	struct rate rate;
	struct refusal_table *refusals; /* the guard's; NULL = nobody is blocked */
	struct refusal_threshold block;
	bool is_trial;
	struct sources *doomed_sources; /* dropped together with these rules, when they are replaced */
	struct rcu_head rcu;
};

struct guard {
	struct rules *rules;                                   /* published */
	uint32_t last_epoch;                                   /* control's own */
	struct refusal_table *refusals;                        /* NULL until it is first needed */
	const uint32_t *pending[2];                            /* by enum guard_kind; published; NULL: none */
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
	sources->table = source_table_new(connections > sessions ? connections : sessions, settings->source_prefixes);
	sources->epoch = epoch;
	return sources;
}

/* Flows are counted for other sources than before: those that go on are counted no more. */
static bool has_other_prefixes(const struct sources *sources, const struct guard_settings *settings)
{
	struct source_prefixes now = source_table_prefixes(sources->table);
	return now.ipv4_bits != settings->source_prefixes.ipv4_bits ||
	       now.ipv6_bits != settings->source_prefixes.ipv6_bits;
}

static void sources_free(struct sources *sources)
{
	if (sources == NULL)
		return;
	source_table_free(&sources->table);
	free(sources);
}

/* Does not make or free the table of sources: it may outlive these rules. */
static struct rules *rules_new(struct guard *guard, const struct guard_settings *settings)
{
	struct rules *rules = memory_alloc_zeroed(1, sizeof(*rules));
	if (settings->rule_count > 0)
		rules->access = access_list_new(settings->rules, settings->rule_count);
	rules->source_limits.flows_max = settings->per_source_max;
	rules->source_limits.rate = rate_from(settings->per_source_rate.amount, settings->per_source_rate.per_ms);
	rules->source_limits.packet_rate =
		rate_from(settings->per_source_packets.amount, settings->per_source_packets.per_ms);
	rules->source_prefixes = settings->source_prefixes;
	rules->active_max[GUARD_CONNECTION] = max_or_none(settings->connections_max);
	rules->active_max[GUARD_SESSION] = max_or_none(settings->sessions_max);
	rules->rate = rate_from(settings->rate.amount, settings->rate.per_ms);
	rules->is_trial = settings->is_trial;
	if (settings->block.count == 0)
		return rules;
	if (guard->refusals == NULL)
		guard->refusals = refusal_table_new();
	rules->refusals = guard->refusals;
	rules->block = (struct refusal_threshold){ settings->block.count, settings->block.window_ms };
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
	return settings->per_source_max != 0 || settings->per_source_rate.amount != 0 ||
	       settings->per_source_packets.amount != 0;
}

struct guard *guard_new(const struct guard_settings *settings)
{
	struct guard *guard = aligned_alloc_zeroed(alignof(struct guard), sizeof(*guard));
	guard->rules = rules_new(guard, settings);
	if (has_source_limits(settings))
		guard->rules->sources = sources_new(settings, ++guard->last_epoch);
	return guard;
}

void guard_update(struct guard *guard, const struct guard_settings *settings)
{
	struct rules *replaced = guard->rules;
	struct rules *rules = rules_new(guard, settings);
	bool has_limits = has_source_limits(settings);
	if (has_limits && replaced->sources != NULL && !has_other_prefixes(replaced->sources, settings))
		rules->sources = replaced->sources;
	else
		replaced->doomed_sources = replaced->sources;
	if (has_limits && rules->sources == NULL)
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
	refusal_table_free(&(*guard)->refusals);
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

/* How many there may be that this guard has let in. */
static uint64_t active_max(const struct guard *guard, const struct rules *rules, enum guard_kind kind)
{
	const uint32_t *pending = published_read(guard->pending[kind]);
	uint64_t max = rules->active_max[kind];
	uint32_t count = pending != NULL ? __atomic_load_n(pending, __ATOMIC_ACQUIRE) : 0;
	return max > count ? max - count : 0;
}

/* A flow that wants to begin. */
struct attempt {
	enum guard_kind kind;
	const struct endpoint *client;
	uint64_t now_ns;
	bool is_replacement; /* its place is that of another flow, which is about to end */
};

static enum reason service_admit(struct guard *guard, const struct rules *rules, const struct attempt *attempt)
{
	struct guard_count *count = &guard->counts[attempt->kind];
	if (!count_take(count, attempt->is_replacement ? UINT64_MAX : active_max(guard, rules, attempt->kind)))
		return attempt->kind == GUARD_CONNECTION ? REASON_LIMIT_CONNECTIONS : REASON_LIMIT_SESSIONS;
	if (rate_take_shared(&rules->rate, &guard->arrival_ns, attempt->now_ns))
		return REASON_NONE;
	count_give(count);
	return REASON_LIMIT_RATE;
}

/* What is refused whatever other clients do. On success the client's source has its place. */
static enum reason source_admit(const struct rules *rules, const struct endpoint *client, uint64_t now_ns)
{
	if (rules->access != NULL && !access_list_allows(rules->access, client))
		return REASON_DENIED_ACCESS;
	if (rules->sources == NULL)
		return REASON_NONE;
	return source_table_enter(rules->sources->table, &rules->source_limits, client, now_ns);
}

static bool note_refusals(const struct rules *rules, const struct endpoint *client, uint64_t now_ns, uint32_t count)
{
	if (rules->refusals == NULL)
		return false;
	struct network source = source_from_endpoint(client, rules->source_prefixes);
	return refusal_table_note(rules->refusals, &rules->block, &source, now_ns / NS_PER_MS, count);
}

static struct guard_ticket ticket_of(const struct rules *rules)
{
	return (struct guard_ticket){ .source_epoch = rules->sources != NULL ? rules->sources->epoch : 0 };
}

static struct guard_verdict judge(struct guard *guard, const struct rules *rules, const struct attempt *attempt)
{
	struct guard_verdict verdict = { .reason = source_admit(rules, attempt->client, attempt->now_ns) };
	if (verdict.reason != REASON_NONE) {
		verdict.is_block_due = note_refusals(rules, attempt->client, attempt->now_ns, 1);
		return verdict;
	}
	verdict.reason = service_admit(guard, rules, attempt);
	if (verdict.reason == REASON_NONE)
		verdict.ticket = ticket_of(rules);
	else if (rules->sources != NULL)
		source_table_withdraw(rules->sources->table, &rules->source_limits, attempt->client);
	return verdict;
}

/* Counts a flow that no limit is to keep out. */
static struct guard_ticket admit_spared(struct guard *guard, const struct rules *rules, const struct attempt *attempt)
{
	static const struct source_limits none;
	atomic_fetch_add_explicit(&guard->counts[attempt->kind].active, 1, memory_order_relaxed);
	if (rules->sources != NULL)
		source_table_enter(rules->sources->table, &none, attempt->client, attempt->now_ns);
	return ticket_of(rules);
}

static struct guard_verdict admit(struct guard *guard, const struct attempt *attempt)
{
	const struct rules *rules = published_read(guard->rules);
	struct guard_verdict verdict = judge(guard, rules, attempt);
	if (verdict.reason != REASON_NONE && rules->is_trial) {
		verdict.spared = verdict.reason;
		verdict.reason = REASON_NONE;
		verdict.ticket = admit_spared(guard, rules, attempt);
	}
	return verdict;
}

struct guard_verdict guard_admit(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
				 uint64_t now_ns)
{
	return admit(guard, &(struct attempt){ .kind = kind, .client = client, .now_ns = now_ns });
}

struct guard_verdict guard_admit_instead(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
					 uint64_t now_ns)
{
	return admit(guard, &(struct attempt){ kind, client, now_ns, .is_replacement = true });
}

void guard_set_pending(struct guard *guard, enum guard_kind kind, const uint32_t *pending)
{
	published_write(guard->pending[kind], pending);
}

struct guard_ticket guard_enter(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
				uint64_t now_ns)
{
	const struct rules *rules = published_read(guard->rules);
	rate_charge_shared(&rules->rate, &guard->arrival_ns, now_ns);
	return admit_spared(guard, rules, &(struct attempt){ .kind = kind, .client = client, .now_ns = now_ns });
}

void guard_release(struct guard *guard, enum guard_kind kind, const struct endpoint *client, struct guard_ticket ticket)
{
	count_give(&guard->counts[kind]);
	const struct sources *sources = published_read(guard->rules)->sources;
	if (sources != NULL && sources->epoch == ticket.source_epoch)
		source_table_leave(sources->table, client);
}

bool guard_limits_packets(const struct guard *guard)
{
	return published_read(guard->rules)->source_limits.packet_rate.interval_ns != 0;
}

struct guard_packets_verdict guard_admit_packets(struct guard *guard, const struct endpoint *client, uint64_t now_ns,
						 uint32_t count)
{
	const struct rules *rules = published_read(guard->rules);
	struct guard_packets_verdict verdict = { .admitted = count };
	if (rules->source_limits.packet_rate.interval_ns == 0)
		return verdict;
	verdict.admitted =
		source_table_take_packets(rules->sources->table, &rules->source_limits, client, now_ns, count);
	if (verdict.admitted == count)
		return verdict;
	verdict.is_block_due = note_refusals(rules, client, now_ns, count - verdict.admitted);
	if (rules->is_trial) {
		verdict.spared = count - verdict.admitted;
		verdict.admitted = count;
	}
	return verdict;
}

bool guard_note_refusal(struct guard *guard, const struct endpoint *client, uint64_t now_ns)
{
	return note_refusals(published_read(guard->rules), client, now_ns, 1);
}

struct network guard_source(const struct guard *guard, const struct endpoint *client)
{
	return source_from_endpoint(client, published_read(guard->rules)->source_prefixes);
}

bool guard_is_trial(const struct guard *guard)
{
	return published_read(guard->rules)->is_trial;
}
