/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/usual.h"

#include "base/random.h"
#include "stats/trend_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MINUTES_OF_HOUR = 60, MINUTES_OF_WEEK = USUAL_HOURS * MINUTES_OF_HOUR };

static const double floor_of_flows = 1;
static struct random noise;

static uint32_t hour_of(uint64_t minute)
{
	return (uint32_t)(minute / MINUTES_OF_HOUR % USUAL_HOURS);
}

/* From 0.8 to 1.2, now and then twice as much. */
static double noisy(double value)
{
	double factor = 0.8 + (double)random_below(&noise, 400) / 1000;
	return random_below(&noise, 100) == 0 ? 2 * value : factor * value;
}

/* Nights are quiet, weekends half as loud, and Monday 9:00 to 10:00 everybody comes. */
static double pattern(uint64_t minute)
{
	uint32_t hour = hour_of(minute);
	uint32_t of_day = hour % 24;
	uint32_t day = hour / 24;
	double value = of_day < 7 || of_day > 21 ? 5 : 40;
	if (day == 0 || day == 6)
		value /= 2;
	return day == 1 && of_day == 9 ? 200 : value;
}

/* Returns how many departures there were. */
static uint32_t live(struct usual *usual, uint64_t first_minute, uint64_t count)
{
	uint32_t departures = 0;
	for (uint64_t minute = first_minute; minute < first_minute + count; minute++)
		departures +=
			usual_note(usual, hour_of(minute), noisy(pattern(minute)), floor_of_flows) == USUAL_DEPARTURE;
	return departures;
}

static void a_weekly_pattern_is_learnt(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	random_init_seed(&noise, 1);
	live(&usual, 0, 3 * MINUTES_OF_WEEK);
	/* The loudest hour of the week is usual now, and so is every other. */
	assert_int_equal(live(&usual, 3 * MINUTES_OF_WEEK, 2 * MINUTES_OF_WEEK), 0);
	assert_int_equal(usual.last.basis, USUAL_HOUR);
	const struct usual_learnt *monday = &usual.hours[24 + 9];
	assert_true(monday->mean > 180 && monday->mean < 220);
	assert_true(usual.hours[24 + 3].mean > 4.5 && usual.hours[24 + 3].mean < 5.5);
	assert_true(usual.hours[9].mean > 18 && usual.hours[9].mean < 22);
	/* The same number is unusual on a Tuesday, and on a Monday it is unusual when nobody comes. */
	uint64_t tuesday = 5 * MINUTES_OF_WEEK + (2 * 24 + 9) * MINUTES_OF_HOUR;
	for (uint64_t i = 0; i + 1 < USUAL_MINUTES; i++)
		assert_int_equal(usual_note(&usual, hour_of(tuesday), 200, floor_of_flows), USUAL_SAME);
	assert_int_equal(usual_note(&usual, hour_of(tuesday), 200, floor_of_flows), USUAL_DEPARTURE);
	assert_true(usual.last.is_unusual);
	assert_int_equal(usual.last.hour, 2 * 24 + 9);
	assert_true(usual.last.usual > 36 && usual.last.usual < 46);
	assert_true(usual.last.samples >= USUAL_HOUR_SAMPLES_MIN);
}

static void noise_gives_no_alarm(void **state)
{
	(void)state;
	/* From nearly nothing to a lot, for a quarter of a year each. */
	for (uint32_t round = 0; round < 5; round++) {
		struct usual usual = { 0 };
		uint32_t departures = 0;
		double level = pow(10, (double)round - 2);
		random_init_seed(&noise, round);
		for (uint64_t minute = 0; minute < 13 * MINUTES_OF_WEEK; minute++) {
			/* Exponentially distributed: as rough as traffic that comes by itself is. */
			double uniform = ((double)random_below(&noise, 1000000) + 1) / 1000001;
			double value = level * (0.7 + 0.3 * -log(uniform));
			departures += usual_note(&usual, hour_of(minute), value, floor_of_flows) == USUAL_DEPARTURE;
		}
		assert_int_equal(departures, 0);
	}
}

static void nothing_is_said_before_a_day(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	for (uint64_t minute = 0; minute < USUAL_ALL_SAMPLES_MIN; minute++) {
		assert_int_equal(usual_note(&usual, hour_of(minute), minute % 2 == 0 ? 0 : 1000, floor_of_flows),
				 USUAL_SAME);
		assert_int_equal(usual.last.basis, USUAL_NOTHING);
		assert_true(usual.last.usual == 0);
	}
	usual_note(&usual, 0, 10, floor_of_flows);
	assert_int_equal(usual.last.basis, USUAL_ALL_HOURS);
}

