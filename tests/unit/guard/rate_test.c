/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

/* Events that pass when one is tried every step_ns for ten seconds. */
static uint64_t passed_in_ten_seconds(struct rate rate, uint64_t step_ns)
{
	uint64_t arrival_ns = 0;
	uint64_t passed = 0;
	for (uint64_t now_ns = SECOND; now_ns < 11 * SECOND; now_ns += step_ns)
		passed += rate_take(&rate, &arrival_ns, now_ns);
	return passed;
}

static void no_amount_is_no_limit(void **state)
{
	(void)state;
	struct rate rate = rate_from(0, 1000);
	uint64_t arrival_ns = 0;
	_Atomic uint64_t shared_ns = 0;
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_take(&rate, &arrival_ns, 1));
		assert_true(rate_take_shared(&rate, &shared_ns, 1));
	}
}

static void is_accurate_over_ten_seconds(void **state)
{
	(void)state;
	static const uint64_t rates[] = { 20, 100, 333, 2000, 50000 };
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t passed = passed_in_ten_seconds(rate_from(rates[i], 1000), SECOND / rates[i] / 7);
		assert_in_range(passed, rates[i] * 10, rates[i] * 10 + rates[i] / 4);
	}
}

static void what_stays_below_the_rate_passes_whole(void **state)
{
	(void)state;
	struct rate rate = rate_from(1000, 1000);
	assert_int_equal(passed_in_ten_seconds(rate, SECOND / 1000), 10000);
	assert_int_equal(passed_in_ten_seconds(rate, SECOND / 500), 5000);
}

static void rates_by_the_minute_work(void **state)
{
	(void)state;
	struct rate rate = rate_from(100, 60000);
	uint64_t arrival_ns = 0;
	uint64_t passed = 0;
	for (uint64_t now_ns = SECOND; now_ns < 61 * SECOND; now_ns += SECOND / 100)
		passed += rate_take(&rate, &arrival_ns, now_ns);
	assert_in_range(passed, 99, 101);
}

static void a_burst_is_a_fifth_of_a_second(void **state)
{
	(void)state;
	static const struct {
		uint64_t amount;
		uint64_t burst;
	} cases[] = { { 1, 1 }, { 5, 1 }, { 20, 4 }, { 2000, 400 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rate rate = rate_from(cases[i].amount, 1000);
		uint64_t arrival_ns = 0;
		uint64_t passed = 0;
		while (rate_take(&rate, &arrival_ns, SECOND))
			passed++;
		assert_int_equal(passed, cases[i].burst);
	}
}

static void a_refused_event_costs_nothing(void **state)
{
	(void)state;
	struct rate rate = rate_from(1, 1000);
	uint64_t arrival_ns = 0;
	assert_true(rate_take(&rate, &arrival_ns, SECOND));
	for (uint64_t now_ns = SECOND; now_ns < 2 * SECOND; now_ns += SECOND / 100)
		assert_false(rate_take(&rate, &arrival_ns, now_ns));
	assert_true(rate_take(&rate, &arrival_ns, 2 * SECOND));
}

static void many_pass_as_one_by_one(void **state)
{
	(void)state;
	struct rate rate = rate_from(100, 1000);
	uint64_t one_by_one_ns = 0, together_ns = 0;
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t now_ns = SECOND + i * 7000000;
		uint32_t count = (uint32_t)(i % 5), passed = 0;
		for (uint32_t n = 0; n < count; n++)
			passed += rate_take(&rate, &one_by_one_ns, now_ns);
		assert_int_equal(rate_take_many(&rate, &together_ns, now_ns, count), passed);
		assert_true(one_by_one_ns == together_ns);
	}
	struct rate none = rate_from(0, 1000);
	assert_int_equal(rate_take_many(&none, &together_ns, SECOND, 5), 5);
	assert_int_equal(rate_take_many(&rate, &(uint64_t){ 0 }, SECOND, UINT32_MAX), 20);
}

static void a_clock_a_little_behind_is_no_harm(void **state)
{
	(void)state;
	struct rate rate = rate_from(1000, 1000);
	uint64_t arrival_ns = 0;
	assert_true(rate_take(&rate, &arrival_ns, SECOND));
	assert_true(rate_take(&rate, &arrival_ns, SECOND - 5000000));
	assert_true(arrival_ns == SECOND + 2000000);
}

static void the_fastest_rates_do_not_divide_to_nothing(void **state)
{
	(void)state;
	struct rate rate = rate_from(UINT64_MAX / 2, 1000);
	uint64_t arrival_ns = 0;
	assert_true(rate.interval_ns == 1);
	assert_true(rate_take(&rate, &arrival_ns, SECOND));
}

struct worker {
	struct rate rate;
	_Atomic uint64_t *arrival_ns;
	uint64_t passed;
};

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	for (uint64_t now_ns = SECOND; now_ns < 11 * SECOND; now_ns += 100000)
		worker->passed += rate_take_shared(&worker->rate, worker->arrival_ns, now_ns);
	return NULL;
}

/* The two clocks drift apart by as much as the threads do; a shared limit still passes no more than the later one. */
static void threads_share_a_limit(void **state)
{
	(void)state;
	_Atomic uint64_t arrival_ns = 0;
	struct worker workers[2];
	pthread_t threads[2];
	for (int i = 0; i < 2; i++) {
		workers[i] = (struct worker){ rate_from(2000, 1000), &arrival_ns, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_in_range(workers[0].passed + workers[1].passed, 20000, 20500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_amount_is_no_limit),
		cmocka_unit_test(is_accurate_over_ten_seconds),
		cmocka_unit_test(what_stays_below_the_rate_passes_whole),
		cmocka_unit_test(rates_by_the_minute_work),
		cmocka_unit_test(a_burst_is_a_fifth_of_a_second),
		cmocka_unit_test(a_refused_event_costs_nothing),
		cmocka_unit_test(many_pass_as_one_by_one),
		cmocka_unit_test(a_clock_a_little_behind_is_no_harm),
		cmocka_unit_test(the_fastest_rates_do_not_divide_to_nothing),
		cmocka_unit_test(threads_share_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
