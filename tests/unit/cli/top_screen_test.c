/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_screen.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct top_model model;
static struct top_screen screen;
static char *picture; /* the last one */

static json_t *make_status(int flows, int uptime_s)
{
	json_t *status = json_pack("{s:s,s:s,s:i,s:i,s:b}", "version", "0.1.0", "phase", "running", "uptime_seconds",
				   uptime_s, "generation", 4, "is_degraded", 1);
	json_object_set_new(status, "services",
			    json_pack("[{s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:{s:i},s:[{s:s,s:s}]},{s:s,s:s,s:i}]", "name",
				      "web", "pool", "web", "flows_active", 12, "flows_total", flows, "bytes_in",
				      1024 * flows, "bytes_out", 2048 * flows, "refused_total", 3, "refused",
				      "limit_rate", 3, "listens", "protocol", "udp", "address", "127.0.0.1:53", "name",
				      "dns", "pool", "dns", "flows_total", 0));
	json_object_set_new(status, "pools",
			    json_pack("[{s:s,s:i,s:[{s:s,s:s,s:i,s:i,s:{s:b,s:s,s:i}},{s:s,s:s,s:i}]}]", "name", "web",
				      "available_count", 1, "servers", "name", "blue", "state", "down", "state_age_ms",
				      65000, "weight", 2, "last_check", "good", 0, "cause", "connection refused",
				      "age_ms", 500, "name", "green", "state", "up", "state_age_ms", 5000));
	return status;
}

static json_t *make_flow(const char *id, const char *client, int bytes, int age_ms)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i}", "id", id, "client", client, "service", "web", "pool",
			 "web", "server", "green", "protocol", "tcp", "bytes_in", bytes, "bytes_out", bytes,
			 "duration_ms", age_ms);
}

static void take_flows(int bytes, uint64_t now_ms)
{
	json_t *flows = json_pack("[o,o]", make_flow("1", "192.0.2.1:4000", 10, 90000),
				  make_flow("2", "192.0.2.2:5000", bytes, 1000));
	top_model_take(&model, TOP_FLOWS, json_pack("{s:i,s:b,s:o}", "matched_count", 2, "is_whole", 1, "flows", flows),
		       now_ms);
}