/* The value so many times: nothing changes before the last of them. */
static void assert_change(struct usual *usual, double value, int times, enum usual_change expected)
{
	for (int i = 1; i < times; i++)
		assert_int_equal(usual_note(usual, 0, value, floor_of_flows), USUAL_SAME);
	assert_int_equal(usual_note(usual, 0, value, floor_of_flows), expected);
}

static void learn_about_ten(struct usual *usual)
{
	random_init_seed(&noise, 2);
	for (uint64_t minute = 0; minute < 3 * MINUTES_OF_WEEK; minute++)
		assert_int_equal(usual_note(usual, hour_of(minute), noisy(10), floor_of_flows), USUAL_SAME);
}

static void a_departure_is_told_and_its_end(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	learn_about_ten(&usual);
	assert_change(&usual, 500, USUAL_MINUTES, USUAL_DEPARTURE);
	assert_true(usual.last.is_unusual);
	assert_true(usual.last.now == 500);
	assert_true(usual.last.usual > 8 && usual.last.usual < 13);
	assert_int_equal(usual.last.basis, USUAL_HOUR);
	/* It goes on, with an interruption, and is told once. */
	assert_change(&usual, 10, 1, USUAL_SAME);
	assert_change(&usual, 500, 10, USUAL_SAME);
	assert_change(&usual, 10, USUAL_MINUTES - 1, USUAL_SAME);
	assert_true(usual.last.is_unusual);
	assert_change(&usual, 10, 1, USUAL_RETURN);
	assert_false(usual.last.is_unusual);
}

static void silence_is_a_departure(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	learn_about_ten(&usual);
	assert_change(&usual, 0, USUAL_MINUTES, USUAL_DEPARTURE);
	assert_change(&usual, 10, USUAL_MINUTES, USUAL_RETURN);
}

static void short_bursts_are_nothing(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	learn_about_ten(&usual);
	for (int i = 0; i < 20; i++) {
		assert_change(&usual, 500, USUAL_MINUTES - 1, USUAL_SAME);
		assert_change(&usual, 10, 1, USUAL_SAME);
	}
}

static void what_stays_becomes_usual(void **state)
{
	struct usual usual = { 0 };
	uint64_t minute = 0;
	uint32_t returns = 0;
	(void)state;
	random_init_seed(&noise, 3);
	for (; minute < 3 * MINUTES_OF_WEEK; minute++)
		usual_note(&usual, hour_of(minute), noisy(10), floor_of_flows);
	for (; minute < 13 * MINUTES_OF_WEEK; minute++)
		returns += usual_note(&usual, hour_of(minute), noisy(40), floor_of_flows) == USUAL_RETURN;
	assert_true(returns > 0);
	assert_false(usual.last.is_unusual);
	assert_true(usual.last.usual > 30);
}

static void small_numbers_are_never_unusual(void **state)
{
	struct usual usual = { 0 };
	(void)state;
	for (uint64_t minute = 0; minute < 2 * USUAL_ALL_SAMPLES_MIN; minute++)
		usual_note(&usual, hour_of(minute), 0, floor_of_flows);
	for (int i = 0; i < 100; i++)
		assert_int_equal(usual_note(&usual, 0, 0.9, floor_of_flows), USUAL_SAME);
}

static void it_is_read_as_it_was_written(void **state)
{
	struct usual usual = { 0 }, read;
	struct byte_writer writer = { 0 };
	(void)state;
	random_init_seed(&noise, 4);
	live(&usual, 0, 2 * MINUTES_OF_WEEK);
	usual_write(&usual, &writer);
	struct byte_reader reader = fixture_reader(&writer);
	usual_read(&read, &reader);
	assert_false(reader.has_failed);
	assert_memory_equal(read.hours, usual.hours, sizeof(usual.hours));
	assert_memory_equal(&read.all, &usual.all, sizeof(usual.all));
	assert_false(read.last.is_unusual);
	/* Neither what is no number nor what is negative is believed. */
	const float bad[] = { NAN, INFINITY, -1 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(writer.bytes + 50 * sizeof(struct usual_learnt), &bad[i], sizeof(bad[i]));
		reader = fixture_reader(&writer);
		usual_read(&read, &reader);
		assert_true(reader.has_failed);
		assert_int_equal(read.all.samples, 0);
	}
	byte_writer_done(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_weekly_pattern_is_learnt),   cmocka_unit_test(noise_gives_no_alarm),
		cmocka_unit_test(nothing_is_said_before_a_day), cmocka_unit_test(a_departure_is_told_and_its_end),
		cmocka_unit_test(silence_is_a_departure),       cmocka_unit_test(short_bursts_are_nothing),
		cmocka_unit_test(what_stays_becomes_usual),     cmocka_unit_test(small_numbers_are_never_unusual),
		cmocka_unit_test(it_is_read_as_it_was_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
