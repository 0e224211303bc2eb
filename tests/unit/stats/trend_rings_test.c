/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/trend_rings.h"

#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { START = 1000000 * 900 }; /* where steps of all lengths begin */

static uint64_t values[TREND_SLOTS_MAX];

static struct trend_amounts flows(uint64_t count, uint64_t active)
{
	return (struct trend_amounts){ .of = { [TREND_FLOWS] = count, [TREND_FLOWS_ACTIVE] = active } };
}

static void add(struct trend_rings *rings, uint64_t now_s, uint64_t count)
{
	struct trend_amounts amounts = flows(count, count);
	trend_rings_add(rings, now_s, &amounts);
}

static uint32_t read(const struct trend_rings *rings, enum trend_step step, enum trend_measure measure)
{
	trend_rings_read(rings, step, measure, values);
	return trend_rings_count(rings, step);
}

static void steps_add_up(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	(void)state;
	for (uint64_t i = 0; i < 7200; i++)
		add(rings, START + i, i % 3);
	add(rings, START + 7200, 0);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 600);
	for (uint64_t i = 0; i < 600; i++)
		assert_int_equal(values[i], (6600 + i) % 3);
	assert_int_equal(trend_rings_end_s(rings, TREND_SECONDS), START + 7200);
	assert_int_equal(read(rings, TREND_MINUTES, TREND_FLOWS), 120);
	for (uint64_t i = 0; i < 120; i++)
		assert_int_equal(values[i], 60);
	assert_int_equal(read(rings, TREND_QUARTERS, TREND_FLOWS), 8);
	assert_int_equal(values[7], 900);
	/* The value at the end of the step, not a sum. */
	assert_int_equal(read(rings, TREND_MINUTES, TREND_FLOWS_ACTIVE), 120);
	assert_int_equal(values[119], 7199 % 3);
	trend_rings_free(&rings, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void the_longest_ring_wraps(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		add(rings, START + i * 900, i);
	assert_int_equal(read(rings, TREND_QUARTERS, TREND_FLOWS), 2880);
	for (uint64_t i = 0; i < 2047 - 119; i++)
		assert_int_equal(values[i], 119 + i);
	/* Most of the other steps were empty. */
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 600);
	assert_int_equal(values[599], 0);
	trend_rings_free(&rings, &budget);
}

static void a_jump_forward_leaves_empty_steps(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	(void)state;
	add(rings, START, 5);
	add(rings, START + 10, 7);
	add(rings, START + 11, 0);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 11);
	assert_int_equal(values[0], 5);
	assert_int_equal(values[1], 0);
	assert_int_equal(values[10], 7);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS_ACTIVE), 11);
	assert_int_equal(values[9], 5); /* flows go on while nothing is said */
	/* Further than the ring is long, by years. */
	add(rings, START + UINT64_C(4000000000), 1);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 600);
	for (uint64_t i = 0; i < 600; i++)
		assert_int_equal(values[i], 0);
	trend_rings_free(&rings, &budget);
}

static void a_jump_back_loses_nothing(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	(void)state;
	add(rings, START, 5);
	add(rings, START + 1, 6);
	add(rings, START - 1000, 7);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 1);
	add(rings, START - 999, 0);
	assert_int_equal(read(rings, TREND_SECONDS, TREND_FLOWS), 2);
	assert_int_equal(values[0], 5);
	assert_int_equal(values[1], 13); /* what went on is of the step that it went on in */
	trend_rings_free(&rings, &budget);
}

static void large_numbers_are_nearly_right(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	uint64_t now_s = START;
	(void)state;
	for (uint64_t number = 1; number < UINT64_MAX / 3; number = number * 3 + 1) {
		add(rings, now_s, number);
		add(rings, ++now_s, 0);
		uint32_t count = read(rings, TREND_SECONDS, TREND_FLOWS);
		uint64_t distance =
			values[count - 1] > number ? values[count - 1] - number : number - values[count - 1];
		assert_true(number < 2048 ? distance == 0 : distance <= number / 2000 + 1);
	}
	add(rings, now_s, UINT64_MAX);
	add(rings, ++now_s, 0);
	uint32_t count = read(rings, TREND_SECONDS, TREND_FLOWS);
	assert_true(values[count - 1] >= UINT64_MAX - UINT64_MAX / 2000);
	trend_rings_free(&rings, &budget);
}

static void the_last_step_is_the_last_that_ended(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	struct trend_amounts minute;
	(void)state;
	add(rings, START + 59, 9);
	assert_false(trend_rings_last(rings, TREND_MINUTES, &minute));
	add(rings, START + 60, 1);
	assert_true(trend_rings_last(rings, TREND_MINUTES, &minute));
	assert_int_equal(minute.of[TREND_FLOWS], 9);
	trend_rings_free(&rings, &budget);
}

static void without_memory_there_are_none(void **state)
{
	struct memory_budget budget = { .max_bytes = 1000 };
	(void)state;
	assert_null(trend_rings_new(START, &budget));
	assert_int_equal(budget.refused_count, 1);
}

static void they_are_read_as_they_were_written(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct trend_rings *rings = trend_rings_new(START, &budget);
	struct byte_writer writer = { 0 };
	(void)state;
	for (uint64_t i = 0; i <= 60; i++)
		add(rings, START + i, i);
	trend_rings_write(rings, &writer);
	struct byte_reader reader = fixture_reader(&writer);
	struct trend_rings *again = trend_rings_read_new(&reader, &budget);
	assert_non_null(again);
	/* A process was down for an hour, and the clock says something else. */
	trend_rings_set_time(again, START + 100000);
	add(again, START + 103600, 3);
	assert_int_equal(read(again, TREND_MINUTES, TREND_FLOWS), 61);
	assert_int_equal(values[0], 59 * 60 / 2);
	assert_int_equal(values[1], 60);
	assert_int_equal(values[60], 0);
	for (size_t len = 0; len < writer.len; len += 97) {
		reader = (struct byte_reader){ .left = { (const char *)writer.bytes, len } };
		assert_null(trend_rings_read_new(&reader, &budget));
		assert_true(reader.has_failed);
	}
	memset(writer.bytes, 0xff, writer.len);
	reader = fixture_reader(&writer);
	assert_null(trend_rings_read_new(&reader, &budget));
	assert_true(reader.has_failed);
	trend_rings_free(&rings, &budget);
	trend_rings_free(&again, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_add_up),
		cmocka_unit_test(the_longest_ring_wraps),
		cmocka_unit_test(a_jump_forward_leaves_empty_steps),
		cmocka_unit_test(a_jump_back_loses_nothing),
		cmocka_unit_test(large_numbers_are_nearly_right),
		cmocka_unit_test(the_last_step_is_the_last_that_ended),
		cmocka_unit_test(without_memory_there_are_none),
		cmocka_unit_test(they_are_read_as_they_were_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
