/* SPDX-License-Identifier: Apache-2.0 */
#include "config/server_json.h"

#include "config/edit.h"
#include "config/tree_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *config_make(void)
{
	return tree_of_text("service tcp { listen *:80; to plain }\n"
			    "service udp { listen udp *:53; to datagrams }\n"
			    "pool plain { check tcp; server 10.0.0.1:1 }\n"
			    "pool datagrams { check none; server 10.0.0.1:1 }\n"
			    "pool asked { check udp send=x; server 10.0.0.1:1 }\n"
			    "pool port { check tcp port=8; server 10.0.0.1:1 }\n");
}

/* Reads the JSON, in which ' stands for ", for the pool; what is said about it ends up in ret_said. */
static int read_for(const char *pool, const char *json, struct config_server *ret_server, char *ret_said,
		    size_t said_bytes)
{
	char quoted[512];
	json_error_t problem;
	struct diagnostics diagnostics;
	struct config *config = config_make();
	snprintf(quoted, sizeof(quoted), "%s", json);
	for (char *quote = strchr(quoted, '\''); quote != NULL; quote = strchr(quote, '\''))
		*quote = '"';
	json_t *object = json_loads(quoted, JSON_DECODE_ANY, &problem);
	assert_non_null(object);
	diagnostics_init(&diagnostics);
	int error = config_server_read(config, config_find_pool(config, pool), object, ret_server, &diagnostics);
	FILE *out = fmemopen(ret_said, said_bytes, "w");
	assert_non_null(out);
	diagnostics_print(&diagnostics, out);
	fclose(out);
	assert_int_equal(error == 0, diagnostics.error_count == 0);
	diagnostics_done(&diagnostics);
	json_decref(object);
	config_free(&config);
	return error;
}

static struct config_server server_of(const char *json)
{
	char said[512] = "";
	struct config_server server;
	assert_int_equal(read_for("plain", json, &server, said, sizeof(said)), 0);
	assert_string_equal(said, "");
	return server;
}

static void defaults_are_those_of_the_schema(void **state)
{
	(void)state;
	struct config_server server = server_of("{'address':'10.0.0.3:80'}");
	assert_string_equal(server.name, "10.0.0.3:80");
	assert_int_equal(server.weight, 1);
	assert_int_equal(server.max_connections, 0);
	assert_false(server.is_backup);
	assert_int_equal(server.state, CONFIG_SERVER_UP);
	assert_int_equal(server.place.line, 0);
}

static void every_field_is_read(void **state)
{
	(void)state;
	struct config_server server = server_of("{'state':'maint','address':'[fd00::3]:80','name':'c','weight':2,"
						"'max-connections':'2k','backup':true}");
	assert_int_equal(addr_port(&server.addr), 80);
	assert_string_equal(server.name, "c");
	assert_int_equal(server.weight, 2);
	assert_int_equal(server.max_connections, 2000);
	assert_true(server.is_backup);
	assert_int_equal(server.state, CONFIG_SERVER_MAINT);
	assert_int_equal(server_of("{'address':'10.0.0.3:80','state':'drain'}").state, CONFIG_SERVER_DRAIN);
	assert_int_equal(server_of("{'address':'10.0.0.3:80','state':'up'}").state, CONFIG_SERVER_UP);
	server = server_of("{'address':'unix:/run/x.sock'}");
	assert_true(addr_is_unix(&server.addr));
}

static void what_was_read_can_be_added(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_server server = server_of("{'address':'10.0.0.3:80','name':'c'}");
	struct config_pool *pool = config_find_pool(config, "plain");
	assert_int_equal(config_pool_add_server(config, pool, &server), 0);
	assert_int_equal(config_pool_add_server(config, pool, &server), -EEXIST);
	assert_string_equal(pool->servers[1].name, "c");
	tree_assert_round_trip(config);
	config_free(&config);
}

static void bad_servers_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *pool;
		const char *json;
		const char *said; /* its beginning */
	} cases[] = {
		{ "plain", "{}", "error: \"server\" needs an address" },
		{ "plain", "[]", "error: a string or a whole number is expected here, not an array" },
		{ "plain", "null", "error: a string or a whole number is expected here, not null" },
		{ "plain", "{'address':1}", "/address: error: \"1\" is not the address of a server" },
		{ "plain", "{'address':'10.0.0.3'}", "/address: error: \"10.0.0.3\" is not the address of a server" },
		{ "plain", "{'address':'*:80'}", "/address: error: a server has one address, not all of them" },
		{ "plain", "{'address':'224.0.0.1:80'}", "/address: error: a server cannot have a multicast" },
		{ "plain", "{'address':'[fe80::1]:80'}", "/address: error: a link-local address needs an interface" },
		{ "plain", "{'address':'10.0.0.3:80','wieght':1}",
		  "/wieght: error: \"server\" has no \"wieght\"\n"
		  "   did you mean \"weight\"?" },
		{ "plain", "{'address':'10.0.0.3:80','weight':0}",
		  "/weight: error: \"weight=\" must be from 1 to 1000" },
		{ "plain", "{'address':'10.0.0.3:80','weight':1.5}", "/weight: error: a string or a whole number" },
		{ "plain", "{'address':'10.0.0.3:80','name':'a b'}", "/name: error: \"a b\" is not a name" },
		{ "plain", "{'address':'10.0.0.3:80','backup':1}", "/backup: error: true or false is expected here" },
		{ "plain", "{'address':'10.0.0.3:80','state':'down'}", "/state: error: unknown state \"down\"" },
		{ "plain", "{'address':'10.0.0.3:80','state':true}", "/state: error: a string or a whole number" },
		{ "datagrams", "{'address':'unix:/x'}", "/address: error: service \"udp\" sends UDP to this pool" },
		{ "asked", "{'address':'unix:/x'}", "/address: error: \"check udp\" cannot ask a unix socket" },
		{ "port", "{'address':'unix:/x'}", "/address: error: a unix socket has no port" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char said[512] = "";
		struct config_server server;
		assert_int_equal(read_for(cases[i].pool, cases[i].json, &server, said, sizeof(said)), -EINVAL);
		if (strncmp(said, cases[i].said, strlen(cases[i].said)) != 0)
			fail_msg("%s: %s", cases[i].json, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_schema),
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(what_was_read_can_be_added),
		cmocka_unit_test(bad_servers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
