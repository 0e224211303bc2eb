/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/seen_sources.h"

#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WEEK = SEEN_GENERATION_S, START = 1000 * WEEK, BYTES = 1 << 18 };

static uint64_t hash_of(uint32_t number)
{
	struct network source = fixture_source(number);
	return fixture_hash(&source);
}

/* Returns how many were known. */
static uint32_t note_range(struct seen_sources *seen, uint32_t first, uint32_t count, uint64_t now_s,
			   struct memory_budget *budget)
{
	uint32_t known = 0;
	for (uint32_t i = first; i < first + count; i++)
		known += seen_sources_note(seen, hash_of(i), now_s, budget);
	return known;
}

static void what_was_seen_is_known(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES);
	assert_int_equal(budget.used_bytes, 0);
	uint32_t wrong = note_range(&seen, 0, 10000, START, &budget);
	assert_true(wrong < 10); /* thought to be known that were not */
	assert_true(budget.used_bytes <= BYTES);
	assert_int_equal(note_range(&seen, 0, 10000, START + 10, &budget), 10000);
	seen_sources_done(&seen, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void what_comes_each_week_stays_known(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES);
	note_range(&seen, 0, 100, START, &budget);
	for (uint64_t week = 1; week < 20; week++)
		assert_int_equal(note_range(&seen, 0, 100, START + week * WEEK, &budget), 100);
	seen_sources_done(&seen, &budget);
}

static void what_has_not_come_for_weeks_is_new(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES);
	note_range(&seen, 0, 100, START, &budget);
	/* Others come meanwhile, every day. */
	for (uint32_t day = 1; day <= 2 * 7; day++)
		note_range(&seen, 1000, 10, START + day * (WEEK / 7), &budget);
	assert_int_equal(note_range(&seen, 50, 50, START + 2 * WEEK, &budget), 50);
	for (uint32_t day = 2 * 7; day <= 6 * 7; day++)
		note_range(&seen, 1000, 10, START + day * (WEEK / 7), &budget);
	assert_true(note_range(&seen, 0, 50, START + 6 * WEEK, &budget) < 3);
	seen_sources_done(&seen, &budget);
}

/* A flood of sources: the filters turn over instead of filling up, so that others still look new. */
static void a_flood_does_not_make_everybody_known(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES / 4);
	note_range(&seen, 0, 1000000, START, &budget);
	assert_true(note_range(&seen, 2000000, 1000, START, &budget) < 350);
	seen_sources_done(&seen, &budget);
}

static void without_memory_all_are_new(void **state)
{
	struct memory_budget budget = { .max_bytes = 100 };
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES);
	assert_false(seen_sources_note(&seen, hash_of(1), START, &budget));
	assert_false(seen_sources_note(&seen, hash_of(1), START, &budget));
	assert_int_equal(budget.used_bytes, 0);
	seen_sources_done(&seen, &budget);
}

static void a_clock_that_goes_back_does_no_harm(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen;
	(void)state;
	seen_sources_init(&seen, BYTES);
	note_range(&seen, 0, 100, START, &budget);
	assert_int_equal(note_range(&seen, 0, 100, START - 100 * WEEK, &budget), 100);
	seen_sources_done(&seen, &budget);
}

static void it_is_read_as_it_was_written(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen, read, smaller;
	struct byte_writer writer = { 0 };
	(void)state;
	seen_sources_init(&seen, BYTES);
	seen_sources_init(&read, BYTES);
	seen_sources_init(&smaller, BYTES / 4);
	note_range(&seen, 0, 1000, START, &budget);
	seen_sources_write(&seen, &writer);
	struct byte_reader reader = fixture_reader(&writer);
	seen_sources_read(&read, &reader, &budget);
	assert_false(reader.has_failed);
	assert_int_equal(note_range(&read, 0, 1000, START + 1, &budget), 1000);
	/* A ceiling that was changed: what was seen is forgotten, and nothing else is lost. */
	reader = fixture_reader(&writer);
	seen_sources_read(&smaller, &reader, &budget);
	assert_false(reader.has_failed);
	assert_int_equal(reader.left.len, 0);
	assert_true(note_range(&smaller, 0, 1000, START + 1, &budget) < 10);
	seen_sources_done(&seen, &budget);
	seen_sources_done(&read, &budget);
	seen_sources_done(&smaller, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

static void nonsense_is_refused(void **state)
{
	struct memory_budget budget = fixture_budget();
	struct seen_sources seen, read;
	struct byte_writer writer = { 0 };
	(void)state;
	seen_sources_init(&seen, 1024);
	note_range(&seen, 0, 10, START, &budget);
	seen_sources_write(&seen, &writer);
	for (size_t len = 0; len < writer.len; len++) {
		struct byte_reader reader = { .left = { (const char *)writer.bytes, len } };
		seen_sources_init(&read, 1024);
		seen_sources_read(&read, &reader, &budget);
		assert_true(reader.has_failed);
		seen_sources_done(&read, &budget);
	}
	/* What stands before the filters: is_there, bit_count, set_count, begun_s, newest. */
	for (size_t i = 1; i < 1 + 8 + 8 + 8 + 4; i++) {
		struct byte_reader reader = fixture_reader(&writer);
		seen_sources_init(&read, 1024);
		writer.bytes[i] ^= 0x81;
		seen_sources_read(&read, &reader, &budget);
		note_range(&read, 0, 100, START, &budget);
		writer.bytes[i] ^= 0x81;
		seen_sources_done(&read, &budget);
	}
	seen_sources_done(&seen, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_seen_is_known),
		cmocka_unit_test(what_comes_each_week_stays_known),
		cmocka_unit_test(what_has_not_come_for_weeks_is_new),
		cmocka_unit_test(a_flood_does_not_make_everybody_known),
		cmocka_unit_test(without_memory_all_are_new),
		cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
		cmocka_unit_test(it_is_read_as_it_was_written),
		cmocka_unit_test(nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
