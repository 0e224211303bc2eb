/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/byte_rate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define YEAR   (UINT64_C(365) * 86400 * SECOND)

static struct byte_rate rate_of(uint64_t bytes_per_s)
{
	return (struct byte_rate){ bytes_per_s };
}

/*
 * One who always has something to send, in pieces, from start_ns to end_ns, and who is woken late_ns after the line was
 * free for it.
 */
static uint64_t sent_until(struct byte_rate rate, uint64_t start_ns, uint64_t end_ns, uint32_t piece, uint64_t late_ns)
{
	uint64_t taken_until = 0;
	uint64_t sent = 0;
	uint64_t now_ns = start_ns;
	for (;;) {
		uint64_t open_ns = byte_rate_take(rate, &taken_until, now_ns, piece);
		if (open_ns > now_ns)
			now_ns = open_ns + late_ns;
		if (now_ns >= end_ns)
			return sent;
		sent += piece;
	}
}

static uint64_t sent_in_ten_seconds(struct byte_rate rate, uint64_t start_ns, uint32_t piece, uint64_t late_ns)
{
	return sent_until(rate, start_ns, start_ns + 10 * SECOND, piece, late_ns);
}

static void no_rate_is_no_limit(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	_Atomic uint64_t shared = 0;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(byte_rate_take(rate_of(0), &taken_until, 7, BYTE_RATE_BYTES_MAX), 7);
		assert_int_equal(byte_rate_take_shared(rate_of(0), &shared, 7, BYTE_RATE_BYTES_MAX), 7);
	}
	byte_rate_give_back(rate_of(0), &taken_until, 5);
	byte_rate_give_back_shared(rate_of(0), &shared, 5);
	assert_int_equal(taken_until, 0);
	assert_int_equal(shared, 0);
}

static void is_accurate_over_ten_seconds(void **state)
{
	(void)state;
	static const uint64_t rates[] = { 1000, 10000, 333333, 1000000, 125000000, 1250000000, 12500000000 };
	static const uint32_t pieces[] = { 64, 1000, 1448, 2048, 65507 };
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			/* Of the fastest, one second is enough pieces. */
			uint64_t seconds = rates[i] > 1000000000 ? 1 : 10;
			uint64_t due = rates[i] * seconds;
			uint64_t end_ns = SECOND + seconds * SECOND;
			uint64_t sent = sent_until(rate_of(rates[i]), SECOND, end_ns, pieces[j], 0);
			/* 100 Gbit/s in pieces of 64 bytes is rounded most. */
			uint64_t rounding = rates[i] > 1250000000 ? due / 150 : due / 1000;
			uint64_t burst = rates[i] * BYTE_RATE_BURST_MS / 1000;
			assert_in_range(sent, due - rounding, due + rounding + burst + pieces[j]);
		}
	}
}

static void late_timers_cost_nothing(void **state)
{
	(void)state;
	/* As late as a tick of the timer wheel and a busy machine make them. */
	static const uint64_t delays[] = { 1 * MS, 8 * MS, 20 * MS };
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		uint64_t sent = sent_in_ten_seconds(rate_of(1000000), SECOND, 1000, delays[i]);
		assert_in_range(sent, 9970000, 10026000);
	}
}

static void an_idle_line_makes_up_for_little(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	uint64_t sent = 0;
	byte_rate_take(rate_of(1000000), &taken_until, SECOND, 1000);
	while (byte_rate_take(rate_of(1000000), &taken_until, 3600 * SECOND, 1000) == 3600 * SECOND)
		sent += 1000;
	assert_int_equal(sent, 1000000 * BYTE_RATE_BURST_MS / 1000 + 1000);
}

static void those_who_wait_are_served_in_turn(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	uint64_t now_ns = SECOND;
	while (byte_rate_take(rate_of(1000000), &taken_until, now_ns, 1000) == now_ns)
		continue;
	/* The last one begins a millisecond after now; each of these one after the one before. */
	for (uint64_t i = 2; i < 100; i++)
		assert_int_equal(byte_rate_take(rate_of(1000000), &taken_until, now_ns, 1000), now_ns + i * MS);
}

static void what_is_given_back_is_free(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	_Atomic uint64_t shared = 0;
	struct byte_rate rate = rate_of(1000000);
	for (uint64_t now_ns = SECOND; now_ns < 2 * SECOND; now_ns += MS / 10) {
		/* A tenth of what is taken is used, all that may pass. */
		assert_int_equal(byte_rate_take(rate, &taken_until, now_ns, 1000), now_ns);
		byte_rate_give_back(rate, &taken_until, 900);
		assert_int_equal(byte_rate_take_shared(rate, &shared, now_ns, 1000), now_ns);
		byte_rate_give_back_shared(rate, &shared, 900);
	}
	uint64_t before = taken_until;
	byte_rate_take(rate, &taken_until, 2 * SECOND, 123);
	byte_rate_give_back(rate, &taken_until, 123);
	assert_in_range(taken_until, before, before);
}

