/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/source_trends.h"

#include "base/random.h"
#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { START = 7200 * 100000, DAY = 24 * 3600, SOURCES = 5000 };

static struct memory_budget budget;
static struct random chance;

static struct source_seen seen_of(uint32_t number, uint64_t now_s)
{
	struct source_seen seen = { .source = fixture_source(number), .now_realtime_s = (uint32_t)now_s };
	seen.hash = fixture_hash(&seen.source);
	return seen;
}

static void send_flow(struct source_trends *trends, uint32_t number, uint64_t now_s)
{
	struct source_totals totals = { .flows = 1, .bytes_in = 10, .bytes_out = 100 };
	struct source_seen seen = seen_of(number, now_s);
	struct talker *talker = source_trends_begin(trends, &seen, &budget);
	if (talker != NULL)
		talker->is_new = true;
	seen.bytes_in = 10;
	seen.bytes_out = 100;
	source_trends_end(trends, &seen, &budget);
	source_trends_add_totals(trends, &totals);
}

/* So many flows a second of anybody, and every fourth of source 0. */
static void live(struct source_trends *trends, uint64_t first_s, uint64_t seconds, uint32_t flows)
{
	for (uint64_t now_s = first_s; now_s < first_s + seconds; now_s++) {
		source_trends_advance(trends, now_s, FIXTURE_SECRET, &budget);
		for (uint32_t i = 0; i < flows; i++)
			send_flow(trends, i % 4 == 0 ? 0 : 1 + (uint32_t)random_below(&chance, SOURCES - 1), now_s);
	}
}

static int set_up(void **state)
{
	(void)state;
	budget = fixture_budget();
	random_init_seed(&chance, 11);
	return 0;
}

static void assert_about(uint64_t value, uint64_t truth, uint64_t percent)
{
	uint64_t distance = value > truth ? value - truth : truth - value;
	if (distance * 100 > truth * percent)
		fail_msg("%llu is not about %llu", (unsigned long long)value, (unsigned long long)truth);
}

