/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct histogram_scale scale = { .count = 3, .bounds_us = { 10, 100, 1000 } };

static void counts_between_bounds(void **state)
{
	static const uint64_t values[] = { 0, 10, 11, 100, 101, 1000, 1001, UINT32_MAX };
	static const uint64_t expected[] = { 2, 2, 2, 2 };
	struct histogram histogram = { 0 };
	struct histogram_total total = { 0 };
	uint64_t sum = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		histogram_observe(&histogram, &scale, values[i]);
		sum += values[i];
	}
	histogram_add_to(&histogram, &total);
	for (size_t i = 0; i <= scale.count; i++)
		assert_int_equal(total.buckets[i], expected[i]);
	assert_int_equal(total.sum_us, sum);
}

static void adds_up(void **state)
{
	struct histogram histograms[2] = { 0 };
	struct histogram_total total = { 0 };
	(void)state;
	histogram_observe(&histograms[0], &scale, 5);
	histogram_observe(&histograms[1], &scale, 7);
	histogram_observe(&histograms[1], &scale, 5000);
	histogram_add_to(&histograms[0], &total);
	histogram_add_to(&histograms[1], &total);
	assert_int_equal(total.buckets[0], 2);
	assert_int_equal(total.buckets[3], 1);
	assert_int_equal(total.sum_us, 5012);
}

static void scales_rise(void **state)
{
	const struct histogram_scale *scales[] = { &histogram_flow_scale, &histogram_answer_scale,
						   &histogram_turn_scale };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(scales[i]->count > 1 && scales[i]->count <= HISTOGRAM_BOUNDS_MAX);
		for (size_t bound = 1; bound < scales[i]->count; bound++)
			assert_true(scales[i]->bounds_us[bound] > scales[i]->bounds_us[bound - 1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_between_bounds),
		cmocka_unit_test(adds_up),
		cmocka_unit_test(scales_rise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
