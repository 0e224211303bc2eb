/* SPDX-License-Identifier: Apache-2.0 */
#include "control/event_stream.h"

#include "control/daemon.h"
#include "control/event_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_BYTES = 64 * 1024, TIMERS = 100 };

static const char configuration[] = "log stderr level=error\n"
				    "service web {\n listen 127.0.0.1:8000\n to web\n}\n"
				    "pool web {\n check none\n server 10.0.0.1:80 name=a\n}\n";

static struct daemon daemon_state;
static struct event_stream *events;
static char text[TEXT_BYTES];

static int set_up(void **state)
{
	struct diagnostics diagnostics;
	const struct config_log *failed;
	struct daemon *daemon = &daemon_state;
	(void)state;
	diagnostics_init(&diagnostics);
	*daemon = (struct daemon){ .phase = DAEMON_RUNNING };
	daemon->config = config_load_text("test", span_from_text(configuration), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(daemon->config);
	daemon->snapshot = snapshot_build(daemon->config, 1, 1, NULL);
	daemon->loop.now_ms = 1000;
	timer_wheel_init(&daemon->wheel, daemon->loop.now_ms);
	assert_int_equal(log_writer_new(daemon->config, &daemon->log, &failed), 0);
	events = event_stream_new(daemon);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(event_stream_counts(events).subscribers, 0);
	assert_int_equal(daemon_state.wheel.armed_count, 0);
	event_stream_free(&events);
	event_stream_free(&events);
	log_event(daemon_state.log, CONFIG_LEVEL_INFO, "nobody_is_told");
	log_writer_free(&daemon_state.log);
	snapshot_free(&daemon_state.snapshot);
	config_free(&daemon_state.config);
	return 0;
}

static void happen(int count)
{
	for (int i = 0; i < count; i++)
		log_event(daemon_state.log, CONFIG_LEVEL_INFO, "happened");
}

static void pass(uint64_t ms)
{
	daemon_state.loop.now_ms += ms;
	timer_wheel_advance(&daemon_state.wheel, daemon_state.loop.now_ms, TIMERS);
}

/* All that there is, at most so many bytes at a time, as a text that stays until the next. */
static const char *read_all(struct admin_stream *stream, size_t piece_bytes)
{
	size_t len = 0, bytes;
	while ((bytes = stream->kind->read(stream, text + len, piece_bytes)) > 0) {
		assert_true(bytes <= piece_bytes);
		len += bytes;
	}
	text[len] = '\0';
	return text;
}

static size_t count(const char *haystack, const char *needle)
{
	size_t found = 0;
	for (; (haystack = strstr(haystack, needle)) != NULL; haystack++)
		found++;
	return found;
}

static void a_stream_begins_with_a_full_tick(void **state)
{
	(void)state;
	struct admin_stream *stream = event_stream_subscribe(events, UINT64_MAX);
	assert_string_equal(read_all(stream, 4096), "retry: 2000\n\n");
	pass(10);
	const char *tick = read_all(stream, 4096);
	assert_int_equal(strncmp(tick, "event: tick\ndata: {\"ts\":", 24), 0);
	assert_non_null(strstr(tick, "\"is_full\":true"));
	assert_int_equal(strcmp(tick + strlen(tick) - 4, "]}\n\n"), 0);
	pass(500);
	assert_string_equal(read_all(stream, 4096), "");
	pass(600);
	assert_non_null(strstr(read_all(stream, 4096), "\"is_full\":false,\"services\":[],\"servers\":[]"));
	stream->kind->close(stream);
}

static void pieces_are_the_same_text(void **state)
{
	(void)state;
	char whole[TEXT_BYTES];
	struct admin_stream *one = event_stream_subscribe(events, 0);
	struct admin_stream *other = event_stream_subscribe(events, 0);
	happen(3);
	pass(10);
	strcpy(whole, read_all(one, sizeof(text) / 2));
	for (size_t piece = 1; piece < 40; piece += 7) {
		assert_string_equal(read_all(other, piece), whole);
		other->kind->close(other);
		other = event_stream_subscribe(events, 0);
		one->kind->close(one);
		one = event_stream_subscribe(events, 0);
		pass(200);
		strcpy(whole, read_all(one, sizeof(text) / 2));
	}
	one->kind->close(one);
	other->kind->close(other);
}

static void changes_come_in_order_and_before_ticks(void **state)
{
	(void)state;
	happen(2);
	struct admin_stream *stream = event_stream_subscribe(events, 1);
	pass(10);
	happen(1);
	const char *got = read_all(stream, 4096);
	const char *second = strstr(got, "event: change\nid: 2\ndata: {\"ts\":\"");
	const char *third = strstr(got, "event: change\nid: 3\n");
	assert_non_null(second);
	assert_non_null(third);
	assert_true(second < third && third < strstr(got, "event: tick"));
	assert_null(strstr(got, "id: 1\n"));
	happen(1);
	assert_int_equal(strncmp(read_all(stream, 4096), "event: change\nid: 4\n", 20), 0);
	stream->kind->close(stream);
}

static void where_a_stream_begins(void **state)
{
	(void)state;
	static const struct {
		uint64_t after;
		size_t count;
	} cases[] = { { 0, 5 }, { 1, 4 }, { 4, 1 }, { 5, 0 }, { 6, 5 }, { UINT64_MAX - 1, 5 }, { UINT64_MAX, 0 } };
	happen(5);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct admin_stream *stream = event_stream_subscribe(events, cases[i].after);
		assert_int_equal(count(read_all(stream, 4096), "event: change"), cases[i].count);
		stream->kind->close(stream);
	}
}