static void the_top_of_many_is_found_in_all_windows(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct network first = fixture_source(0);
	(void)state;
	live(trends, START, 4000, 80);
	for (int window = TREND_1M; window <= TREND_24H; window++) {
		struct source_report report;
		source_trends_report(trends, window, START + 3999, FIXTURE_SECRET, &report);
		assert_true(report.is_whole);
		assert_int_equal(report.totals.flows, report.covered_s * 80 + 80);
		assert_true(source_equal(&report.lines[0].source, &first));
		/* Within 1 % of all flows. */
		uint64_t truth = report.totals.flows / 4;
		uint64_t flows = report.lines[0].flows;
		assert_true(flows >= truth && flows - truth <= report.totals.flows / 100);
		assert_about(report.lines[0].bytes_out, 100 * truth, 2);
		assert_about(report.lines[0].bytes_in, 10 * truth, 2);
		if (window >= TREND_10M)
			assert_about(report.unique, SOURCES, 3);
		for (uint32_t i = 1; i < report.line_count; i++)
			assert_true(report.lines[i].flows <= report.lines[i - 1].flows);
		source_report_done(&report);
	}
	source_trends_free(&trends, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void few_are_exact(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct source_report report;
	(void)state;
	for (uint64_t now_s = START; now_s < START + 600; now_s += 10) {
		source_trends_advance(trends, now_s, FIXTURE_SECRET, &budget);
		for (uint32_t number = 0; number < 5; number++)
			for (uint32_t i = 0; i <= number; i++)
				send_flow(trends, number, now_s);
	}
	source_trends_report(trends, TREND_10M, START + 599, FIXTURE_SECRET, &report);
	assert_int_equal(report.unique, 5);
	assert_int_equal(report.line_count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		struct network source = fixture_source(4 - i);
		assert_true(source_equal(&report.lines[i].source, &source));
		assert_int_equal(report.lines[i].flows, 60 * (5 - i));
		assert_int_equal(report.lines[i].error, 0);
		assert_int_equal(report.lines[i].bytes_in, 10 * 60 * (5 - i));
		assert_int_equal(report.lines[i].first_seen_s, START);
		assert_true(report.lines[i].is_new);
	}
	source_report_done(&report);
	source_trends_free(&trends, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void windows_forget(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct source_report report;
	(void)state;
	send_flow(trends, 1, START);
	for (int window = TREND_1M; window <= TREND_24H; window++) {
		uint64_t length_s = trend_window_seconds(window), step_s = trend_window_shape(window).step_s;
		source_trends_advance(trends, START + length_s - step_s, FIXTURE_SECRET, &budget);
		source_trends_report(trends, window, START + length_s - step_s, FIXTURE_SECRET, &report);
		assert_int_equal(report.line_count, 1);
		assert_int_equal(report.totals.flows, 1);
		source_report_done(&report);
		source_trends_advance(trends, START + length_s, FIXTURE_SECRET, &budget);
		source_trends_report(trends, window, START + length_s, FIXTURE_SECRET, &report);
		assert_int_equal(report.line_count, 0);
		assert_int_equal(report.totals.flows, 0);
		source_report_done(&report);
	}
	/* All that is left is what an empty one takes. */
	struct source_trends *empty = source_trends_new(START, &budget);
	uint64_t used_bytes = budget.used_bytes;
	source_trends_free(&trends, &budget);
	assert_int_equal(budget.used_bytes * 2, used_bytes);
	source_trends_free(&empty, &budget);
}

static void refusals_are_told_with_their_sources(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct source_report report;
	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		struct source_seen seen = seen_of(i % 3, START);
		struct source_totals totals = { .refused = 1 };
		source_trends_refuse(trends, &seen, &budget);
		source_trends_add_totals(trends, &totals);
	}
	send_flow(trends, 2, START);
	source_trends_report(trends, TREND_1M, START, FIXTURE_SECRET, &report);
	assert_int_equal(report.totals.refused, 30);
	assert_int_equal(report.unique, 3);
	assert_int_equal(report.line_count, 3);
	struct network both = fixture_source(2);
	assert_true(source_equal(&report.lines[0].source, &both));
	assert_int_equal(report.lines[0].flows, 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(report.lines[i].refused, 10);
	source_report_done(&report);
	source_trends_free(&trends, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

/* Sources without end, for two days. */
static void a_flood_stays_within_the_bound(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	uint32_t number = 0;
	(void)state;
	for (uint64_t now_s = START; now_s < START + 2 * DAY; now_s += 5) {
		source_trends_advance(trends, now_s, FIXTURE_SECRET, &budget);
		for (uint32_t i = 0; i < 60; i++) {
			struct source_seen seen = seen_of(number++, now_s);
			source_trends_begin(trends, &seen, &budget);
			source_trends_refuse(trends, &seen, &budget);
		}
		assert_true(budget.used_bytes <= SOURCE_TRENDS_BYTES_MAX);
	}
	source_trends_free(&trends, &budget);
	assert_int_equal(budget.used_bytes, 0);
}

static void without_memory_it_says_so(void **state)
{
	struct source_report report;
	(void)state;
	budget.max_bytes = 30000;
	struct source_trends *trends = source_trends_new(START, &budget);
	assert_non_null(trends);
	live(trends, START, 100, 100);
	assert_true(budget.used_bytes <= budget.max_bytes);
	source_trends_report(trends, TREND_1M, START + 99, FIXTURE_SECRET, &report);
	assert_false(report.is_whole);
	source_report_done(&report);
	source_trends_free(&trends, &budget);
	budget.max_bytes = 100;
	assert_null(source_trends_new(START, &budget));
	assert_int_equal(budget.used_bytes, 0);
}

static void it_goes_on_after_reading(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct byte_writer writer = { 0 };
	struct source_report before, after;
	(void)state;
	live(trends, START, 1000, 20);
	source_trends_write(trends, &writer);
	source_trends_advance(trends, START + 1060, FIXTURE_SECRET, &budget);
	source_trends_report(trends, TREND_24H, START + 1060, FIXTURE_SECRET, &before);
	struct byte_reader reader = fixture_reader(&writer);
	struct source_trends *read = source_trends_read_new(&reader, FIXTURE_SECRET, &budget);
	assert_non_null(read);
	assert_int_equal(reader.left.len, 0);
	/* The process was down for a minute. */
	source_trends_set_time(read, START + 1060, 60);
	source_trends_advance(read, START + 1060, FIXTURE_SECRET, &budget);
	source_trends_report(read, TREND_24H, START + 1060, FIXTURE_SECRET, &after);
	assert_int_equal(after.totals.flows, before.totals.flows);
	assert_int_equal(after.unique, before.unique);
	assert_int_equal(after.line_count, before.line_count);
	assert_int_equal(after.covered_s, before.covered_s);
	assert_int_equal(after.lines[0].flows, before.lines[0].flows);
	assert_int_equal(after.lines[0].bytes_in, before.lines[0].bytes_in);
	source_report_done(&after);
	/* The last minute was not. */
	source_trends_report(read, TREND_1M, START + 1060, FIXTURE_SECRET, &after);
	assert_int_equal(after.line_count, 0);
	source_report_done(&after);
	source_report_done(&before);
	source_trends_free(&read, &budget);
	source_trends_free(&trends, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

static void nonsense_is_refused(void **state)
{
	struct source_trends *trends = source_trends_new(START, &budget);
	struct byte_writer writer = { 0 };
	(void)state;
	live(trends, START, 40, 2);
	source_trends_write(trends, &writer);
	for (size_t len = 0; len < writer.len; len += 13) {
		struct byte_reader reader = { .left = { (const char *)writer.bytes, len } };
		assert_null(source_trends_read_new(&reader, FIXTURE_SECRET, &budget));
		assert_true(reader.has_failed);
	}
	for (size_t i = 0; i < writer.len; i += 3) {
		struct byte_reader reader = fixture_reader(&writer);
		struct source_report report;
		writer.bytes[i] ^= 0xc0;
		struct source_trends *read = source_trends_read_new(&reader, FIXTURE_SECRET, &budget);
		if (read != NULL) {
			source_trends_set_time(read, START + 100, 10);
			source_trends_advance(read, START + 200, FIXTURE_SECRET, &budget);
			source_trends_report(read, TREND_1H, START + 200, FIXTURE_SECRET, &report);
			source_report_done(&report);
		}
		source_trends_free(&read, &budget);
		writer.bytes[i] ^= 0xc0;
	}
	source_trends_free(&trends, &budget);
	byte_writer_done(&writer);
	assert_int_equal(budget.used_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_top_of_many_is_found_in_all_windows, set_up),
		cmocka_unit_test_setup(few_are_exact, set_up),
		cmocka_unit_test_setup(windows_forget, set_up),
		cmocka_unit_test_setup(refusals_are_told_with_their_sources, set_up),
		cmocka_unit_test_setup(a_flood_stays_within_the_bound, set_up),
		cmocka_unit_test_setup(without_memory_it_says_so, set_up),
		cmocka_unit_test_setup(it_goes_on_after_reading, set_up),
		cmocka_unit_test_setup(nonsense_is_refused, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
