/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

#define SINGLE .source_prefixes = { 32, 64 }

enum { THREADS = 4 };

static struct endpoint client(uint32_t number)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(number) } };
	return endpoint_from_sockaddr((const struct sockaddr *)&in);
}

static enum reason admit(struct guard *guard, enum guard_kind kind, uint32_t number, uint64_t now_ns)
{
	struct endpoint endpoint = client(number);
	return guard_admit(guard, kind, &endpoint, now_ns).reason;
}

static void release(struct guard *guard, enum guard_kind kind, uint32_t number)
{
	struct endpoint endpoint = client(number);
	/* Guards of these tests have at most one table of sources, the first. */
	guard_release(guard, kind, &endpoint, (struct guard_ticket){ .source_epoch = 1 });
}

static void an_update_keeps_the_counts(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .connections_max = 3, .per_source_max = 2 });
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_LIMIT_PER_SOURCE);
	guard_update(guard, &(struct guard_settings){ SINGLE, .connections_max = 3, .per_source_max = 3 });
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_LIMIT_CONNECTIONS);
	for (uint32_t i = 0; i < 3; i++)
		release(guard, GUARD_CONNECTION, 1);
	rcu_barrier();
	guard_free(&guard);
}

static enum reason admit_instead(struct guard *guard, uint32_t number, uint64_t now_ns)
{
	struct endpoint endpoint = client(number);
	return guard_admit_instead(guard, GUARD_SESSION, &endpoint, now_ns).reason;
}

static void one_takes_the_place_of_another(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .sessions_max = 2, .per_source_max = 1 });
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(admit(guard, GUARD_SESSION, i, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_SESSION, 3, SECOND), REASON_LIMIT_SESSIONS);
	assert_int_equal(admit_instead(guard, 3, SECOND), REASON_NONE);
	assert_int_equal(admit_instead(guard, 2, SECOND), REASON_LIMIT_PER_SOURCE);
	release(guard, GUARD_SESSION, 1);
	assert_int_equal(admit(guard, GUARD_SESSION, 4, SECOND), REASON_LIMIT_SESSIONS);
	release(guard, GUARD_SESSION, 3);
	assert_int_equal(admit(guard, GUARD_SESSION, 4, SECOND), REASON_NONE);
	release(guard, GUARD_SESSION, 2);
	release(guard, GUARD_SESSION, 4);
	guard_free(&guard);
}

static void the_rate_holds_for_those_who_take_a_place(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .sessions_max = 1, .rate = { 2, 1000 } });
	assert_int_equal(admit(guard, GUARD_SESSION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_SESSION, 2, SECOND), REASON_LIMIT_SESSIONS);
	assert_int_equal(admit_instead(guard, 2, SECOND), REASON_LIMIT_RATE);
	assert_int_equal(admit_instead(guard, 2, 2 * SECOND), REASON_NONE);
	release(guard, GUARD_SESSION, 1);
	release(guard, GUARD_SESSION, 2);
	guard_free(&guard);
}

static void flows_from_before_limits_per_source_do_not_disturb_them(void **state)
{
	(void)state;
	struct endpoint one = client(1);
	struct guard_verdict before, after, later;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE });
	before = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	assert_int_equal(before.reason, REASON_NONE);
	guard_update(guard, &(struct guard_settings){ SINGLE, .per_source_max = 1 });
	after = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	assert_int_equal(after.reason, REASON_NONE);
	guard_release(guard, GUARD_CONNECTION, &one, before.ticket);
	later = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	assert_int_equal(later.reason, REASON_LIMIT_PER_SOURCE);
	guard_update(guard, &(struct guard_settings){ SINGLE });
	guard_update(guard, &(struct guard_settings){ SINGLE, .per_source_max = 1 });
	guard_release(guard, GUARD_CONNECTION, &one, after.ticket);
	later = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	assert_int_equal(later.reason, REASON_NONE);
	guard_release(guard, GUARD_CONNECTION, &one, later.ticket);
	rcu_barrier();
	guard_free(&guard);
}

