/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/server_trend.h"

#include "stats/trend_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { START = 7200 * 100000, DAY = 24 * 3600 };

static const struct server_counts none;

static struct server_counts counts_of(uint64_t flows)
{
	return (struct server_counts){ flows, 10 * flows, 20 * flows, flows / 2 };
}

/* One flow a second. */
static void live(struct server_trend *trend, uint64_t first_s, uint64_t count_s, uint64_t first_flows)
{
	for (uint64_t i = 0; i < count_s; i += 15) {
		struct server_counts counts = counts_of(first_flows + i);
		server_trend_advance(trend, first_s + i, &counts);
	}
}

static uint64_t flows_in(const struct server_trend *trend, enum trend_window window, uint64_t now_s, uint64_t flows)
{
	struct server_counts counts = counts_of(flows);
	return server_trend_read(trend, window, now_s, &counts).flows;
}

static void windows_hold_what_came_lately(void **state)
{
	struct server_trend trend;
	(void)state;
	server_trend_init(&trend, START, &none);
	live(&trend, START, 2 * DAY, 0);
	uint64_t now_s = START + 2 * DAY - 1;
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		uint64_t seconds = trend_window_seconds(window);
		uint64_t flows = flows_in(&trend, window, now_s, now_s - START);
		assert_true(flows <= seconds && flows + trend_window_shape(window).step_s + 15 >= seconds);
	}
	struct server_counts counts = counts_of(now_s - START);
	struct server_counts minute = server_trend_read(&trend, TREND_1M, now_s, &counts);
	assert_int_equal(minute.bytes_in, 10 * minute.flows);
	assert_int_equal(minute.bytes_out, 20 * minute.flows);
}

static void a_young_one_tells_all_it_had(void **state)
{
	struct server_trend trend;
	(void)state;
	server_trend_init(&trend, START + 7, &none);
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		assert_int_equal(flows_in(&trend, window, START + 9, 5), 5);
	/* And nothing when all of it is long ago. */
	struct server_counts counts = counts_of(5);
	server_trend_advance(&trend, START + 2 * DAY, &counts);
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		assert_int_equal(flows_in(&trend, window, START + 2 * DAY, 5), 0);
}

static void it_goes_on_with_counters_that_begin_anew(void **state)
{
	struct server_trend trend, read;
	struct byte_writer writer = { 0 };
	(void)state;
	server_trend_init(&trend, START, &none);
	live(&trend, START, 1800, 1000);
	struct server_counts counts = counts_of(1000 + 1799);
	server_trend_write(&trend, &counts, &writer);
	struct byte_reader reader = fixture_reader(&writer);
	server_trend_read_in(&read, START + DAY + 1800, DAY - 1000, &reader);
	assert_false(reader.has_failed);
	/* The clock of the new process: it is a thousand seconds later, and three flows came. */
	uint64_t before = flows_in(&trend, TREND_24H, START + 1799, 1000 + 1799);
	server_trend_init(&trend, START, &none);
	reader = fixture_reader(&writer);
	server_trend_read_in(&read, START + 2800, 1000, &reader);
	assert_int_equal(flows_in(&read, TREND_24H, START + 2800, 3), before + 3);
	assert_true(flows_in(&read, TREND_1H, START + 2800, 3) > 1000);
	counts = counts_of(3);
	server_trend_advance(&read, START + 2800, &counts);
	assert_int_equal(flows_in(&read, TREND_1M, START + 2800, 3), 0);
	for (size_t len = 0; len < writer.len; len++) {
		reader = (struct byte_reader){ .left = { (const char *)writer.bytes, len } };
		server_trend_read_in(&read, START, 0, &reader);
		assert_true(reader.has_failed);
	}
	for (size_t i = 0; i < writer.len; i++) {
		writer.bytes[i] ^= 0x80;
		reader = fixture_reader(&writer);
		server_trend_read_in(&read, START, 0, &reader);
		server_trend_advance(&read, START + 100, &counts);
		writer.bytes[i] ^= 0x80;
	}
	byte_writer_done(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_hold_what_came_lately),
		cmocka_unit_test(a_young_one_tells_all_it_had),
		cmocka_unit_test(it_goes_on_with_counters_that_begin_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
