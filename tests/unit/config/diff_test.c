/* SPDX-License-Identifier: Apache-2.0 */
/* Each setting of a check is seen when it changes. */
#include "config/diff.h"

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct config *config_with_check(const char *check)
{
	char text[512];
	struct diagnostics diagnostics;
	snprintf(text, sizeof(text), "service a { listen *:80; to a }\npool a { check %s; server 10.0.0.1:80 }\n",
		 check);
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test", span_from_text(text), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(config);
	return config;
}

static size_t count_changes(const char *older_check, const char *newer_check)
{
	struct config *older = config_with_check(older_check);
	struct config *newer = config_with_check(newer_check);
	struct diff diff;
	diff_make(older, newer, &diff);
	size_t count = diff.count;
	if (count > 0)
		assert_string_equal(diff.lines[0], "pool a: health check changed");
	diff_done(&diff);
	config_free(&newer);
	config_free(&older);
	return count;
}

static void changes_of_checks_are_seen(void **state)
{
	(void)state;
	static const char *const checks[][2] = {
		{ "none", "tcp" },
		{ "tcp", "http" },
		{ "tcp", "tcp every=3s" },
		{ "tcp", "tcp timeout=500ms" },
		{ "tcp", "tcp rise=5" },
		{ "tcp", "tcp fall=5" },
		{ "tcp", "tcp port=5" },
		{ "tcp", "tcp send=a" },
		{ "tcp expect=a", "tcp expect=b" },
		{ "http", "http path=/a" },
		{ "http", "http host=a" },
		{ "http host=a", "http host=b" },
		{ "http", "http method=POST" },
		{ "http status=200", "http status=201" },
		{ "dns", "dns name=a" },
		{ "dns", "dns type=A" },
		{ "dns", "dns rcode=noerror,nxdomain" },
		{ "exec program=/bin/true", "exec program=/bin/false" },
	};
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		assert_int_equal(count_changes(checks[i][0], checks[i][0]), 0);
		assert_int_equal(count_changes(checks[i][1], checks[i][1]), 0);
		assert_int_equal(count_changes(checks[i][0], checks[i][1]), 1);
		assert_int_equal(count_changes(checks[i][1], checks[i][0]), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_of_checks_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
