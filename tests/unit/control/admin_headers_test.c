/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_headers.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct admin_headers headers;

static void add(const char *name, const char *value)
{
	admin_headers_add(&headers, name, value);
}

/* The status it is refused with; 0: it is not. */
static int check(const char *target, const char *version)
{
	struct admin_answer answer = { 0 };
	bool is_sound = admin_headers_check(&headers, target, version, &answer);
	assert_true(is_sound == (answer.body == NULL));
	free(answer.body);
	return (int)answer.status;
}

static int set_up(void **state)
{
	(void)state;
	headers = (struct admin_headers){ 0 };
	return 0;
}

static void plain_requests_are_sound(void **state)
{
	(void)state;
	assert_int_equal(check("/", "HTTP/1.0"), 0);
	add("host", "localhost");
	add("Expect", "100-Continue");
	add("X-Other", "a");
	add("X-Other", "b");
	assert_int_equal(check("/v1/status?x", "HTTP/1.1"), 0);
	assert_string_equal(headers.values[ADMIN_HEADER_HOST], "localhost");
	assert_false(admin_headers_have_body(&headers));
}

static void other_protocols_and_targets_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check("/", "HTTP/1.1"), 400);
	add("Host", "localhost");
	assert_int_equal(check("/", "HTTP/1.2"), 400);
	assert_int_equal(check("/", "HTTP/2.0"), 400);
	assert_int_equal(check("/", ""), 400);
	assert_int_equal(check("", "HTTP/1.1"), 400);
	assert_int_equal(check("*", "HTTP/1.1"), 400);
	assert_int_equal(check("localhost:80", "HTTP/1.1"), 400);
	assert_int_equal(check("http://localhost/", "HTTP/1.1"), 400);
}

static void nothing_that_decides_is_given_twice(void **state)
{
	(void)state;
	static const char *const names[] = { "Host",           "Origin",         "Authorization",
					     "Content-Type",   "Content-Length", "Transfer-Encoding",
					     "Sec-Fetch-Site", "Expect" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		headers = (struct admin_headers){ 0 };
		add("Host", "localhost");
		add(names[i], "2");
		add(names[i], "2");
		assert_int_equal(check("/", "HTTP/1.1"), 400);
	}
}

static void names_are_tokens(void **state)
{
	(void)state;
	static const char *const names[] = { "Host ", "Content-Length ", "", "X\tY", "X(", "\xc3\xa9" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		headers = (struct admin_headers){ 0 };
		add("Host", "localhost");
		add(names[i], "z");
		assert_int_equal(check("/", "HTTP/1.1"), 400);
	}
}

static int check_body(const char *length, const char *coding, const char *version)
{
	headers = (struct admin_headers){ 0 };
	add("Host", "localhost");
	if (length != NULL)
		add("Content-Length", length);
	if (coding != NULL)
		add("Transfer-Encoding", coding);
	return check("/", version);
}

static void a_body_has_one_end(void **state)
{
	(void)state;
	assert_int_equal(check_body("2", NULL, "HTTP/1.1"), 0);
	assert_true(admin_headers_have_body(&headers));
	assert_int_equal(admin_headers_body_bytes(&headers), 2);
	assert_int_equal(check_body("0", NULL, "HTTP/1.1"), 0);
	assert_false(admin_headers_have_body(&headers));
	assert_int_equal(check_body(NULL, "Chunked", "HTTP/1.1"), 0);
	assert_true(admin_headers_have_body(&headers));
	assert_int_equal(check_body("2", "chunked", "HTTP/1.1"), 400);
	assert_int_equal(check_body(NULL, "chunked", "HTTP/1.0"), 400);
	assert_int_equal(check_body(NULL, "gzip, chunked", "HTTP/1.1"), 400);
	assert_int_equal(check_body(NULL, "identity", "HTTP/1.1"), 400);
	assert_int_equal(check_body("", NULL, "HTTP/1.1"), 400);
	assert_int_equal(check_body("+2", NULL, "HTTP/1.1"), 400);
	assert_int_equal(check_body("2, 2", NULL, "HTTP/1.1"), 400);
	assert_int_equal(check_body("0x2", NULL, "HTTP/1.1"), 400);
}

static void other_expectations_fail(void **state)
{
	(void)state;
	add("Host", "localhost");
	add("Expect", "a miracle");
	assert_int_equal(check("/", "HTTP/1.1"), 417);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain_requests_are_sound, set_up),
		cmocka_unit_test_setup(other_protocols_and_targets_are_refused, set_up),
		cmocka_unit_test_setup(nothing_that_decides_is_given_twice, set_up),
		cmocka_unit_test_setup(names_are_tokens, set_up),
		cmocka_unit_test_setup(a_body_has_one_end, set_up),
		cmocka_unit_test_setup(other_expectations_fail, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
