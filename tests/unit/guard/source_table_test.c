/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/source_table.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

enum { ENTRIES_MIN = SOURCE_SETS_MIN * SOURCE_SET_WAYS, THREADS = 4 };

static struct endpoint source(uint32_t number)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(number) } };
	return endpoint_from_sockaddr((const struct sockaddr *)&in);
}

static struct endpoint source6(const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return endpoint_from_sockaddr((const struct sockaddr *)&in6);
}

/* Of the table that the running test has made last. */
static struct source_limits limits;

static struct source_table *table_make(uint64_t flows_max, uint64_t per_second, uint64_t flows_expected)
{
	limits = (struct source_limits){ .flows_max = flows_max, .rate = rate_from(per_second, 1000) };
	return source_table_new(flows_expected, (struct source_prefixes){ 32, 64 });
}

static enum reason enter(struct source_table *table, struct endpoint client, uint64_t now_ns)
{
	return source_table_enter(table, &limits, &client, now_ns);
}

static void leave(struct source_table *table, struct endpoint client)
{
	source_table_leave(table, &client);
}

static void each_source_has_its_own_count(void **state)
{
	(void)state;
	struct source_table *table = table_make(2, 0, 100);
	for (uint32_t i = 1; i <= 50; i++) {
		assert_int_equal(enter(table, source(i), 0), REASON_NONE);
		assert_int_equal(enter(table, source(i), 0), REASON_NONE);
		assert_int_equal(enter(table, source(i), 0), REASON_LIMIT_PER_SOURCE);
	}
	leave(table, source(7));
	assert_int_equal(enter(table, source(8), 0), REASON_LIMIT_PER_SOURCE);
	assert_int_equal(enter(table, source(7), 0), REASON_NONE);
	assert_int_equal(enter(table, source(7), 0), REASON_LIMIT_PER_SOURCE);
	source_table_free(&table);
	assert_null(table);
}

static void an_ipv6_source_is_a_64(void **state)
{
	(void)state;
	struct source_table *table = table_make(1, 0, 100);
	struct endpoint unix_client = { .family = AF_UNIX };
	assert_int_equal(enter(table, source6("2001:db8:0:1::1"), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("2001:db8:0:1:ffff::2"), 0), REASON_LIMIT_PER_SOURCE);
	assert_int_equal(enter(table, source6("2001:db8:0:2::1"), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("::1"), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("::1"), 0), REASON_LIMIT_PER_SOURCE);
	assert_int_equal(enter(table, source(0), 0), REASON_NONE);
	assert_int_equal(enter(table, source(1), 0), REASON_NONE);
	assert_int_equal(enter(table, unix_client, 0), REASON_NONE);
	assert_int_equal(enter(table, unix_client, 0), REASON_LIMIT_PER_SOURCE);
	leave(table, source6("2001:db8:0:1::9"));
	assert_int_equal(enter(table, source6("2001:db8:0:1::3"), 0), REASON_NONE);
	source_table_free(&table);
}

static void each_source_has_its_own_rate(void **state)
{
	(void)state;
	struct source_table *table = table_make(0, 10, 100);
	for (uint32_t i = 1; i <= 20; i++) {
		assert_int_equal(enter(table, source(i), SECOND), REASON_NONE);
		assert_int_equal(enter(table, source(i), SECOND), REASON_NONE);
		assert_int_equal(enter(table, source(i), SECOND), REASON_LIMIT_RATE);
		assert_int_equal(enter(table, source(i), SECOND + SECOND / 10), REASON_NONE);
	}
	source_table_free(&table);
}

static void the_rate_outlives_the_flows(void **state)
{
	(void)state;
	struct source_table *table = table_make(5, 1, 100);
	assert_int_equal(enter(table, source(1), SECOND), REASON_NONE);
	leave(table, source(1));
	assert_int_equal(enter(table, source(1), SECOND), REASON_LIMIT_RATE);
	source_table_free(&table);
}

static void a_withdrawn_flow_has_cost_nothing(void **state)
{
	(void)state;
	struct source_table *table = table_make(1, 1, 100);
	struct endpoint client = source(1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(source_table_enter(table, &limits, &client, SECOND), REASON_NONE);
		source_table_withdraw(table, &limits, &client);
	}
	source_table_free(&table);
}

