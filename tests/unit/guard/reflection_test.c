/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/reflection.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct endpoint endpoint(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return endpoint_from_addr(&addr);
}

static bool is_suspect(const struct reflection *reflection, const char *text)
{
	struct endpoint client = endpoint(text);
	return reflection_is_suspect(reflection, &client);
}

static void own_listeners_are_suspect(void **state)
{
	(void)state;
	struct endpoint own[] = { endpoint("192.0.2.1:53"), endpoint("[2001:db8::1]:53"), endpoint("127.0.0.1:53") };
	struct reflection *reflection = reflection_new(own, 3);
	assert_true(is_suspect(reflection, "192.0.2.1:53"));
	assert_true(is_suspect(reflection, "[2001:db8::1]:53"));
	assert_true(is_suspect(reflection, "127.0.0.1:53"));
	assert_false(is_suspect(reflection, "192.0.2.1:5353"));
	assert_false(is_suspect(reflection, "192.0.2.2:53"));
	reflection_free(&reflection);
}

static void services_that_answer_anything_are_suspect(void **state)
{
	(void)state;
	struct reflection *reflection = reflection_new(NULL, 0);
	assert_true(is_suspect(reflection, "192.0.2.1:7"));
	assert_true(is_suspect(reflection, "[2001:db8::1]:19"));
	assert_false(is_suspect(reflection, "192.0.2.1:53"));
	assert_false(is_suspect(reflection, "192.0.2.1:123"));
	reflection_free(&reflection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_listeners_are_suspect),
		cmocka_unit_test(services_that_answer_anything_are_suspect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
