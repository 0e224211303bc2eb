/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_path.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];

static void fixed_paths_match_whole(void **state)
{
	(void)state;
	assert_true(admin_path_matches("/", "/", names));
	assert_true(admin_path_matches("/v1/status", "/v1/status", names));
	assert_true(admin_path_matches("/v1/status", "/v1/st%61tus", names));
	assert_false(admin_path_matches("/v1/status", "/v1/status/", names));
	assert_false(admin_path_matches("/v1/status", "/v1", names));
	assert_false(admin_path_matches("/v1/status", "/v1/statu", names));
	assert_false(admin_path_matches("/v1/status", "/v1/status2", names));
	assert_false(admin_path_matches("/v1/status", "/v1//status", names));
	assert_false(admin_path_matches("/v1/status", "v1/status", names));
	assert_false(admin_path_matches("/v1/status", "", names));
	assert_false(admin_path_matches("/", "//", names));
}

static void names_are_decoded(void **state)
{
	(void)state;
	assert_true(admin_path_matches("/v1/pools/{pool}/servers/{server}",
				       "/v1/pools/web/servers/unix%3A%2Frun%2fx.sock", names));
	assert_string_equal(names[0], "web");
	assert_string_equal(names[1], "unix:/run/x.sock");
	assert_false(admin_path_matches("/v1/pools/{pool}/servers/{server}", "/v1/pools/web/servers/", names));
	assert_false(admin_path_matches("/v1/pools/{pool}/servers/{server}", "/v1/pools//servers/a", names));
	assert_false(admin_path_matches("/v1/pools/{pool}", "/v1/pools/web/servers", names));
	assert_true(admin_path_matches("/v1/pools/{pool}", "/v1/pools/..", names));
	assert_string_equal(names[0], "..");
}

static void bad_names_fit_nothing(void **state)
{
	char path[ADMIN_NAME_BYTES + 16] = "/v1/pools/";
	(void)state;
	assert_false(admin_path_matches("/v1/pools/{pool}", "/v1/pools/a%00b", names));
	assert_false(admin_path_matches("/v1/pools/{pool}", "/v1/pools/a%", names));
	assert_false(admin_path_matches("/v1/pools/{pool}", "/v1/pools/a%2", names));
	assert_false(admin_path_matches("/v1/pools/{pool}", "/v1/pools/a%zz", names));
	memset(path + 10, 'x', ADMIN_NAME_BYTES - 1);
	assert_true(admin_path_matches("/v1/pools/{pool}", path, names));
	memset(path + 10, 'x', ADMIN_NAME_BYTES);
	assert_false(admin_path_matches("/v1/pools/{pool}", path, names));
}

static struct admin_request request;

static const char *read_arguments(char *query)
{
	request = (struct admin_request){ 0 };
	admin_path_read_arguments(query, &request);
	return request.argument_problem;
}

static void arguments_are_decoded(void **state)
{
	(void)state;
	char query[] = "pool=web&min=2&&x=a%26b%3dc+d&empty=&bare&%75tf=%c3%a9";
	assert_null(read_arguments(query));
	assert_int_equal(request.argument_count, 6);
	assert_string_equal(admin_argument(&request, "pool"), "web");
	assert_string_equal(admin_argument(&request, "min"), "2");
	assert_string_equal(admin_argument(&request, "x"), "a&b=c d");
	assert_string_equal(admin_argument(&request, "empty"), "");
	assert_string_equal(admin_argument(&request, "bare"), "");
	assert_string_equal(admin_argument(&request, "utf"), "\xc3\xa9");
	assert_null(read_arguments(NULL));
	assert_int_equal(request.argument_count, 0);
}

static void bad_arguments_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "min=1%00x", "min=%",  "min=%2",   "%zz=1",
					   "a=%ff",     "a=\xff", "a=%c0%80", "a&b&c&d&e&f&g&h&i" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char query[64];
		snprintf(query, sizeof(query), "%s", bad[i]);
		assert_non_null(read_arguments(query));
	}
	char twice_encoded[] = "pool=%2577eb";
	assert_null(read_arguments(twice_encoded));
	assert_string_equal(admin_argument(&request, "pool"), "%77eb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_paths_match_whole),   cmocka_unit_test(names_are_decoded),
		cmocka_unit_test(bad_names_fit_nothing),     cmocka_unit_test(arguments_are_decoded),
		cmocka_unit_test(bad_arguments_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
