/* SPDX-License-Identifier: Apache-2.0 */
#include "health/health.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/span.h"
#include "health/probe.h"
#include "health/programs.h"
#include "health/schedule.h"
#include "health/verdict.h"
#include "net/proxy_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* One server that is checked. */
struct watch {
	struct probe probe;
	struct timer due;
	struct list link; /* in one of health's lists of those that wait, or at the end in health->removed */
	struct health *health;
	struct server *server; /* holding a reference */
	struct schedule schedule;
	struct verdict verdict;
	struct health_last last;
	bool has_last;
	uint64_t round;    /* the last of health_watch that has met it */
	UT_hash_handle hh; /* by server */
};

struct health {
	struct loop *loop;
	struct timer_wheel *wheel;
	health_verdict_fn *on_verdict;
	void *owner;
	struct random random;
	uint64_t origin_ms; /* of the schedule's grid */
	uint64_t round;     /* of health_watch */
	uint32_t running_count;
	uint32_t running_max;
	struct programs *programs;
	struct list waiting;              /* watches whose check is due while running_max are running */
	struct list waiting_for_programs; /* and those who wait for a program to end */
	struct list removed;              /* watches to be freed at the end of the turn */
	struct loop_deferred removal;
	struct watch *watches;
};

static const struct pool_policy *watch_policy(const struct watch *watch)
{
	return watch->server->pool->policy;
}

static bool is_checked(const struct pool *pool)
{
	return pool->policy->check.kind != POOL_CHECK_NONE;
}

static bool has_state(const struct server *server, uint32_t bits)
{
	return (atomic_load_explicit(&server->state, memory_order_relaxed) & bits) != 0;
}

/* --- one check --------------------------------------------------------------------------------------------------- */

static struct span span_from_bytes(const struct pool_bytes *bytes)
{
	return (struct span){ bytes->data, bytes->len };
}

static const struct probe_kind *kind_of(enum pool_check check)
{
	static const struct probe_kind *const kinds[] = {
		[POOL_CHECK_TCP] = &probe_kind_tcp,   [POOL_CHECK_UDP] = &probe_kind_udp,
		[POOL_CHECK_HTTP] = &probe_kind_http, [POOL_CHECK_DNS] = &probe_kind_dns,
		[POOL_CHECK_EXEC] = &probe_kind_exec,
	};
	static_assert(sizeof(kinds) / sizeof(kinds[0]) == POOL_CHECK_COUNT, "one each");
	CHECK(kinds[check] != NULL);
	return kinds[check];
}

/*
 * Servers that want a PROXY header want it of checks, too: one that says that the proxy speaks for itself. Who answers at
 * another port is somebody else.
 */
static struct span write_preface(const struct pool_policy *policy, uint8_t buf[PROXY_V1_BYTES_MAX])
{
	const struct endpoint none = { 0 };
	struct proxy_content content = { .source = &none, .destination = &none };
	bool is_over_udp = policy->check.kind == POOL_CHECK_UDP || policy->check.kind == POOL_CHECK_DNS;
	size_t len = 0;
	if (policy->check.kind == POOL_CHECK_EXEC || policy->check.port != 0)
		return (struct span){ NULL, 0 };
	if (policy->proxy_version == 1 && !is_over_udp)
		len = proxy_header_write_v1(&content, buf, PROXY_V1_BYTES_MAX);
	else if (policy->proxy_version == 2)
		len = proxy_header_write_v2(&content, buf, PROXY_V1_BYTES_MAX);
	return (struct span){ (const char *)buf, len };
}

/* What the check needs of the policy is used or copied when it starts: the policy may be replaced while it runs. */
static void start_check(struct watch *watch)
{
	const struct pool_policy *policy = watch_policy(watch);
	uint8_t preface[PROXY_V1_BYTES_MAX];
	bool is_unix = addr_is_unix(&watch->server->addr);
	const struct pool_addrs *sources = pool_policy_sources(policy, watch->server->addr.sa.sa_family);
	struct probe_request request = {
		.kind = kind_of(policy->check.kind),
		.addr = watch->server->addr,
		.sources = sources->addrs,
		.source_count = is_unix ? 0 : sources->count,
		.timeout_ms = policy->check.timeout_ms,
		.preface = write_preface(policy, preface),
		.send = span_from_bytes(&policy->check.send),
		.expect = span_from_bytes(&policy->check.expect),
		.http.method = policy->check.http.method,
		.http.path = policy->check.http.path,
		.http.host = policy->check.http.host,
		.http.statuses = policy->check.http.statuses,
		.dns.name = policy->check.dns.name,
		.dns.type = policy->check.dns.type,
		.dns.rcodes = policy->check.dns.rcodes,
		.exec.programs = watch->health->programs,
		.exec.program = policy->check.program,
		.exec.pool = watch->server->pool->name,
		.exec.server = watch->server->name,
	};
	if (policy->check.port != 0 && !is_unix)
		addr_set_port(&request.addr, policy->check.port);
	watch->health->running_count++;
	probe_start(&watch->probe, &request);
}