static int begin(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	top_screen_init(&screen, "unix:/run/x");
	top_model_take(&model, TOP_STATUS, make_status(100, 59), 1000);
	top_model_take(&model, TOP_STATUS, make_status(150, 60), 2000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	top_model_done(&model);
	free(picture);
	picture = NULL;
	return 0;
}

static void draw(int width, int height)
{
	struct canvas canvas;
	size_t bytes = 0;
	free(picture);
	FILE *out = open_memstream(&picture, &bytes);
	canvas_init(&canvas, width, height);
	top_screen_draw(&screen, &model, 2000, &canvas);
	canvas_print(&canvas, LOOK_COLOURLESS, out);
	canvas_done(&canvas);
	fclose(out);
}

static void assert_has(const char *part)
{
	if (strstr(picture, part) == NULL)
		fail_msg("\"%s\" is not in:\n%s", part, picture);
}

static void assert_lacks(const char *part)
{
	if (strstr(picture, part) != NULL)
		fail_msg("\"%s\" is in:\n%s", part, picture);
}

static void press(const char *keys)
{
	for (; *keys != '\0'; keys++)
		top_screen_press(&screen, *keys);
}

static void services_show_rates(void **state)
{
	(void)state;
	draw(130, 24);
	assert_has("strait 0.1.0  running 1m0s  generation 4  unix:/run/x");
	assert_has("DEGRADED");
	assert_has("12 active  50 flows/s  in 50.0KB/s  out 100.0KB/s  refused 0/s");
	assert_has("[services]");
	assert_has("web     udp 127.0.0.1:53 web    1/2     12      50  50.0K 100.0K         0    150       3\n");
	assert_has("1-2 of 2, by FLOWS/S");
}

static void servers_show_state_and_why(void **state)
{
	(void)state;
	press("p");
	draw(130, 24);
	assert_has("web  blue   -       down    1m5s      2");
	assert_has("connection refused, 0s ago");
	assert_has("web  green  -       up        5s");
}

static void flows_sort_by_bytes_and_by_age(void **state)
{
	(void)state;
	take_flows(100, 1000);
	take_flows(1124, 2000);
	press("f");
	draw(80, 24);
	assert_has("192.0.2.2:5000 web     web/green tcp       1s    2.0K   1.1K   1.1K   2.2K");
	assert_true(strstr(picture, "192.0.2.2") < strstr(picture, "192.0.2.1"));
	press("<<<<"); /* to the age */
	draw(80, 24);
	assert_has("by AGE");
	assert_true(strstr(picture, "192.0.2.2") > strstr(picture, "192.0.2.1"));
	press("o");
	draw(80, 24);
	assert_has("by AGE, reversed");
	assert_true(strstr(picture, "192.0.2.2") < strstr(picture, "192.0.2.1"));
}

static void more_flows_than_are_asked_for_are_told(void **state)
{
	(void)state;
	press("f");
	draw(80, 24);
	assert_has("asking ...");
	top_model_take(
		&model, TOP_FLOWS,
		json_pack("{s:i,s:[o]}", "matched_count", 50000, "flows", make_flow("1", "192.0.2.1:4000", 10, 1)),
		2000);
	draw(120, 24);
	assert_has("1 of 50.0k flows; / a service or address finds its own");
	top_model_take(&model, TOP_FLOWS, json_pack("{s:i,s:b,s:[]}", "matched_count", 0, "is_whole", 0, "flows"),
		       2000);
	draw(120, 24);
	assert_has("a worker did not answer: flows are missing");
	assert_has("no live flow");
}

static void talkers_are_shown_or_said_to_be_missing(void **state)
{
	(void)state;
	press("t");
	top_model_note_missing(&model, TOP_TRENDS);
	draw(80, 24);
	assert_has("this daemon does not watch who talks\n");
	top_model_take(&model, TOP_TRENDS,
		       json_pack("{s:i,s:[{s:s,s:[{s:s,s:i,s:i,s:f,s:b}]}]}", "window_seconds", 60, "services", "name",
				 "web", "top", "source", "192.0.2.7", "flows", 600, "bytes_in", 61440, "share", 0.251,
				 "is_new", 1),
		       2000);
	draw(80, 24);
	assert_has("192.0.2.7 web          10  25.1%   1.0K      0       0 new");
	assert_has("over the last minute");
}

static void events_are_newest_first(void **state)
{
	(void)state;
	press("e");
	top_model_take(&model, TOP_HISTORY,
		       json_pack("{s:[{s:i,s:s,s:s,s:s},{s:i,s:s,s:s,s:s}]}", "events", "id", 1, "ts",
				 "2026-11-23T06:29:19.266Z", "event", "started", "version", "0.1.0", "id", 2, "ts",
				 "2026-11-23T06:30:00.000Z", "event", "server_down", "cause", "no\x1b[2J answer"),
		       2000);
	draw(80, 24);
	assert_has("    2 06:30:00   server_down cause=\"no\\u001B[2J answer\"\n    1 06:29:19   started     "
		   "version=0.1.0\n");
}

static void refusals_say_why(void **state)
{
	(void)state;
	press("r");
	draw(130, 24);
	assert_has("web     limit_rate         0       3 new flows come faster than the service");
}

static void a_filter_is_typed_kept_and_cleared(void **state)
{
	(void)state;
	press("/dnq");
	assert_false(screen.is_over);
	draw(80, 24);
	assert_has("/dnq_  (Enter keeps, Esc clears)");
	assert_has("nothing has that text");
	top_screen_press(&screen, TOP_KEY_BACKSPACE);
	top_screen_press(&screen, TOP_KEY_ENTER);
	draw(80, 24);
	assert_has("1-1 of 1, by FLOWS/S");
	assert_has("/dn");
	assert_lacks("\nweb");
	top_screen_press(&screen, TOP_KEY_ESCAPE);
	draw(80, 24);
	assert_has("\nweb");
	press("/");
	top_screen_press(&screen, 0xe9);
	top_screen_press(&screen, 0x4e2d);
	top_screen_press(&screen, 0x1f600);
	top_screen_press(&screen, 0x1b5b);
	assert_string_equal(screen.filter, "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xe1\xad\x9b");
	for (int i = 0; i < 3; i++)
		top_screen_press(&screen, TOP_KEY_BACKSPACE);
	assert_string_equal(screen.filter, "\xc3\xa9");
	for (int i = 0; i < 300; i++)
		top_screen_press(&screen, 0x4e2d);
	assert_true(strlen(screen.filter) < TOP_FILTER_BYTES);
}

static void long_lists_scroll(void **state)
{
	(void)state;
	json_t *services = json_array();
	for (int i = 0; i < 1000; i++) {
		char name[16];
		snprintf(name, sizeof(name), "svc-%03d", i);
		json_array_append_new(services, json_pack("{s:s}", "name", name));
	}
	top_model_take(&model, TOP_STATUS, json_pack("{s:o}", "services", services), 3000);
	press("<<<<<"); /* by name */
	draw(80, 24);
	assert_has("by SERVICE");
	assert_has("1-19 of 1000");
	assert_has("\nsvc-000 ");
	top_screen_press(&screen, TOP_KEY_PAGE_DOWN);
	top_screen_press(&screen, TOP_KEY_DOWN);
	draw(80, 24);
	assert_has("21-39 of 1000");
	assert_has("\nsvc-020 ");
	top_screen_press(&screen, TOP_KEY_END);
	draw(80, 24);
	assert_has("982-1000 of 1000");
	top_screen_press(&screen, TOP_KEY_PAGE_UP);
	top_screen_press(&screen, TOP_KEY_UP);
	draw(80, 24);
	assert_has("962-980 of 1000");
	draw(80, 600);
	assert_has("406-1000 of 1000");
	top_screen_press(&screen, TOP_KEY_HOME);
	top_screen_press(&screen, TOP_KEY_UP);
	draw(80, top_screen_height_whole(&screen, &model));
	assert_has("1-1000 of 1000");
	assert_has("\nsvc-999 ");
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	top_model_note_problem(&model, "Connection refused");
	draw(80, 24);
	assert_has("no answer for 0s: Connection refused; asking again");
	model.problem[0] = '\0';
	model.answered_ms = 1;
	model.taken_ms[TOP_STATUS] = 1;
	press(" ");
	draw(80, 24);
	assert_has("PAUSED");
	press(" ");
	draw(80, 24);
	assert_lacks("PAUSED");
}

static void help_lists_all_keys(void **state)
{
	(void)state;
	press("?");
	draw(80, 24);
	assert_has("sort by another column");
	draw(40, 10);
	for (size_t i = 0; i < TOP_VIEW_COUNT; i++) {
		char key[] = { '\n', top_views[i]->key, ' ', '\0' };
		assert_has(key);
	}
	assert_has("quit");
	assert_has("PgUp/Dn");
	press("x");
	draw(80, 24);
	assert_has("[services]");
	press("?q");
	assert_true(screen.is_over);
}

static void every_size_holds_every_view(void **state)
{
	(void)state;
	take_flows(100, 1000);
	for (size_t view = 0; view < TOP_VIEW_COUNT; view++) {
		screen.view = view;
		for (int width = 1; width <= 300; width += width < 45 ? 1 : 37)
			for (int height = 1; height <= 80; height += height < 12 ? 1 : 23)
				draw(width, height);
	}
	press("?");
	for (int width = 1; width < 100; width++)
		for (int height = 1; height < 20; height++)
			draw(width, height);
}

static void hostile_names_stay_in_their_row(void **state)
{
	(void)state;
	json_t *status = make_status(1, 70);
	json_t *service = json_array_get(json_object_get(status, "services"), 0);
	json_object_set_new(service, "name",
			    json_string("\x1b]0;x\x07\r\n\xe2\x80\xae\xc2\x9b\xe4\xb8\xad\xcc\x81\xcc\x81\xcc\x81"));
	top_model_take(&model, TOP_STATUS, status, 4000);
	draw(80, 24);
	assert_null(strpbrk(picture, "\x1b\x07\r"));
	assert_has("\n?]0;x?????\xe4\xb8\xad\xcc\x81\xcc\x81? ");
	assert_lacks("\xc2\x9b");
	assert_lacks("\xe2\x80\xae");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(services_show_rates, begin, end),
		cmocka_unit_test_setup_teardown(servers_show_state_and_why, begin, end),
		cmocka_unit_test_setup_teardown(flows_sort_by_bytes_and_by_age, begin, end),
		cmocka_unit_test_setup_teardown(more_flows_than_are_asked_for_are_told, begin, end),
		cmocka_unit_test_setup_teardown(talkers_are_shown_or_said_to_be_missing, begin, end),
		cmocka_unit_test_setup_teardown(events_are_newest_first, begin, end),
		cmocka_unit_test_setup_teardown(refusals_say_why, begin, end),
		cmocka_unit_test_setup_teardown(a_filter_is_typed_kept_and_cleared, begin, end),
		cmocka_unit_test_setup_teardown(long_lists_scroll, begin, end),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, begin, end),
		cmocka_unit_test_setup_teardown(help_lists_all_keys, begin, end),
		cmocka_unit_test_setup_teardown(every_size_holds_every_view, begin, end),
		cmocka_unit_test_setup_teardown(hostile_names_stay_in_their_row, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