static void who_does_not_take_a_tick_gets_a_full_one_later(void **state)
{
	(void)state;
	struct admin_stream *slow = event_stream_subscribe(events, UINT64_MAX);
	struct admin_stream *quick = event_stream_subscribe(events, UINT64_MAX);
	pass(10);
	read_all(slow, 4096);
	read_all(quick, 4096);
	for (int i = 0; i < 5; i++) {
		pass(1100);
		assert_int_equal(count(read_all(quick, 4096), "event: tick"), 1);
	}
	assert_int_equal(event_stream_counts(events).skipped, 4);
	assert_non_null(strstr(read_all(slow, 4096), "\"is_full\":false"));
	pass(1100);
	assert_non_null(strstr(read_all(slow, 4096), "\"is_full\":true"));
	assert_non_null(strstr(read_all(quick, 4096), "\"is_full\":false"));
	pass(1100);
	assert_non_null(strstr(read_all(slow, 4096), "\"is_full\":false"));
	slow->kind->close(slow);
	read_all(quick, 4096);
	quick->kind->close(quick);
	assert_int_equal(event_stream_counts(events).cut, 0);
}

static void who_falls_behind_is_ended(void **state)
{
	(void)state;
	struct admin_stream *stream = event_stream_subscribe(events, UINT64_MAX);
	read_all(stream, 4096);
	happen(EVENT_HISTORY_COUNT_MAX);
	assert_int_equal(stream->kind->read(stream, text, 10), 10);
	happen(EVENT_HISTORY_COUNT_MAX + 1);
	/* What was begun is finished. */
	const char *rest = read_all(stream, 4096);
	assert_int_equal(count(rest, "\n\n"), 1);
	assert_true(stream->is_over);
	assert_int_equal(event_stream_counts(events).cut, 1);
	stream->kind->close(stream);
	assert_int_equal(event_stream_counts(events).cut, 1);
}

static void there_are_so_many_streams_and_no_more(void **state)
{
	(void)state;
	struct admin_stream *streams[EVENT_SUBSCRIBERS_MAX];
	for (size_t i = 0; i < EVENT_SUBSCRIBERS_MAX; i++) {
		streams[i] = event_stream_subscribe(events, 0);
		assert_non_null(streams[i]);
	}
	assert_null(event_stream_subscribe(events, 0));
	assert_int_equal(event_stream_counts(events).refused, 1);
	streams[3]->kind->close(streams[3]);
	streams[3] = event_stream_subscribe(events, 0);
	assert_non_null(streams[3]);
	for (size_t i = 0; i < EVENT_SUBSCRIBERS_MAX; i++)
		streams[i]->kind->close(streams[i]);
}

static void newcomers_do_not_make_ticks_come_faster_than_their_spacing(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct admin_stream *stream = event_stream_subscribe(events, 0);
		pass(5);
		stream->kind->close(stream);
	}
	uint64_t ticks = event_stream_counts(events).ticks;
	assert_true(ticks > 0 && ticks <= 1000 / EVENT_TICK_SPACING_MS + 1);
	/* And without anybody there are none. */
	pass(5000);
	assert_int_equal(event_stream_counts(events).ticks, ticks);
}

static void a_reload_does_not_wait_for_the_second(void **state)
{
	(void)state;
	struct admin_stream *stream = event_stream_subscribe(events, 0);
	pass(10);
	pass(200);
	read_all(stream, 4096);
	daemon_state.snapshot->generation++;
	happen(1);
	pass(10);
	const char *got = read_all(stream, 4096);
	assert_non_null(strstr(got, "\"generation\":2"));
	assert_non_null(strstr(got, "\"is_full\":true"));
	stream->kind->close(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stream_begins_with_a_full_tick, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pieces_are_the_same_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_come_in_order_and_before_ticks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_a_stream_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_does_not_take_a_tick_gets_a_full_one_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_falls_behind_is_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_are_so_many_streams_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(newcomers_do_not_make_ticks_come_faster_than_their_spacing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_reload_does_not_wait_for_the_second, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
