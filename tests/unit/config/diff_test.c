/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct config *load(const char *top, const char *pool)
{
	struct diagnostics diagnostics;
	char text[2048];
	snprintf(text, sizeof(text), "%s\nservice web {\nlisten *:1\nto web\n}\npool web {\ncheck none\n%s\n}\n", top,
		 pool);
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test.conf", span_from_text(text), &diagnostics);
	assert_non_null(config);
	diagnostics_done(&diagnostics);
	return config;
}

/* The only difference, or NULL. */
static const char *compare(const char *top_a, const char *pool_a, const char *top_b, const char *pool_b)
{
	static char line[256];
	struct config *a = load(top_a, pool_a);
	struct config *b = load(top_b, pool_b);
	struct diff diff;
	diff_make(a, b, &diff);
	bool is_any = diff.count > 0;
	assert_true(diff.count <= 1);
	snprintf(line, sizeof(line), "%s", is_any ? diff.lines[0] : "");
	diff_done(&diff);
	config_free(&a);
	config_free(&b);
	return is_any ? line : NULL;
}

static void names_of_servers_are_compared(void **state)
{
	(void)state;
	assert_null(compare("", "server db.example.com:1 name=a", "", "server DB.example.com.:1 name=a"));
	assert_string_equal(compare("", "server db.example.com:1 name=a", "", "server db.example.net:1 name=a"),
			    "pool web: server a has another address");
	assert_string_equal(compare("", "server db.example.com:1 name=a", "", "server db.example.com:2 name=a"),
			    "pool web: server a has another address");
	assert_string_equal(compare("", "server db.example.com:1 name=a", "", "server srv:db.example.com name=a"),
			    "pool web: server a has another address");
	assert_string_equal(compare("", "server 10.0.0.1:1 name=a", "", "server db.example.com:1 name=a"),
			    "pool web: server a has another address");
}

static void resolvers_are_compared(void **state)
{
	static const char server[] = "server db.example.com:1";
	(void)state;
	assert_null(compare("resolver 10.0.0.1", server, "resolver 10.0.0.1:53 timeout=2s", server));
	assert_string_equal(compare("", server, "resolver 10.0.0.1", server), "resolver changed");
	assert_string_equal(compare("resolver 10.0.0.1", server, "resolver 10.0.0.2", server), "resolver changed");
	assert_string_equal(compare("resolver 10.0.0.1", server, "resolver 10.0.0.1 ttl=5s", server),
			    "resolver changed");
	assert_string_equal(compare("", server, "", "resolver 10.0.0.1\nserver db.example.com:1"),
			    "pool web: resolver changed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_servers_are_compared),
		cmocka_unit_test(resolvers_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
