/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/unique_count.h"

#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add_range(struct unique_count *unique, uint32_t first, uint32_t count, struct memory_budget *budget)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct network source = fixture_source(i);
		unique_count_add(unique, fixture_hash(&source), budget);
	}
}

static void assert_within(uint64_t estimate, uint64_t truth, uint64_t percent)
{
	uint64_t distance = estimate > truth ? estimate - truth : truth - estimate;
	if (distance * 100 > truth * percent)
		fail_msg("%llu was estimated as %llu", (unsigned long long)truth, (unsigned long long)estimate);
}

static void estimates_are_within_three_percent(void **state)
{
	static const uint32_t numbers[] = {
		0, 1, 10, 100, 1000, 1536, 1537, 2000, 5000, 20000, 100000, 300000, 1000000
	};
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct memory_budget budget = fixture_budget();
		struct unique_count unique = { 0 };
		add_range(&unique, 0, numbers[i], &budget);
		add_range(&unique, 0, numbers[i], &budget); /* again: they are not new */
		assert_within(unique_count_estimate(&unique), numbers[i], numbers[i] <= UNIQUE_EXACT_MAX ? 0 : 3);
		assert_true(budget.used_bytes <= UNIQUE_REGISTERS);
		assert_false(unique.is_cut);
		unique_count_clear(&unique, &budget);
		assert_int_equal(budget.used_bytes, 0);
	}
}

static void unions_count_what_both_have_once(void **state)
{
	static const uint32_t numbers[][2] = { { 500, 500 }, { 500, 20000 }, { 20000, 500 }, { 50000, 50000 } };
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct memory_budget budget = fixture_budget();
		struct unique_count a = { 0 }, b = { 0 };
		uint32_t shared = numbers[i][0] < numbers[i][1] ? numbers[i][0] / 2 : numbers[i][1] / 2;
		add_range(&a, 0, numbers[i][0], &budget);
		add_range(&b, numbers[i][0] - shared, numbers[i][1], &budget);
		unique_count_unite(&a, &b, &budget);
		uint64_t truth = numbers[i][0] + numbers[i][1] - shared;
		assert_within(unique_count_estimate(&a), truth, truth <= UNIQUE_EXACT_MAX ? 0 : 3);
		unique_count_clear(&a, &budget);
		unique_count_clear(&b, &budget);
		assert_int_equal(budget.used_bytes, 0);
	}
}

static void without_memory_it_says_so(void **state)
{
	struct memory_budget budget = { .max_bytes = 1000 };
	struct unique_count unique = { 0 };
	(void)state;
	add_range(&unique, 0, 1000, &budget);
	assert_true(unique.is_cut);
	assert_true(unique_count_estimate(&unique) > 0 && unique_count_estimate(&unique) < 1000);
	assert_true(budget.used_bytes <= budget.max_bytes);
	unique_count_clear(&unique, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void it_is_read_as_it_was_written(void **state)
{
	static const uint32_t numbers[] = { 0, 1, 1000, 30000 };
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct memory_budget budget = fixture_budget();
		struct byte_writer writer = { 0 };
		struct unique_count written = { 0 }, read = { 0 };
		add_range(&written, 0, numbers[i], &budget);
		unique_count_write(&written, &writer);
		struct byte_reader reader = fixture_reader(&writer);
		unique_count_read(&read, &reader, &budget);
		assert_false(reader.has_failed);
		assert_int_equal(reader.left.len, 0);
		assert_int_equal(unique_count_estimate(&read), unique_count_estimate(&written));
		/* What it knew it still knows. */
		add_range(&read, 0, numbers[i], &budget);
		assert_int_equal(unique_count_estimate(&read), unique_count_estimate(&written));
		unique_count_clear(&written, &budget);
		unique_count_clear(&read, &budget);
		byte_writer_done(&writer);
		assert_int_equal(budget.used_bytes, 0);
	}
}

static void nonsense_is_refused(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct byte_writer writer = { 0 };
	uint8_t is_cut = 0;
	uint32_t too_many = UNIQUE_EXACT_MAX + 1, registers = UINT32_MAX;
	(void)state;
	BYTE_WRITER_PUT(&writer, is_cut);
	BYTE_WRITER_PUT(&writer, too_many);
	struct unique_count unique = { 0 };
	struct byte_reader reader = fixture_reader(&writer);
	unique_count_read(&unique, &reader, &budget);
	assert_true(reader.has_failed);
	unique_count_clear(&unique, &budget);
	byte_writer_clear(&writer);
	BYTE_WRITER_PUT(&writer, is_cut);
	BYTE_WRITER_PUT(&writer, registers);
	for (uint32_t i = 0; i < UNIQUE_REGISTERS; i++)
		byte_writer_put(&writer, "\xff", 1); /* no hash has such a rank */
	reader = fixture_reader(&writer);
	unique_count_read(&unique, &reader, &budget);
	assert_true(reader.has_failed);
	unique_count_clear(&unique, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(estimates_are_within_three_percent),
		cmocka_unit_test(unions_count_what_both_have_once),
		cmocka_unit_test(without_memory_it_says_so),
		cmocka_unit_test(it_is_read_as_it_was_written),
		cmocka_unit_test(nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
