/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two configurations, in words. */
#include "config/diff.h"

#include "config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct config *config_of(const char *text)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test", span_from_text(text), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(config);
	return config;
}

/* The lines, one behind the other; in a buffer that the next call overwrites. */
static const char *diff_of(const char *older_text, const char *newer_text)
{
	static char text[4096];
	size_t len = 0;
	struct config *older = config_of(older_text);
	struct config *newer = config_of(newer_text);
	struct diff diff;
	diff_make(older, newer, &diff);
	text[0] = '\0';
	for (size_t i = 0; i < diff.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", diff.lines[i]);
	diff_done(&diff);
	config_free(&newer);
	config_free(&older);
	return text;
}

static void log_sinks(void **state)
{
	(void)state;
	assert_string_equal(diff_of("log stderr\n", "log stderr\n"), "");
	assert_string_equal(diff_of("", "log stderr format=text level=info\n"), "");
	assert_string_equal(diff_of("log stderr\n", "log stderr format=json level=error\n"),
			    "log stderr: format is json, was text\nlog stderr: level is error, was info\n");
	assert_string_equal(diff_of("log stderr\n", "log file:/a\n"), "log /a added\nlog stderr removed\n");
	assert_string_equal(diff_of("log file:/a\nlog file:/b\n", "log file:/c level=debug\nlog file:/a\n"),
			    "log /c added\nlog /b removed\n");
	assert_string_equal(diff_of("log file:/a\nlog file:/b\n", "log file:/b\nlog file:/a\n"), "");
}

#define CHECKED_BY "service a { listen *:80; to a }\npool a { check %s; server 10.0.0.1:80 }\n"

static int has_changed(const char *older_check, const char *newer_check)
{
	char older[512];
	char newer[512];
	snprintf(older, sizeof(older), CHECKED_BY, older_check);
	snprintf(newer, sizeof(newer), CHECKED_BY, newer_check);
	const char *lines = diff_of(older, newer);
	assert_true(lines[0] == '\0' || strcmp(lines, "pool a: health check changed\n") == 0);
	return lines[0] != '\0';
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
		assert_int_equal(has_changed(checks[i][0], checks[i][0]), 0);
		assert_int_equal(has_changed(checks[i][1], checks[i][1]), 0);
		assert_int_equal(has_changed(checks[i][0], checks[i][1]), 1);
		assert_int_equal(has_changed(checks[i][1], checks[i][0]), 1);
	}
}

/* The only difference between two pools, each with lines at the top level, or NULL. */
static const char *compare(const char *top_a, const char *pool_a, const char *top_b, const char *pool_b)
{
	static const char form[] = "%s\nservice web {\nlisten *:1\nto web\n}\npool web {\ncheck none\n%s\n}\n";
	static char line[256];
	char older[2048];
	char newer[2048];
	snprintf(older, sizeof(older), form, top_a, pool_a);
	snprintf(newer, sizeof(newer), form, top_b, pool_b);
	const char *lines = diff_of(older, newer);
	size_t len = strcspn(lines, "\n");
	assert_true(lines[0] == '\0' || lines[len + 1] == '\0');
	snprintf(line, sizeof(line), "%.*s", (int)len, lines);
	return len > 0 ? line : NULL;
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

static void sources_are_compared(void **state)
{
	static const char *const some[] = { "server 10.0.0.1:1", "source client\nserver 10.0.0.1:1",
					    "source 10.0.0.8\nserver 10.0.0.1:1",
					    "source 10.0.0.8 10.0.0.9\nserver 10.0.0.1:1",
					    "source 10.0.0.8 fd00::8\nserver 10.0.0.1:1" };
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = 0; j < 5; j++) {
			const char *line = compare("", some[i], "", some[j]);
			assert_string_equal(line != NULL ? line : "", i == j ? "" : "pool web: source changed");
		}
	}
}

static void io_uring_is_compared(void **state)
{
	static const char server[] = "server 10.0.0.1:1";
	(void)state;
	assert_null(compare("", server, "io-uring on", server));
	assert_string_equal(compare("", server, "io-uring off", server), "io-uring changed to off");
	assert_string_equal(compare("io-uring off", server, "", server), "io-uring changed to on");
}

static void packet_guard_is_compared(void **state)
{
	static const char server[] = "server 10.0.0.1:1";
	static const char changed[] = "settings of the packet guard changed";
	(void)state;
	assert_null(compare("", server, "packet-guard auto", server));
	assert_string_equal(compare("", server, "packet-guard off", server), changed);
	assert_string_equal(compare("packet-guard auto", server, "packet-guard auto only-listen", server), changed);
	assert_string_equal(compare("", server, "packet-guard auto interfaces=eth0", server), changed);
	assert_string_equal(
		compare("packet-guard auto interfaces=eth0", server, "packet-guard auto interfaces=eth1", server),
		changed);
}

static void proxy_networks_are_compared(void **state)
{
	static const char form[] = "service a { listen *:80; to a%s }\npool a { check none; server 10.0.0.1:80 }\n";
	static const char *const some[] = { "", "; accept-proxy 10.0.0.1", "; accept-proxy 10.0.0.2",
					    "; accept-proxy 10.0.0.1 10.0.0.2" };
	char older[256], newer[256];
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++) {
			snprintf(older, sizeof(older), form, some[i]);
			snprintf(newer, sizeof(newer), form, some[j]);
			assert_string_equal(diff_of(older, newer),
					    i == j ? "" : "service a: networks of accept-proxy changed\n");
		}
	}
}

static void what_needs_a_restart(void **state)
{
	(void)state;
	struct config *older = config_of("workers 2\nlog stderr\n");
	struct config *other_log = config_of("workers 2\nlog file:/a\n");
	struct config *other_workers = config_of("workers 3\nlog stderr\n");
	assert_null(diff_find_fixed(older, older));
	assert_null(diff_find_fixed(older, other_log));
	assert_string_equal(diff_find_fixed(older, other_workers), "workers");
	config_free(&other_workers);
	config_free(&other_log);
	config_free(&older);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_sinks),
		cmocka_unit_test(io_uring_is_compared),
		cmocka_unit_test(packet_guard_is_compared),
		cmocka_unit_test(proxy_networks_are_compared),
		cmocka_unit_test(changes_of_checks_are_seen),
		cmocka_unit_test(names_of_servers_are_compared),
		cmocka_unit_test(resolvers_are_compared),
		cmocka_unit_test(sources_are_compared),
		cmocka_unit_test(what_needs_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