static void without_settings_all_are_admitted(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE });
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(admit(guard, i % 2, 1, SECOND), REASON_NONE);
	for (uint32_t i = 0; i < 10000; i++)
		release(guard, i % 2, 1);
	guard_free(&guard);
	assert_null(guard);
	guard_free(&guard);
}

static void connections_and_sessions_are_counted_apart(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .connections_max = 2, .sessions_max = 3 });
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(admit(guard, GUARD_CONNECTION, i, SECOND), REASON_NONE);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(admit(guard, GUARD_SESSION, i, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 9, SECOND), REASON_LIMIT_CONNECTIONS);
	assert_int_equal(admit(guard, GUARD_SESSION, 9, SECOND), REASON_LIMIT_SESSIONS);
	release(guard, GUARD_SESSION, 1);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 9, SECOND), REASON_LIMIT_CONNECTIONS);
	assert_int_equal(admit(guard, GUARD_SESSION, 9, SECOND), REASON_NONE);
	guard_free(&guard);
}

static void rules_are_asked_first(void **state)
{
	(void)state;
	struct guard_rule rules[2] = {
		{ .is_allow = true, .network = { .family = AF_INET, .prefix_bits = 128 } },
		{ .is_allow = false, .network = { .family = AF_INET, .prefix_bits = 96 } },
	};
	struct endpoint allowed = client(7);
	memcpy(rules[0].network.ip, allowed.ip, 16);
	memcpy(rules[1].network.ip, allowed.ip, 12);
	struct guard *guard =
		guard_new(&(struct guard_settings){ SINGLE, .rules = rules, .rule_count = 2, .connections_max = 1 });
	memset(rules, 0, sizeof(rules)); /* copied */
	for (int i = 0; i < 5; i++)
		assert_int_equal(admit(guard, GUARD_CONNECTION, 8, SECOND), REASON_DENIED_ACCESS);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 7, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 8, SECOND), REASON_DENIED_ACCESS);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 7, SECOND), REASON_LIMIT_CONNECTIONS);
	guard_free(&guard);
}

static void a_source_above_its_limit_takes_nothing_from_others(void **state)
{
	(void)state;
	struct guard *guard = guard_new(
		&(struct guard_settings){ SINGLE, .connections_max = 3, .rate = { 20, 1000 }, .per_source_max = 1 });
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_LIMIT_PER_SOURCE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 3, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 4, SECOND), REASON_LIMIT_CONNECTIONS);
	guard_free(&guard);
}

static void a_flow_the_service_refuses_takes_nothing_from_its_source(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .connections_max = 1, .per_source_max = 1,
								  .per_source_rate = { 1, 1000 } });
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	for (int i = 0; i < 10; i++)
		assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_LIMIT_CONNECTIONS);
	release(guard, GUARD_CONNECTION, 1);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_NONE);
	guard_free(&guard);
}

static void rates_of_service_and_source_hold(void **state)
{
	(void)state;
	struct guard *guard =
		guard_new(&(struct guard_settings){ SINGLE, .rate = { 100, 1000 }, .per_source_rate = { 10, 1000 } });
	uint32_t admitted = 0;
	uint32_t admitted_of_one = 0;
	for (uint64_t now_ns = SECOND; now_ns < 11 * SECOND; now_ns += SECOND / 1000)
		admitted_of_one += admit(guard, GUARD_SESSION, 1, now_ns) == REASON_NONE;
	assert_in_range(admitted_of_one, 100, 105);
	for (uint64_t now_ns = 21 * SECOND; now_ns < 31 * SECOND; now_ns += SECOND / 1000)
		admitted += admit(guard, GUARD_SESSION, (uint32_t)(now_ns / 1000000 % 100), now_ns) == REASON_NONE;
	assert_in_range(admitted, 950, 1050);
	guard_free(&guard);
}