/* By what the policy says now, not when the watch began to wait. */
static bool must_wait_for_program(const struct watch *watch)
{
	return watch_policy(watch)->check.kind == POOL_CHECK_EXEC && !programs_have_room(watch->health->programs);
}

/* The next whose check may start, or NULL. */
static struct watch *take_waiting(struct health *health)
{
	struct list *link = NULL;
	if (health->running_count >= health->running_max)
		return NULL;
	if (programs_have_room(health->programs))
		link = list_take_first(&health->waiting_for_programs);
	while (link == NULL && (link = list_take_first(&health->waiting)) != NULL) {
		if (!must_wait_for_program(LIST_OWNER(link, struct watch, link)))
			break;
		list_add_last(&health->waiting_for_programs, link);
		link = NULL;
	}
	return link != NULL ? LIST_OWNER(link, struct watch, link) : NULL;
}

static void start_waiting(struct health *health)
{
	struct watch *watch;
	while ((watch = take_waiting(health)) != NULL)
		start_check(watch);
}

static void on_room(void *owner)
{
	start_waiting(owner);
}

static void on_due(struct timer *timer, uint64_t now_ms)
{
	struct watch *watch = LIST_OWNER(timer, struct watch, due);
	struct health *health = watch->health;
	timer_arm(health->wheel, timer, schedule_next_ms(&watch->schedule, now_ms, &health->random));
	if (has_state(watch->server, SERVER_MAINT)) {
		watch->verdict.is_decided = false;
		return;
	}
	if (probe_is_running(&watch->probe) || list_is_linked(&watch->link))
		return;
	list_add_last(&health->waiting, &watch->link);
	start_waiting(health);
}

static void note_last(struct watch *watch, const struct probe_outcome *outcome)
{
	if (outcome->result == PROBE_UNDECIDED) {
		snprintf(watch->last.cause, sizeof(watch->last.cause), "not asked: %.110s", outcome->cause);
		return;
	}
	histogram_observe(&watch->server->pool->check, &histogram_answer_scale, outcome->duration_us);
	watch->has_last = true;
	watch->last = (struct health_last){
		.at_ms = watch->health->loop->now_ms,
		.was_good = outcome->result == PROBE_GOOD,
		.duration_us = outcome->duration_us,
	};
	span_copy(span_from_text(outcome->cause), watch->last.cause, sizeof(watch->last.cause));
}

static void judge(struct watch *watch, const struct probe_outcome *outcome)
{
	const struct pool_policy *policy = watch_policy(watch);
	if (outcome->result == PROBE_UNDECIDED || has_state(watch->server, SERVER_MAINT))
		return;
	if (!verdict_note(&watch->verdict, outcome->result == PROBE_GOOD, policy->check.rise, policy->check.fall))
		return;
	struct health_verdict verdict = {
		.pool = watch->server->pool,
		.server = watch->server,
		.is_up = watch->verdict.is_up,
		.cause = outcome->cause,
		.duration_us = outcome->duration_us,
	};
	watch->health->on_verdict(watch->health->owner, &verdict);
}

static void on_end(struct probe *probe)
{
	struct watch *watch = LIST_OWNER(probe, struct watch, probe);
	watch->health->running_count--;
	start_waiting(watch->health);
	note_last(watch, &probe->outcome);
	judge(watch, &probe->outcome);
}

/* --- which servers are watched ----------------------------------------------------------------------------------- */

static struct watch *find_watch(const struct health *health, const struct server *server)
{
	struct watch *watch = NULL;
	HASH_FIND_PTR(health->watches, &server, watch);
	return watch;
}

static struct watch *add_watch(struct health *health, struct server *server)
{
	struct watch *watch = memory_alloc_zeroed(1, sizeof(*watch));
	probe_init(&watch->probe, health->loop, health->wheel, on_end);
	watch->due.on_expiry = on_due;
	watch->health = health;
	watch->server = server;
	watch->verdict.is_up = !has_state(server, SERVER_DOWN);
	server_acquire_reference(server);
	HASH_ADD_PTR(health->watches, server, watch);
	return watch;
}

static void stop_watch(struct watch *watch)
{
	struct health *health = watch->health;
	HASH_DEL(health->watches, watch);
	if (probe_is_running(&watch->probe))
		health->running_count--;
	probe_stop(&watch->probe);
	timer_disarm(health->wheel, &watch->due);
	list_remove(&watch->link);
	server_release_reference(watch->server);
	watch->server = NULL;
}

static void free_removed(struct health *health)
{
	struct list *link;
	while ((link = list_take_first(&health->removed)) != NULL)
		free(LIST_OWNER(link, struct watch, link));
}

static void on_end_of_turn(struct loop_deferred *deferred)
{
	free_removed(LIST_OWNER(deferred, struct health, removal));
}

static void remove_watch(struct watch *watch)
{
	struct health *health = watch->health;
	stop_watch(watch);
	/* An event of this turn may still point at it. */
	list_add_last(&health->removed, &watch->link);
	loop_defer(health->loop, &health->removal, on_end_of_turn);
}

static void remove_unwanted(struct health *health)
{
	struct watch *watch, *next;
	HASH_ITER(hh, health->watches, watch, next)
	{
		if (watch->round != health->round)
			remove_watch(watch);
	}
}

