/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_model.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct top_model model;

static int end(void **state)
{
	(void)state;
	top_model_done(&model);
	return 0;
}

static void take(uint64_t now_ms, int uptime_s, int flows, int refused)
{
	json_t *status = json_pack("{s:i,s:[{s:s,s:i,s:i,s:{s:i}}],s:[{s:s,s:[{s:s,s:i}]}]}", "uptime_seconds",
				   uptime_s, "services", "name", "web", "flows_total", flows, "flows_active", 3000,
				   "refused", "limit_rate", refused, "pools", "name", "p", "servers", "name", "a",
				   "flows_total", 2 * flows);
	assert_non_null(status);
	top_model_take(&model, TOP_STATUS, status, now_ms);
}

static void assert_rate(double expected)
{
	assert_true(top_model_rate(&model.services, "web", "flows_total") == expected);
}

static void counters_become_rates(void **state)
{
	(void)state;
	char name[TOP_NAME_BYTES];
	json_t *pool = json_pack("{s:s}", "name", "p");
	json_t *server = json_pack("{s:s}", "name", "a");
	take(10000, 5, 100, 0);
	assert_rate(-1);
	assert_true(top_model_rate_sum(&model.services, "flows_total") == 0);
	take(12000, 7, 150, 8);
	assert_rate(25);
	assert_true(top_model_rate_sum(&model.services, "flows_total") == 25);
	assert_true(top_model_rate_in(&model.services, "web", "refused", "limit_rate") == 4);
	assert_true(top_model_rate_in(&model.services, "none", "refused", "limit_rate") == -1);
	assert_true(top_model_rate(&model.servers, top_model_server_name(pool, server, name), "flows_total") == 50);
	take(14000, 9, 150, 8);
	assert_rate(0);
	json_decref(pool);
	json_decref(server);
}

static void a_counter_that_falls_has_no_rate(void **state)
{
	(void)state;
	take(1000, 5, 100, 0);
	take(2000, 6, 40, 0);
	assert_rate(-1);
	take(3000, 7, 50, 0);
	assert_rate(10);
}

/* Also where the new counter has passed the old one already. */
static void a_daemon_that_was_started_anew_has_none(void **state)
{
	(void)state;
	take(1000, 500, 100, 0);
	take(2000, 501, 110, 0);
	take(9000, 2, 1000, 0);
	assert_rate(-1);
	take(10000, 3, 1007, 0);
	assert_rate(7);
}

static void problems_come_and_go(void **state)
{
	(void)state;
	take(1000, 1, 1, 1);
	top_model_note_problem(&model, "Connection refused");
	assert_string_equal(model.problem, "Connection refused");
	assert_int_equal(model.answered_ms, 1000);
	assert_non_null(model.documents[TOP_STATUS]);
	take(5000, 1, 1, 1);
	assert_string_equal(model.problem, "");
	assert_int_equal(model.answered_ms, 5000);
}

static void assert_path(enum top_document which, const char *filter, const char *expected)
{
	char path[TOP_PATH_BYTES];
	assert_string_equal(top_model_path(&model, which, filter, path), expected);
}

static void paths_ask_for_what_is_wanted(void **state)
{
	(void)state;
	assert_path(TOP_STATUS, "x", "/v1/status");
	assert_path(TOP_HISTORY, "x", "/v1/history?limit=1000");
	assert_path(TOP_TRENDS, "x", "/v1/trends?window=1m&limit=20");
	assert_path(TOP_FLOWS, "web", "/v1/flows?limit=2000"); /* how many there are is not known */
	take(1000, 1, 1, 1);                                   /* 3,000 */
	assert_path(TOP_FLOWS, "", "/v1/flows?limit=2000");
	assert_path(TOP_FLOWS, "web", "/v1/flows?limit=2000&service=web");
	assert_path(TOP_FLOWS, "we", "/v1/flows?limit=2000");
	assert_path(TOP_FLOWS, "10.0.0.7", "/v1/flows?limit=2000&client=10.0.0.7");
	assert_path(TOP_FLOWS, "fd00::7", "/v1/flows?limit=2000&client=fd00::7");
	assert_path(TOP_FLOWS, "a&b=c", "/v1/flows?limit=2000");
}

static void strange_documents_do_no_harm(void **state)
{
	(void)state;
	static const char *const documents[] = { "{}", "{\"services\":1,\"pools\":[1,{\"servers\":2}],\"flows\":[3]}",
						 "{\"services\":[{\"name\":7},{}],\"uptime_seconds\":\"x\"}" };
	for (int i = 0; i < 6; i++)
		for (int which = 0; which < TOP_DOCUMENT_COUNT; which++)
			top_model_take(&model, (enum top_document)which, json_loads(documents[i % 3], 0, NULL), 1);
	assert_rate(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(counters_become_rates, end),
		cmocka_unit_test_teardown(a_counter_that_falls_has_no_rate, end),
		cmocka_unit_test_teardown(a_daemon_that_was_started_anew_has_none, end),
		cmocka_unit_test_teardown(problems_come_and_go, end),
		cmocka_unit_test_teardown(paths_ask_for_what_is_wanted, end),
		cmocka_unit_test_teardown(strange_documents_do_no_harm, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