/* A hundred thousand sources come and go; those with flows are still known, and so is a source above its rate. */
static void a_flood_pushes_out_no_source_with_flows(void **state)
{
	(void)state;
	struct source_table *table = table_make(2, 1, 1);
	for (uint32_t i = 1; i <= 20; i++)
		assert_int_equal(enter(table, source(i), SECOND), REASON_NONE);
	for (uint32_t i = 1000; i < 101000; i++) {
		uint64_t now_ns = SECOND + i * 1000;
		if (enter(table, source(i), now_ns) == REASON_NONE)
			leave(table, source(i));
	}
	for (uint32_t i = 1; i <= 20; i++) {
		assert_int_equal(enter(table, source(i), SECOND + SECOND / 2), REASON_LIMIT_RATE);
		assert_int_equal(enter(table, source(i), 3 * SECOND), REASON_NONE);
		assert_int_equal(enter(table, source(i), 5 * SECOND), REASON_LIMIT_PER_SOURCE);
	}
	source_table_free(&table);
}

/*
 * With every place taken by a source with flows, the others are still told apart. They are so few that in one of a
 * hundred thousand runs one of them shares all its four cells with others.
 */
static void sources_without_a_place_are_judged_each_by_itself(void **state)
{
	(void)state;
	enum { SOURCES = ENTRIES_MIN + 40 };
	struct source_table *table = table_make(2, 0, 1);
	for (uint32_t i = 0; i < SOURCES; i++)
		for (int n = 0; n < 2; n++)
			assert_int_equal(enter(table, source(i), 0), REASON_NONE);
	for (uint32_t i = 0; i < SOURCES; i++)
		assert_int_equal(enter(table, source(i), 0), REASON_LIMIT_PER_SOURCE);
	for (uint32_t i = 0; i < SOURCES; i++)
		leave(table, source(i));
	for (uint32_t i = 0; i < SOURCES; i++)
		assert_int_equal(enter(table, source(i), 0), REASON_NONE);
	source_table_free(&table);
}

/* A source that was pushed out while it strained its rate has not got a fresh one when it comes again. */
static void a_displaced_source_keeps_its_rate(void **state)
{
	(void)state;
	struct source_table *table = table_make(0, 1, 1);
	assert_int_equal(enter(table, source(1), SECOND), REASON_NONE);
	leave(table, source(1));
	/* Later ones are further ahead of the clock, so the first is the one that has to go. */
	for (uint32_t i = 1000; i < 3000; i++)
		if (enter(table, source(i), SECOND + i) == REASON_NONE)
			leave(table, source(i));
	assert_int_equal(enter(table, source(1), SECOND + 5000), REASON_LIMIT_RATE);
	assert_int_equal(enter(table, source(1), 3 * SECOND), REASON_NONE);
	source_table_free(&table);
}

/*
 * Ten million invented sources, 200,000 in a second, each with a flow that is soon over, in a table for a thousand flows.
 * Who has a flow keeps its count, who strains its rate is still held to it, and newcomers who behave are let in.
 */
static void ten_million_invented_sources_harm_nobody(void **state)
{
	(void)state;
	enum { INVENTED = 10000000, LIVING = 1000, FIRST = 1 << 24 };
	struct source_table *table = table_make(2, 20, 1000);
	uint64_t now_ns = SECOND;
	uint32_t newcomers = 0, newcomers_refused = 0, strained = 0;
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(enter(table, source(i), now_ns), REASON_NONE);
	for (uint32_t i = 0; i < INVENTED; i++, now_ns += 5000) {
		assert_int_equal(enter(table, source(FIRST + i), now_ns), REASON_NONE);
		if (i >= LIVING)
			leave(table, source(FIRST + i - LIVING));
		if (i % 10000 == 0) {
			uint32_t number = 1000 + newcomers++;
			enum reason reason = enter(table, source(number), now_ns);
			newcomers_refused += reason != REASON_NONE;
			if (reason == REASON_NONE)
				leave(table, source(number));
		}
		if (i % 1000 == 0 && enter(table, source(200), now_ns) == REASON_NONE) {
			leave(table, source(200));
			strained++;
		}
	}
	/* 50 seconds at 20 a second, of 200 tries a second. */
	assert_in_range(strained, 1000, 1050);
	assert_int_equal(newcomers_refused, 0);
	for (uint32_t i = 1; i <= 100; i++) {
		assert_int_equal(enter(table, source(i), now_ns), REASON_NONE);
		assert_int_equal(enter(table, source(i), now_ns), REASON_LIMIT_PER_SOURCE);
	}
	source_table_free(&table);
}

