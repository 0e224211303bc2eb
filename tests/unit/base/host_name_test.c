/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *parse(const char *text)
{
	static char name[HOST_NAME_BYTES];
	const char *problem = NULL;
	if (host_name_parse(span_from_text(text), name, &problem) == 0)
		return name;
	assert_non_null(problem);
	return NULL;
}

static void names_are_taken_in_lower_case_without_the_last_dot(void **state)
{
	(void)state;
	assert_string_equal(parse("db"), "db");
	assert_string_equal(parse("DB.Example.COM."), "db.example.com");
	assert_string_equal(parse("_postgresql._tcp.example.com"), "_postgresql._tcp.example.com");
	assert_string_equal(parse("3com.2x"), "3com.2x");
	assert_string_equal(parse("1.2.3.4x"), "1.2.3.4x");
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "",         ".",          "..",   "a..b",         ".a",
					   "a.-b",     "a-.b",       "a b",  "a\xc3\xa4.de", "a*b",
					   "10.0.0.1", "10.0.0.256", "db.1", "db.1.",        "7",
					   "a/b" };
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(parse(bad[i]));
	const char *problem = NULL;
	char name[HOST_NAME_BYTES] = "unchanged";
	assert_int_equal(host_name_parse((struct span){ "a\0b", 3 }, name, &problem), -EINVAL);
	assert_string_equal(name, "unchanged");
}

static void lengths_are_those_of_the_standard(void **state)
{
	char text[300];
	(void)state;
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	assert_non_null(parse(text));
	text[63] = 'a';
	text[64] = '\0';
	assert_null(parse(text));
	memset(text, 'a', sizeof(text));
	for (size_t i = 49; i < sizeof(text); i += 50)
		text[i] = '.';
	text[253] = '\0';
	assert_int_equal(strlen(parse(text)), 253);
	text[253] = '.';
	text[254] = '\0';
	assert_int_equal(strlen(parse(text)), 253);
	text[253] = 'a';
	assert_null(parse(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_in_lower_case_without_the_last_dot),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(lengths_are_those_of_the_standard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