static void on_trial_all_come_in_and_are_counted(void **state)
{
	(void)state;
	struct endpoint one = client(1);
	struct guard_settings settings = { SINGLE, .connections_max = 2, .per_source_max = 1, .is_trial = true };
	struct guard *guard = guard_new(&settings);
	struct guard_verdict first = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	struct guard_verdict second = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	assert_true(guard_is_trial(guard));
	assert_int_equal(first.reason, REASON_NONE);
	assert_int_equal(first.spared, REASON_NONE);
	assert_int_equal(second.reason, REASON_NONE);
	assert_int_equal(second.spared, REASON_LIMIT_PER_SOURCE);
	/* In force, those who were let in count. */
	settings.is_trial = false;
	guard_update(guard, &settings);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_LIMIT_CONNECTIONS);
	guard_release(guard, GUARD_CONNECTION, &one, first.ticket);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_LIMIT_PER_SOURCE);
	guard_release(guard, GUARD_CONNECTION, &one, second.ticket);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	rcu_barrier();
	guard_free(&guard);
}

static void datagrams_of_a_source_are_limited_over_all_its_sessions(void **state)
{
	(void)state;
	struct endpoint one = client(1), other = client(2);
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .per_source_packets = { 100, 1000 } });
	uint32_t admitted = 0;
	assert_true(guard_limits_packets(guard));
	assert_int_equal(admit(guard, GUARD_SESSION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_SESSION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_SESSION, 2, SECOND), REASON_NONE);
	for (uint64_t now_ns = SECOND; now_ns < 11 * SECOND; now_ns += SECOND / 100)
		admitted += guard_admit_packets(guard, &one, now_ns, 5).admitted;
	assert_in_range(admitted, 1000, 1025);
	assert_int_equal(guard_admit_packets(guard, &other, 11 * SECOND, 5).admitted, 5);
	guard_free(&guard);
}

static void datagrams_on_trial_all_pass(void **state)
{
	(void)state;
	struct endpoint one = client(1);
	struct guard *guard =
		guard_new(&(struct guard_settings){ SINGLE, .per_source_packets = { 10, 1000 }, .is_trial = true });
	assert_int_equal(admit(guard, GUARD_SESSION, 1, SECOND), REASON_NONE);
	struct guard_packets_verdict verdict = guard_admit_packets(guard, &one, SECOND, 5);
	assert_int_equal(verdict.admitted, 5);
	assert_int_equal(verdict.spared, 3);
	guard_free(&guard);
}

static void who_is_refused_often_is_to_be_blocked(void **state)
{
	(void)state;
	struct endpoint one = client(1), other = client(2);
	struct guard *guard = guard_new(
		&(struct guard_settings){ SINGLE, .connections_max = 1, .per_source_max = 1, .block = { 3, 1000 } });
	assert_false(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).is_block_due);
	for (int i = 0; i < 2; i++)
		assert_false(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).is_block_due);
	assert_true(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).is_block_due);
	/* That the service is full is nobody's fault. */
	for (int i = 0; i < 100; i++)
		assert_false(guard_admit(guard, GUARD_CONNECTION, &other, SECOND).is_block_due);
	for (int i = 0; i < 2; i++)
		assert_false(guard_note_refusal(guard, &other, SECOND));
	assert_true(guard_note_refusal(guard, &other, SECOND));
	assert_int_equal(guard_source(guard, &other).prefix_bits, 128);
	guard_free(&guard);
}

static void other_prefixes_begin_with_new_counts(void **state)
{
	(void)state;
	struct guard_settings settings = { SINGLE, .per_source_max = 1 };
	struct guard *guard = guard_new(&settings);
	struct endpoint one = client(0x0a000001), neighbour = client(0x0a000002);
	struct guard_verdict before = guard_admit(guard, GUARD_CONNECTION, &one, SECOND);
	struct guard_verdict after;
	settings.source_prefixes = (struct source_prefixes){ 24, 64 };
	guard_update(guard, &settings);
	after = guard_admit(guard, GUARD_CONNECTION, &neighbour, SECOND);
	assert_int_equal(after.reason, REASON_NONE);
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).reason, REASON_LIMIT_PER_SOURCE);
	guard_release(guard, GUARD_CONNECTION, &one, before.ticket);
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).reason, REASON_LIMIT_PER_SOURCE);
	guard_release(guard, GUARD_CONNECTION, &neighbour, after.ticket);
	assert_int_equal(guard_admit(guard, GUARD_CONNECTION, &one, SECOND).reason, REASON_NONE);
	rcu_barrier();
	guard_free(&guard);
}