static void datagrams_are_counted_for_their_source(void **state)
{
	(void)state;
	struct source_table *table = table_make(0, 0, 100);
	struct endpoint one = source(1), other = source(2), stranger = source(3);
	limits.packet_rate = rate_from(100, 1000);
	assert_int_equal(enter(table, one, SECOND), REASON_NONE);
	assert_int_equal(enter(table, other, SECOND), REASON_NONE);
	assert_int_equal(source_table_take_packets(table, &limits, &one, SECOND, 30), 20);
	assert_int_equal(source_table_take_packets(table, &limits, &one, SECOND, 1), 0);
	assert_int_equal(source_table_take_packets(table, &limits, &one, SECOND + SECOND / 20, 30), 5);
	assert_int_equal(source_table_take_packets(table, &limits, &other, SECOND, 20), 20);
	/* A flow from before there was a table has no entry. */
	assert_int_equal(source_table_take_packets(table, &limits, &stranger, SECOND, 30), 20);
	assert_int_equal(source_table_take_packets(table, &limits, &stranger, SECOND, 30), 0);
	source_table_free(&table);
}

static void a_source_may_be_a_wider_prefix(void **state)
{
	(void)state;
	limits = (struct source_limits){ .flows_max = 1 };
	struct source_table *table = source_table_new(100, (struct source_prefixes){ 24, 128 });
	assert_int_equal(enter(table, source(0x0a000001), 0), REASON_NONE);
	assert_int_equal(enter(table, source(0x0a0000ff), 0), REASON_LIMIT_PER_SOURCE);
	assert_int_equal(enter(table, source(0x0a000101), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("2001:db8::1"), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("2001:db8::2"), 0), REASON_NONE);
	assert_int_equal(enter(table, source6("2001:db8::2"), 0), REASON_LIMIT_PER_SOURCE);
	source_table_free(&table);
}

static void counts_of_a_full_set_all_come_back(void **state)
{
	(void)state;
	static bool is_admitted[2000];
	struct source_table *table = table_make(3, 0, 1);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 2000; i++)
			is_admitted[i] = enter(table, source(i), 0) == REASON_NONE;
		/* Ended in another order than begun. */
		for (uint32_t n = 0; n < 2000; n++) {
			uint32_t i = n * 7 % 2000;
			if (is_admitted[i])
				leave(table, source(i));
		}
	}
	for (uint32_t i = 0; i < 2000; i++) {
		for (int n = 0; n < 3; n++)
			assert_int_equal(enter(table, source(i), 0), REASON_NONE);
		for (int n = 0; n < 3; n++)
			leave(table, source(i));
	}
	source_table_free(&table);
}

static void the_size_follows_the_flows_within_bounds(void **state)
{
	(void)state;
	struct source_table *small = table_make(1, 0, 1);
	struct source_table *middle = table_make(1, 0, 50000);
	struct source_table *large = table_make(1, 0, UINT64_MAX);
	assert_in_range(source_table_bytes(small), 1, 512 << 10);
	assert_in_range(source_table_bytes(middle), 200000 * 24, 16u << 20);
	assert_in_range(source_table_bytes(large), 32u << 20, 46u << 20);
	source_table_free(&small);
	source_table_free(&middle);
	source_table_free(&large);
}

struct worker {
	struct source_table *table;
	_Atomic uint32_t *active; /* by source */
	bool has_failed;
};

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t number = i % 5;
		if (enter(worker->table, source(number), 0) != REASON_NONE)
			continue;
		if (atomic_fetch_add(&worker->active[number], 1) >= 2)
			worker->has_failed = true;
		atomic_fetch_sub(&worker->active[number], 1);
		leave(worker->table, source(number));
	}
	return NULL;
}

static void threads_never_exceed_a_sources_limit(void **state)
{
	(void)state;
	struct source_table *table = table_make(2, 0, 1);
	_Atomic uint32_t active[5] = { 0 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ table, active, false };
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(workers[i].has_failed);
	}
	source_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_source_has_its_own_count),
		cmocka_unit_test(an_ipv6_source_is_a_64),
		cmocka_unit_test(each_source_has_its_own_rate),
		cmocka_unit_test(the_rate_outlives_the_flows),
		cmocka_unit_test(a_withdrawn_flow_has_cost_nothing),
		cmocka_unit_test(a_flood_pushes_out_no_source_with_flows),
		cmocka_unit_test(sources_without_a_place_are_judged_each_by_itself),
		cmocka_unit_test(a_displaced_source_keeps_its_rate),
		cmocka_unit_test(ten_million_invented_sources_harm_nobody),
		cmocka_unit_test(datagrams_are_counted_for_their_source),
		cmocka_unit_test(a_source_may_be_a_wider_prefix),
		cmocka_unit_test(counts_of_a_full_set_all_come_back),
		cmocka_unit_test(the_size_follows_the_flows_within_bounds),
		cmocka_unit_test(threads_never_exceed_a_sources_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