/* How many servers are checked at the interval of this pool: in all pools, and in the pools before it. */
static uint64_t count_same_interval(const struct snapshot *snapshot, size_t pool_index, uint64_t *ret_before)
{
	uint64_t every_ms = snapshot->pools[pool_index]->policy->check.every_ms;
	uint64_t count = 0;
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool *pool = snapshot->pools[i];
		if (i == pool_index)
			*ret_before = count;
		if (is_checked(pool) && pool->policy->check.every_ms == every_ms)
			count += pool->server_count;
	}
	return count;
}

static void watch_server(struct health *health, struct server *server, const struct schedule *schedule)
{
	uint64_t now_ms = health->loop->now_ms;
	struct watch *watch = find_watch(health, server);
	bool keeps_time = watch != NULL && watch->schedule.period_ms == schedule->period_ms;
	if (watch == NULL)
		watch = add_watch(health, server);
	watch->round = health->round;
	watch->schedule = *schedule;
	/* One that is known goes to its new place in the grid with the check after the next. */
	if (!keeps_time)
		timer_arm(health->wheel, &watch->due, schedule_first_ms(schedule, now_ms));
}

static void watch_pool(struct health *health, const struct snapshot *snapshot, size_t pool_index)
{
	const struct pool *pool = snapshot->pools[pool_index];
	uint64_t before = 0;
	uint64_t count = count_same_interval(snapshot, pool_index, &before);
	for (size_t i = 0; i < pool->server_count; i++) {
		struct schedule schedule =
			schedule_make(health->origin_ms, pool->policy->check.every_ms, before + i, count);
		watch_server(health, pool->servers[i], &schedule);
	}
}

/* A server that nobody asks any more cannot stay down for what its last checks said. */
static void free_from_verdict(struct health *health, struct pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		struct health_verdict verdict = {
			.pool = pool,
			.server = pool->servers[i],
			.is_up = true,
			.cause = "no longer checked",
		};
		if (has_state(verdict.server, SERVER_DOWN))
			health->on_verdict(health->owner, &verdict);
	}
}

void health_watch(struct health *health, const struct snapshot *snapshot)
{
	health->round++;
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		if (is_checked(snapshot->pools[i]))
			watch_pool(health, snapshot, i);
	}
	remove_unwanted(health);
	start_waiting(health);
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		if (!is_checked(snapshot->pools[i]))
			free_from_verdict(health, snapshot->pools[i]);
	}
}

static void leave_pool(struct health *health, struct pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		struct watch *watch = find_watch(health, pool->servers[i]);
		if (watch != NULL)
			remove_watch(watch);
	}
	free_from_verdict(health, pool);
}

void health_watch_pool(struct health *health, const struct snapshot *snapshot, size_t pool_index,
		       struct server *const *removed, size_t removed_count)
{
	struct pool *pool = snapshot->pools[pool_index];
	for (size_t i = 0; i < removed_count; i++) {
		struct watch *watch = find_watch(health, removed[i]);
		if (watch != NULL)
			remove_watch(watch);
	}
	if (is_checked(pool))
		watch_pool(health, snapshot, pool_index);
	else
		leave_pool(health, pool);
	start_waiting(health);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

static uint32_t decide_running_max(void)
{
	uint64_t share = fd_limit() / 8;
	if (share > HEALTH_RUNNING_MAX)
		return HEALTH_RUNNING_MAX;
	return share > 0 ? (uint32_t)share : 1;
}

static uint32_t decide_programs_max(uint32_t running_max)
{
	uint32_t half = running_max / 2;
	if (half > HEALTH_PROGRAMS_MAX)
		return HEALTH_PROGRAMS_MAX;
	return half > 0 ? half : 1;
}

struct health *health_new(struct loop *loop, struct timer_wheel *wheel, health_verdict_fn *on_verdict, void *owner)
{
	struct health *health = memory_alloc_zeroed(1, sizeof(*health));
	health->loop = loop;
	health->wheel = wheel;
	health->on_verdict = on_verdict;
	health->owner = owner;
	health->origin_ms = loop->now_ms;
	health->running_max = decide_running_max();
	health->programs = programs_new(loop, decide_programs_max(health->running_max), on_room, health);
	list_init(&health->waiting);
	list_init(&health->waiting_for_programs);
	list_init(&health->removed);
	random_init(&health->random);
	return health;
}

bool health_read_last(const struct health *health, const struct server *server, struct health_last *ret_last)
{
	const struct watch *watch = find_watch(health, server);
	if (watch == NULL || !watch->has_last)
		return false;
	*ret_last = watch->last;
	return true;
}

void health_free(struct health **health)
{
	struct health *doomed = *health;
	if (doomed == NULL)
		return;
	struct watch *watch, *next;
	HASH_ITER(hh, doomed->watches, watch, next)
	{
		stop_watch(watch);
		free(watch);
	}
	programs_free(&doomed->programs);
	list_remove(&doomed->removal.link);
	free_removed(doomed);
	free(doomed);
	*health = NULL;
}
