/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch has met is what the next run of the pump answers with, though the sockets do not tell it again. */
#include "relay/tcp_pump.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROOM = 100 };

static struct relay relay;

/* It may be read and written; what a batch did is told, no call is made. */
static struct tcp_side resting(void)
{
	return (struct tcp_side){ .source = { .fd = -1 }, .is_readable = true, .is_writable = true };
}

static void a_reset_met_by_a_batch_is_not_forgotten(void **state)
{
	struct tcp_side from = resting(), to = resting();
	bool moved = false;
	(void)state;
	tcp_pump_note_received(&from, &to, -ECONNRESET, ROOM, &moved);
	assert_false(moved);
	assert_false(from.is_readable);
	assert_int_equal(tcp_pump_run(&relay, &from, &to, &moved), TCP_PUMP_SOURCE_RESET);
}

static void nothing_there_is_no_reset(void **state)
{
	struct tcp_side from = resting(), to = resting();
	bool moved = false;
	(void)state;
	tcp_pump_note_received(&from, &to, -EAGAIN, ROOM, &moved);
	assert_int_equal(tcp_pump_run(&relay, &from, &to, &moved), TCP_PUMP_WAIT);
	assert_false(moved);
}

static void a_sink_that_broke_in_a_batch_is_not_forgotten(void **state)
{
	static const uint8_t bytes[] = "x";
	struct tcp_side from = resting(), to = resting();
	bool moved = false;
	(void)state;
	tcp_pump_note_received(&from, &to, 1, ROOM, &moved);
	assert_true(moved);
	assert_int_equal(from.bytes_read, 1);
	tcp_pump_note_sent(&relay, &to, bytes, 1, -EPIPE);
	assert_int_equal(tcp_pump_run(&relay, &from, &to, &moved), TCP_PUMP_SINK_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_met_by_a_batch_is_not_forgotten),
		cmocka_unit_test(nothing_there_is_no_reset),
		cmocka_unit_test(a_sink_that_broke_in_a_batch_is_not_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
