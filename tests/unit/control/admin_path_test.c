/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_path.h"

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
	assert_true(admin_path_matches("/v1/pools/*/servers/*", "/v1/pools/web/servers/unix%3A%2Frun%2fx.sock", names));
	assert_string_equal(names[0], "web");
	assert_string_equal(names[1], "unix:/run/x.sock");
	assert_false(admin_path_matches("/v1/pools/*/servers/*", "/v1/pools/web/servers/", names));
	assert_false(admin_path_matches("/v1/pools/*/servers/*", "/v1/pools//servers/a", names));
	assert_false(admin_path_matches("/v1/pools/*", "/v1/pools/web/servers", names));
	assert_true(admin_path_matches("/v1/pools/*", "/v1/pools/..", names));
	assert_string_equal(names[0], "..");
}

static void bad_names_fit_nothing(void **state)
{
	char path[ADMIN_NAME_BYTES + 16] = "/v1/pools/";
	(void)state;
	assert_false(admin_path_matches("/v1/pools/*", "/v1/pools/a%00b", names));
	assert_false(admin_path_matches("/v1/pools/*", "/v1/pools/a%", names));
	assert_false(admin_path_matches("/v1/pools/*", "/v1/pools/a%2", names));
	assert_false(admin_path_matches("/v1/pools/*", "/v1/pools/a%zz", names));
	memset(path + 10, 'x', ADMIN_NAME_BYTES - 1);
	assert_true(admin_path_matches("/v1/pools/*", path, names));
	memset(path + 10, 'x', ADMIN_NAME_BYTES);
	assert_false(admin_path_matches("/v1/pools/*", path, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_paths_match_whole),
		cmocka_unit_test(names_are_decoded),
		cmocka_unit_test(bad_names_fit_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
