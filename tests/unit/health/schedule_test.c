/* SPDX-License-Identifier: Apache-2.0 */
#include "health/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 1000, BUCKETS = 20 };

/* Checks of SERVERS servers in each twentieth of an interval, in round `round` after the start. */
static void count_round(uint64_t every_ms, uint64_t round, unsigned int counts[BUCKETS])
{
	struct random random;
	random_init_seed(&random, 7);
	memset(counts, 0, BUCKETS * sizeof(counts[0]));
	for (uint64_t i = 0; i < SERVERS; i++) {
		struct schedule schedule = schedule_make(5000, every_ms, i, SERVERS);
		uint64_t moment = schedule_first_ms(&schedule, 5000);
		uint64_t from = 5000 + round * schedule.period_ms;
		while (moment < from)
			moment = schedule_next_ms(&schedule, moment, &random);
		for (; moment < from + schedule.period_ms; moment = schedule_next_ms(&schedule, moment, &random))
			counts[(moment - from) * BUCKETS / schedule.period_ms]++;
	}
}

static void assert_even(uint64_t every_ms, uint64_t round)
{
	unsigned int counts[BUCKETS];
	count_round(every_ms, round, counts);
	for (int i = 0; i < BUCKETS; i++)
		assert_in_range(counts[i], SERVERS / BUCKETS * 7 / 10, SERVERS / BUCKETS * 13 / 10);
}

static void spreads_servers_over_the_interval_for_good(void **state)
{
	(void)state;
	static const uint64_t rounds[] = { 2, 3, 10, 1000 };
	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		assert_even(2000, rounds[i]);
		assert_even(10000, rounds[i]);
		assert_even(60000, rounds[i]);
	}
}

static void makes_the_first_round_short(void **state)
{
	(void)state;
	uint64_t previous = 0;
	for (uint64_t i = 0; i < SERVERS; i++) {
		struct schedule schedule = schedule_make(0, 86400000, i, SERVERS);
		uint64_t first = schedule_first_ms(&schedule, 777);
		assert_in_range(first, 777, 777 + SCHEDULE_FIRST_ROUND_MS);
		assert_true(first >= previous);
		previous = first;
		schedule = schedule_make(0, 500, i, SERVERS);
		assert_in_range(schedule_first_ms(&schedule, 777), 777, 777 + 500);
	}
}

/* The bounds of the header: an interval at most, and after the first round one and a quarter at most. */
static void keeps_within_the_interval(void **state)
{
	(void)state;
	static const uint64_t intervals_ms[] = { 10, 33, 200, 2000, 5000, 3600000, 86400000 };
	struct random random;
	random_init_seed(&random, 3);
	for (size_t i = 0; i < sizeof(intervals_ms) / sizeof(intervals_ms[0]); i++) {
		uint64_t every_ms = intervals_ms[i];
		for (uint64_t index = 0; index < 97; index++) {
			struct schedule schedule = schedule_make(1, every_ms, index, 97);
			uint64_t moment = schedule_first_ms(&schedule, 1);
			uint64_t next = schedule_next_ms(&schedule, moment, &random);
			assert_in_range(next - moment, every_ms / 5, every_ms * 5 / 4 + every_ms / 10);
			for (int round = 0; round < 50; round++) {
				moment = next;
				next = schedule_next_ms(&schedule, moment, &random);
				assert_in_range(next - moment, every_ms * 9 / 10, every_ms);
			}
		}
	}
}

static void varies_from_round_to_round(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 11);
	struct schedule schedule = schedule_make(0, 10000, 0, 1);
	uint64_t moment = schedule_first_ms(&schedule, 0);
	bool has_varied = false;
	for (int round = 0; round < 10; round++) {
		uint64_t next = schedule_next_ms(&schedule, moment, &random);
		has_varied |= next - moment != schedule.period_ms;
		moment = next;
	}
	assert_true(has_varied);
}

static void leaves_out_missed_rounds(void **state)
{
	(void)state;
	struct random random;
	random_init_seed(&random, 5);
	struct schedule schedule = schedule_make(0, 1000, 3, 4);
	uint64_t after_ms = 10 * schedule.period_ms + 7;
	uint64_t next = schedule_next_ms(&schedule, after_ms, &random);
	assert_in_range(next, after_ms + 1, after_ms + 1250);
	/* Nobody else's place is taken: the server comes back to its own. */
	assert_in_range((next - schedule.phase_ms) % schedule.period_ms, 0, schedule.jitter_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_servers_over_the_interval_for_good),
		cmocka_unit_test(makes_the_first_round_short),
		cmocka_unit_test(keeps_within_the_interval),
		cmocka_unit_test(varies_from_round_to_round),
		cmocka_unit_test(leaves_out_missed_rounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
