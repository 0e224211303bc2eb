/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char seen[4096];

static void note(void *owner, const struct server_event *event)
{
	(void)owner;
	assert_int_equal(event->data.data[event->data.len], '\0');
	size_t len = strlen(seen);
	snprintf(seen + len, sizeof(seen) - len, "%s|%s|%s;", event->kind, event->id, event->data.data);
}

/* What comes of the text, whatever pieces it comes in. */
static void assert_events(const char *text, const char *expected)
{
	size_t len = strlen(text);
	for (size_t piece = 1; piece <= len; piece++) {
		struct event_reader reader = { .on_event = note };
		seen[0] = '\0';
		for (size_t at = 0; at < len; at += piece)
			assert_true(event_reader_take(&reader,
						      (struct span){ text + at, len - at < piece ? len - at : piece }));
		assert_string_equal(seen, expected);
		event_reader_done(&reader);
	}
}

static void events_end_with_an_empty_line(void **state)
{
	(void)state;
	assert_events("event: tick\ndata: {}\n\n", "tick||{};");
	assert_events("event: change\nid: 7\ndata: {\"a\":1}\n\nevent: tick\ndata: {}\n\n",
		      "change|7|{\"a\":1};tick|7|{};");
	assert_events("data: x\n", "");
	assert_events("data: x\r\n\r\n", "message||x;");
}

static void what_the_specification_says_of_fields(void **state)
{
	(void)state;
	assert_events("data: a\ndata: b\n\n", "message||a\nb;");
	assert_events("data:a\ndata:  b\n\n", "message||a\n b;");
	assert_events("data\n\n", "message||;");
	assert_events("data\ndata\n\n", "message||\n;");
	assert_events(": comment\n\nretry: 2000\n\nevent: x\n\ndata: y\n\n", "message||y;");
	assert_events("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|1|a;message|1|b;message||c;");
	assert_events("unknown: 1\ndata: a:b\n\n", "message||a:b;");
}

static void lines_are_bounded(void **state)
{
	(void)state;
	static char block[1024 * 1024];
	struct event_reader reader = { .on_event = note };
	memset(block, 'x', sizeof(block));
	size_t taken = 0;
	while (event_reader_take(&reader, (struct span){ block, sizeof(block) }))
		taken += sizeof(block);
	assert_int_equal(taken, EVENT_READER_BYTES_MAX);
	event_reader_done(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_end_with_an_empty_line),
		cmocka_unit_test(what_the_specification_says_of_fields),
		cmocka_unit_test(lines_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
