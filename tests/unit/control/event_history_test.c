/* SPDX-License-Identifier: Apache-2.0 */
#include "control/event_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t add(struct event_history *history, const char *record)
{
	return event_history_add(history, span_from_text(record));
}

static void assert_record(const struct event_history *history, uint64_t id, const char *record)
{
	assert_true(span_equals(event_history_record(history, id), record));
}

static void it_begins_empty(void **state)
{
	(void)state;
	struct event_history *history = event_history_new(4, 100);
	assert_int_equal(event_history_first(history), 1);
	assert_int_equal(event_history_last(history), 0);
	event_history_free(&history);
	assert_null(history);
	event_history_free(&history);
}

static void numbers_rise_from_one(void **state)
{
	(void)state;
	struct event_history *history = event_history_new(4, 100);
	assert_int_equal(add(history, "{1}"), 1);
	assert_int_equal(add(history, "{2}"), 2);
	assert_int_equal(event_history_first(history), 1);
	assert_int_equal(event_history_last(history), 2);
	assert_record(history, 1, "{1}");
	assert_record(history, 2, "{2}");
	event_history_free(&history);
}

static void the_oldest_go_when_there_are_too_many(void **state)
{
	(void)state;
	struct event_history *history = event_history_new(4, 100);
	char record[8];
	for (int i = 1; i <= 11; i++) {
		snprintf(record, sizeof(record), "{%d}", i);
		assert_int_equal(add(history, record), i);
	}
	assert_int_equal(event_history_first(history), 8);
	assert_int_equal(event_history_last(history), 11);
	assert_record(history, 8, "{8}");
	assert_record(history, 11, "{11}");
	event_history_free(&history);
}

static void the_oldest_go_when_they_are_too_long(void **state)
{
	(void)state;
	struct event_history *history = event_history_new(100, 10);
	add(history, "{1}");
	add(history, "{2}");
	add(history, "{3}");
	assert_int_equal(event_history_first(history), 1);
	add(history, "{4}");
	assert_int_equal(event_history_first(history), 2);
	add(history, "{12345678}");
	assert_int_equal(event_history_first(history), 5);
	assert_record(history, 5, "{12345678}");
	add(history, "{6}");
	assert_int_equal(event_history_first(history), 6);
	event_history_free(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_empty),
		cmocka_unit_test(numbers_rise_from_one),
		cmocka_unit_test(the_oldest_go_when_there_are_too_many),
		cmocka_unit_test(the_oldest_go_when_they_are_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
