/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/server_plan.h"

#include "config/server_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config_resolved resolved_make(const char *text, uint32_t weight, bool is_backup)
{
	struct config_resolved resolved = { .weight = weight, .is_backup = is_backup };
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &resolved.addr, &problem), 0);
	return resolved;
}

/* A pool of the directives given. */
static struct config *load(const char *servers)
{
	struct diagnostics diagnostics;
	char text[4096];
	snprintf(text, sizeof(text), "service web {\nlisten *:1\nto web\n}\npool web {\ncheck none\n%s\n}\n", servers);
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test.conf", span_from_text(text), &diagnostics);
	assert_non_null(config);
	diagnostics_done(&diagnostics);
	return config;
}

static void resolve(struct config_server *server, const struct config_resolved *resolved, size_t count)
{
	server->resolved = resolved;
	server->resolved_count = count;
}

static void a_name_comes_to_a_server_for_each_address(void **state)
{
	const struct config_resolved resolved[] = {
		resolved_make("10.0.0.1:9", 0, false),
		resolved_make("[fd00::1]:9", 0, false),
	};
	struct config *config = load("server 10.9.9.9:80\n"
				     "server db.example.com:5432 weight=7\n"
				     "server db.example.com:5433 name=two backup\n"
				     "server none.example.com:1");
	struct server_plan plan;
	(void)state;
	resolve(&config->pools[0].servers[1], resolved, 2);
	resolve(&config->pools[0].servers[2], resolved, 1);
	server_plan_make(&config->pools[0], &plan);
	assert_int_equal(plan.count, 4);
	assert_string_equal(plan.servers[0].name, "10.9.9.9:80");
	assert_string_equal(plan.servers[1].name, "db.example.com@10.0.0.1:5432");
	assert_string_equal(plan.servers[2].name, "db.example.com@[fd00::1]:5432");
	assert_string_equal(plan.servers[3].name, "two@10.0.0.1:5433");
	assert_int_equal(addr_port(&plan.servers[2].addr), 5432);
	assert_int_equal(plan.servers[2].weight, 7);
	assert_false(plan.servers[2].is_backup);
	assert_true(plan.servers[3].is_backup);
	server_plan_done(&plan);
	config_free(&config);
}

static void srv_records_tell_port_weight_and_rank(void **state)
{
	const struct config_resolved resolved[] = {
		resolved_make("10.0.0.1:5432", 30, false),
		resolved_make("10.0.0.1:5433", 1, true),
	};
	struct config *config = load("server srv:_db._tcp.example.com max-connections=3\n"
				     "server srv:_db._tcp.example.net backup");
	struct server_plan plan;
	(void)state;
	resolve(&config->pools[0].servers[0], resolved, 2);
	resolve(&config->pools[0].servers[1], resolved, 1);
	server_plan_make(&config->pools[0], &plan);
	assert_int_equal(plan.count, 3);
	assert_string_equal(plan.servers[0].name, "_db._tcp.example.com@10.0.0.1:5432");
	assert_int_equal(plan.servers[0].weight, 30);
	assert_false(plan.servers[0].is_backup);
	assert_string_equal(plan.servers[1].name, "_db._tcp.example.com@10.0.0.1:5433");
	assert_true(plan.servers[1].is_backup);
	assert_true(plan.servers[2].is_backup);
	assert_int_equal(plan.servers[1].config->max_connections, 3);
	server_plan_done(&plan);
	config_free(&config);
}

static void long_names_are_shortened_and_stay_different(void **state)
{
	const struct config_resolved resolved[] = {
		resolved_make("[2001:db8:1111:2222:3333:4444:5555:6666]:9", 0, false),
		resolved_make("10.0.0.1:9", 0, false),
	};
	struct config *config = load("server a-long-name-of-a-database-server-of-the-accounting.one.example.com:65535\n"
				     "server a-long-name-of-a-database-server-of-the-accounting.two.example.com:65535");
	struct server_plan plan, again;
	(void)state;
	assert_string_not_equal(config->pools[0].servers[0].name, config->pools[0].servers[1].name);
	resolve(&config->pools[0].servers[0], resolved, 2);
	resolve(&config->pools[0].servers[1], resolved, 2);
	server_plan_make(&config->pools[0], &plan);
	server_plan_make(&config->pools[0], &again);
	assert_int_equal(plan.count, 4);
	assert_int_equal(strncmp(plan.servers[0].name, "a-long-name~", 12), 0);
	assert_string_equal(strchr(plan.servers[0].name, '@'), "@[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	assert_string_equal(strchr(plan.servers[1].name, '@'), "@10.0.0.1:65535");
	for (size_t i = 0; i < plan.count; i++) {
		assert_string_equal(plan.servers[i].name, again.servers[i].name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(plan.servers[i].name, plan.servers[j].name);
	}
	server_plan_done(&again);
	server_plan_done(&plan);
	config_free(&config);
}

/* An explicit name may be the same as another directive's host. */
static void equal_names_are_told_apart(void **state)
{
	const struct config_resolved resolved[] = { resolved_make("10.0.0.1:9", 0, false) };
	struct config *config = load("server db:80\nserver other:80 name=db");
	struct server_plan plan;
	(void)state;
	resolve(&config->pools[0].servers[0], resolved, 1);
	resolve(&config->pools[0].servers[1], resolved, 1);
	server_plan_make(&config->pools[0], &plan);
	assert_int_equal(plan.count, 2);
	assert_string_equal(plan.servers[0].name, "db@10.0.0.1:80");
	assert_string_not_equal(plan.servers[0].name, plan.servers[1].name);
	server_plan_done(&plan);
	config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_comes_to_a_server_for_each_address),
		cmocka_unit_test(srv_records_tell_port_weight_and_rank),
		cmocka_unit_test(long_names_are_shortened_and_stay_different),
		cmocka_unit_test(equal_names_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
