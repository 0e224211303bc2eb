/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char log_path[] = "/tmp/strait-audit-XXXXXX";
static struct daemon daemon_state;
static struct admin_audit audit;

static int set_up(void **state)
{
	struct diagnostics diagnostics;
	const struct config_log *failed;
	char text[256];
	(void)state;
	strcpy(log_path + strlen(log_path) - 6, "XXXXXX");
	close(mkstemp(log_path));
	snprintf(text, sizeof(text),
		 "log file:%s format=json\nservice s {\n listen 127.0.0.1:8000\n to web\n}\n"
		 "pool web {\n check tcp\n server 10.0.0.1:80 name=a\n}\n",
		 log_path);
	diagnostics_init(&diagnostics);
	daemon_state = (struct daemon){ .loop.now_ms = 1000 };
	daemon_state.config = config_load_text("test", span_from_text(text), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(daemon_state.config);
	timer_wheel_init(&daemon_state.wheel, 1000);
	admin_audit_init(&audit, &daemon_state);
	return log_writer_new(daemon_state.config, &daemon_state.log, &failed);
}

static int tear_down(void **state)
{
	(void)state;
	config_free(&daemon_state.config);
	return unlink(log_path);
}

/* What has been written, after the end: an array of records. The log is gone then. */
static json_t *records(void)
{
	char line[16384];
	json_t *list = json_array();
	admin_audit_done(&audit);
	log_writer_stop(daemon_state.log);
	log_writer_free(&daemon_state.log);
	FILE *file = fopen(log_path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(record);
		json_array_append_new(list, record);
	}
	fclose(file);
	return list;
}

static const char *text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));
	return text != NULL ? text : "(none)";
}

static void write_one(const char *method, const char *path, const char *body, enum admin_status status)
{
	const struct admin_peer peer = { .text = "unix", .has_credentials = true, .uid = 7, .pid = 8 };
	const struct admin_answer answer = { .status = status };
	const struct admin_request request = {
		.method = method,
		.path = path,
		.peer = &peer,
		.body = { body, strlen(body) },
		.arguments = { { "flows", "close" }, { "x", "\"\n" } },
		.argument_count = 2,
	};
	admin_audit_write(&audit, &request, &answer);
}

static void a_change_is_told_with_who_and_what(void **state)
{
	(void)state;
	write_one("DELETE", "/v1/pools/web/servers/a", "{\"a\":1}", ADMIN_OK);
	json_t *list = records();
	assert_int_equal(json_array_size(list), 1);
	const json_t *record = json_array_get(list, 0);
	assert_string_equal(text_of(record, "event"), "audit");
	assert_string_equal(text_of(record, "method"), "DELETE");
	assert_string_equal(text_of(record, "path"), "/v1/pools/web/servers/a");
	assert_string_equal(text_of(record, "arguments"), "flows=close&x=\"\n");
	assert_string_equal(text_of(record, "change"), "{\"a\":1}");
	assert_string_equal(text_of(record, "peer"), "unix");
	assert_int_equal(json_integer_value(json_object_get(record, "uid")), 7);
	assert_int_equal(json_integer_value(json_object_get(record, "pid")), 8);
	assert_int_equal(json_integer_value(json_object_get(record, "status")), 200);
	json_decref(list);
}

static void reading_is_not_told_unless_by_a_stranger(void **state)
{
	(void)state;
	write_one("GET", "/v1/status", "", ADMIN_OK);
	write_one("HEAD", "/v1/status", "", ADMIN_NOT_FOUND);
	write_one("GET", "/v1/status", "", ADMIN_UNAUTHORIZED);
	write_one("GET", "/v1/status", "", ADMIN_FORBIDDEN);
	json_t *list = records();
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "status")), 401);
	assert_string_equal(text_of(json_array_get(list, 0), "arguments"), "");
	json_decref(list);
}

static void hostile_paths_forge_nothing(void **state)
{
	(void)state;
	static const char path[] = "/\"}\n{\"event\":\"audit\",\"status\":200}\xff\x1b[2J\\";
	write_one("POST", path, "", ADMIN_NOT_FOUND);
	json_t *list = records();
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "status")), 404);
	json_decref(list);
}

static void long_texts_are_cut(void **state)
{
	char path[8000], body[8000];
	(void)state;
	memset(path, '/', sizeof(path) - 1);
	memset(body, '"', sizeof(body) - 1);
	path[sizeof(path) - 1] = body[sizeof(body) - 1] = '\0';
	write_one("POST", path, body, ADMIN_OK);
	json_t *list = records();
	assert_int_equal(json_array_size(list), 1);
	assert_true(strlen(text_of(json_array_get(list, 0), "path")) < 600);
	assert_true(strlen(text_of(json_array_get(list, 0), "change")) < 600);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "status")), 200);
	json_decref(list);
}

static void a_flood_of_refused_requests_is_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		write_one("POST", "/v1/reload", "", ADMIN_FORBIDDEN);
	write_one("POST", "/v1/reload", "", ADMIN_OK);
	daemon_state.loop.now_ms += 1000;
	for (int i = 0; i < 10; i++)
		write_one("POST", "/v1/reload", "", ADMIN_UNAUTHORIZED);
	write_one("POST", "/v1/reload", "", ADMIN_CONFLICT);
	json_t *list = records();
	assert_int_equal(json_array_size(list), AUDIT_REFUSED_BURST + 1 + AUDIT_REFUSED_PER_SECOND + 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, AUDIT_REFUSED_BURST), "status")), 200);
	const json_t *last = json_array_get(list, json_array_size(list) - 1);
	assert_string_equal(text_of(last, "event"), "audit_suppressed");
	assert_int_equal(json_integer_value(json_object_get(last, "refused")), 1000 - AUDIT_REFUSED_BURST + 8);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_change_is_told_with_who_and_what, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reading_is_not_told_unless_by_a_stranger, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_paths_forge_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_texts_are_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_refused_requests_is_counted, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