static void nothing_takes_no_time_but_waits(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(byte_rate_take(rate_of(8000), &taken_until, SECOND, 0), SECOND);
	byte_rate_take(rate_of(8000), &taken_until, SECOND, 8000);
	assert_int_equal(byte_rate_take(rate_of(8000), &taken_until, SECOND, 0), 2 * SECOND - BYTE_RATE_BURST_MS * MS);
}

/* The number wraps around in the middle of the ten seconds. */
static void wrapping_around_changes_nothing(void **state)
{
	(void)state;
	uint64_t wrap_ns = UINT64_MAX / 16;
	struct byte_rate rate = rate_of(1000000);
	uint64_t taken_until = (wrap_ns - 5 * SECOND) * 16;
	uint64_t sent = 0;
	for (uint64_t now_ns = wrap_ns - 5 * SECOND; now_ns < wrap_ns + 5 * SECOND;) {
		uint64_t open_ns = byte_rate_take(rate, &taken_until, now_ns, 1000);
		if (open_ns > now_ns)
			now_ns = open_ns;
		sent += 1000;
	}
	assert_in_range(sent, 9990000, 10026000);
}

static void ten_years_of_uptime_are_no_harm(void **state)
{
	(void)state;
	assert_in_range(sent_in_ten_seconds(rate_of(1000000), 10 * YEAR, 1000, 0), 9990000, 10026000);
}

/* Another worker's clock may be a little behind; one that jumped ahead is only an idle time. */
static void steps_of_the_clock_are_no_harm(void **state)
{
	(void)state;
	struct byte_rate rate = rate_of(1000000);
	uint64_t taken_until = 0;
	assert_int_equal(byte_rate_take(rate, &taken_until, SECOND, 25000), SECOND);
	assert_int_equal(byte_rate_take(rate, &taken_until, SECOND - 5 * MS, 1000), SECOND);
	assert_int_equal(byte_rate_take(rate, &taken_until, 90 * SECOND, 26000), 90 * SECOND);
	assert_int_equal(byte_rate_take(rate, &taken_until, 90 * SECOND, 1000), 90 * SECOND + 1 * MS);
}

static void the_slowest_and_the_largest_fit(void **state)
{
	(void)state;
	uint64_t taken_until = 0;
	assert_int_equal(byte_rate_take(rate_of(1), &taken_until, SECOND, BYTE_RATE_BYTES_MAX), SECOND);
	assert_int_equal(byte_rate_take(rate_of(1), &taken_until, SECOND, BYTE_RATE_BYTES_MAX),
			 SECOND + BYTE_RATE_BYTES_MAX * SECOND - BYTE_RATE_BURST_MS * MS);
}

static void bytes_of_a_time(void **state)
{
	(void)state;
	assert_int_equal(byte_rate_bytes_in(rate_of(1000000), 1), 1000);
	assert_int_equal(byte_rate_bytes_in(rate_of(999), 1), 0);
	assert_int_equal(byte_rate_bytes_in(rate_of(1250000000), 10), 12500000);
	assert_int_equal(byte_rate_bytes_in(rate_of(0), 10), BYTE_RATE_BYTES_MAX);
	assert_int_equal(byte_rate_bytes_in(rate_of(UINT64_MAX), 1000), BYTE_RATE_BYTES_MAX);
}

struct worker {
	_Atomic uint64_t *taken_until;
	uint32_t piece;
	uint64_t sent;
};

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	for (uint64_t now_ns = SECOND; now_ns < 11 * SECOND;) {
		/* More is taken than used, as by connections that have less than their turn. */
		uint64_t open_ns = byte_rate_take_shared(rate_of(2000000), worker->taken_until, now_ns, worker->piece);
		byte_rate_give_back_shared(rate_of(2000000), worker->taken_until, worker->piece / 2);
		if (open_ns > now_ns)
			now_ns = open_ns;
		worker->sent += worker->piece - worker->piece / 2;
	}
	return NULL;
}

/* However the threads interleave, nothing that was taken or given back is lost. */
static void threads_share_a_line(void **state)
{
	(void)state;
	_Atomic uint64_t taken_until = 0;
	struct worker workers[2] = { { &taken_until, 2000, 0 }, { &taken_until, 3000, 0 } };
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_in_range(workers[0].sent + workers[1].sent, 19900000, 20060000);
	assert_true(workers[0].sent > 0 && workers[1].sent > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(is_accurate_over_ten_seconds),
		cmocka_unit_test(late_timers_cost_nothing),
		cmocka_unit_test(an_idle_line_makes_up_for_little),
		cmocka_unit_test(those_who_wait_are_served_in_turn),
		cmocka_unit_test(what_is_given_back_is_free),
		cmocka_unit_test(nothing_takes_no_time_but_waits),
		cmocka_unit_test(wrapping_around_changes_nothing),
		cmocka_unit_test(ten_years_of_uptime_are_no_harm),
		cmocka_unit_test(steps_of_the_clock_are_no_harm),
		cmocka_unit_test(the_slowest_and_the_largest_fit),
		cmocka_unit_test(bytes_of_a_time),
		cmocka_unit_test(threads_share_a_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