struct worker {
	struct guard *guard;
	_Atomic uint32_t *active;
	uint32_t number;
	bool has_failed;
};

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t number = worker->number * 10 + i % 10;
		if (admit(worker->guard, GUARD_CONNECTION, number, SECOND) != REASON_NONE)
			continue;
		if (atomic_fetch_add(worker->active, 1) >= 2)
			worker->has_failed = true;
		atomic_fetch_sub(worker->active, 1);
		release(worker->guard, GUARD_CONNECTION, number);
	}
	return NULL;
}

static void threads_never_exceed_a_limit_and_give_all_back(void **state)
{
	(void)state;
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .connections_max = 2, .per_source_max = 1 });
	_Atomic uint32_t active = 0;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ guard, &active, i, false };
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(workers[i].has_failed);
	}
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 3, SECOND), REASON_LIMIT_CONNECTIONS);
	guard_free(&guard);
}

static void flows_that_others_let_in_count(void **state)
{
	(void)state;
	uint32_t pending = 2;
	struct endpoint other = client(9);
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .connections_max = 3 });
	guard_set_pending(guard, GUARD_CONNECTION, &pending);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_LIMIT_CONNECTIONS);
	struct guard_ticket ticket = guard_enter(guard, GUARD_CONNECTION, &other, SECOND);
	pending = 0;
	assert_int_equal(admit(guard, GUARD_CONNECTION, 2, SECOND), REASON_NONE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 3, SECOND), REASON_LIMIT_CONNECTIONS);
	/* Whatever the limit is. */
	guard_release(guard, GUARD_CONNECTION, &other, guard_enter(guard, GUARD_CONNECTION, &other, SECOND));
	guard_release(guard, GUARD_CONNECTION, &other, ticket);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 3, SECOND), REASON_NONE);
	pending = 100;
	assert_int_equal(admit(guard, GUARD_CONNECTION, 4, SECOND), REASON_LIMIT_CONNECTIONS);
	guard_free(&guard);
}

static void the_rate_counts_flows_that_others_let_in(void **state)
{
	(void)state;
	struct endpoint other = client(9);
	struct guard *guard = guard_new(&(struct guard_settings){ SINGLE, .rate = { 10, 1000 } });
	for (int i = 0; i < 10; i++)
		guard_enter(guard, GUARD_CONNECTION, &other, SECOND);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND), REASON_LIMIT_RATE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, SECOND + SECOND / 2), REASON_LIMIT_RATE);
	assert_int_equal(admit(guard, GUARD_CONNECTION, 1, 2 * SECOND), REASON_NONE);
	guard_free(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_takes_the_place_of_another),
		cmocka_unit_test(the_rate_holds_for_those_who_take_a_place),
		cmocka_unit_test(an_update_keeps_the_counts),
		cmocka_unit_test(flows_from_before_limits_per_source_do_not_disturb_them),
		cmocka_unit_test(without_settings_all_are_admitted),
		cmocka_unit_test(connections_and_sessions_are_counted_apart),
		cmocka_unit_test(rules_are_asked_first),
		cmocka_unit_test(a_source_above_its_limit_takes_nothing_from_others),
		cmocka_unit_test(a_flow_the_service_refuses_takes_nothing_from_its_source),
		cmocka_unit_test(rates_of_service_and_source_hold),
		cmocka_unit_test(on_trial_all_come_in_and_are_counted),
		cmocka_unit_test(datagrams_of_a_source_are_limited_over_all_its_sessions),
		cmocka_unit_test(datagrams_on_trial_all_pass),
		cmocka_unit_test(who_is_refused_often_is_to_be_blocked),
		cmocka_unit_test(other_prefixes_begin_with_new_counts),
		cmocka_unit_test(flows_that_others_let_in_count),
		cmocka_unit_test(the_rate_counts_flows_that_others_let_in),
		cmocka_unit_test(threads_never_exceed_a_limit_and_give_all_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
