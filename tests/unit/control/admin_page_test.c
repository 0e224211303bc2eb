/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_page.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct admin_answer answer;

static int tear_down(void **state)
{
	(void)state;
	free(answer.body);
	answer = (struct admin_answer){ 0 };
	return 0;
}

static void ask(const char *path, const char *accept_encoding, const char *if_none_match)
{
	struct admin_request request = {
		.method = "GET", .path = path, .accept_encoding = accept_encoding, .if_none_match = if_none_match
	};
	free(answer.body);
	admin_page_answer(&request, &answer);
}

static void only_the_page_is_public(void **state)
{
	(void)state;
	assert_true(admin_page_is_public("/"));
	assert_true(admin_page_is_public("/assets/main-X.js"));
	static const char *const paths[] = { "",        "/v1",       "/v1/status",      "//",
					     "/assets", "/Assets/x", "/v1/../assets/x", "/openapi.json",
					     "/metrics" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_false(admin_page_is_public(paths[i]));
}

static void gzip_is_sent_to_those_who_take_it(void **state)
{
	(void)state;
	static const char *const takers[] = { "gzip",   "GZIP",    "br, gzip", "gzip;q=0.5", "deflate ,gzip ; q=1",
					      "x-gzip", "br,,gzip" };
	static const char *const others[] = { "",         "br",      "gzip;q=0", "gzip;q=0.0",
					      "identity", "gzipped", "a gzip",   "*;q=0" };
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		assert_true(admin_page_accepts_gzip(takers[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(admin_page_accepts_gzip(others[i]));
	assert_false(admin_page_accepts_gzip(NULL));
}

static void tags_are_compared(void **state)
{
	(void)state;
	assert_true(admin_page_matches("\"a\"", "\"a\""));
	assert_true(admin_page_matches("\"b\", W/\"a\"", "\"a\""));
	assert_true(admin_page_matches("*", "\"a\""));
	assert_false(admin_page_matches("\"b\"", "\"a\""));
	assert_false(admin_page_matches("a", "\"a\""));
	assert_false(admin_page_matches("", "\"a\""));
	assert_false(admin_page_matches(NULL, "\"a\""));
}

/* Holds in both builds, with and without the page. */
static void the_root_always_answers(void **state)
{
	(void)state;
	ask("/", NULL, NULL);
	assert_int_equal(answer.status, ADMIN_OK);
	if (admin_page_file_count == 0) {
		assert_non_null(strstr(answer.type, "text/plain"));
		assert_non_null(memmem(answer.body, answer.body_bytes, "/v1", 3));
		return;
	}
	assert_string_equal(answer.type, "text/html; charset=utf-8");
	assert_string_equal(answer.cache_control, "no-cache");
	assert_non_null(strstr(answer.content_security_policy, "default-src 'none'"));
	assert_null(answer.content_encoding);
}

static void every_file_is_found_and_remembered(void **state)
{
	(void)state;
	for (size_t i = 0; i < admin_page_file_count; i++) {
		const struct admin_page_file *file = &admin_page_files[i];
		ask(file->path, NULL, NULL);
		assert_int_equal(answer.body_bytes, file->plain.len);
		assert_memory_equal(answer.body, file->plain.data, file->plain.len);
		ask(file->path, "gzip", NULL);
		assert_string_equal(answer.content_encoding, "gzip");
		assert_true(answer.body_bytes < file->plain.len + 32);
		ask(file->path, "gzip", file->etag);
		assert_int_equal(answer.status, ADMIN_NOT_MODIFIED);
		assert_int_equal(answer.body_bytes, 0);
	}
}

static void what_is_not_there_is_said_so(void **state)
{
	(void)state;
	static const char *const paths[] = { "/assets/", "/assets/none.js", "/assets/../../etc/passwd", "/index.html" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ask(paths[i], NULL, NULL);
		assert_int_equal(answer.status, ADMIN_NOT_FOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_page_is_public),
		cmocka_unit_test(gzip_is_sent_to_those_who_take_it),
		cmocka_unit_test(tags_are_compared),
		cmocka_unit_test_teardown(the_root_always_answers, tear_down),
		cmocka_unit_test_teardown(every_file_is_found_and_remembered, tear_down),
		cmocka_unit_test_teardown(what_is_not_there_is_said_so, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
