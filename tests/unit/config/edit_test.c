/* SPDX-License-Identifier: Apache-2.0 */
#include "config/edit.h"
#include "config/server_address.h"

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
	return tree_of_text("service a { listen *:80; to a }\n"
			    "pool a { check tcp; server 10.0.0.1:1; server 10.0.0.2:1 name=b; server 10.0.0.3:1 }\n");
}

static struct config_server server_make(const char *address, const char *name)
{
	const char *problem = NULL;
	struct config_server server = { .weight = 1 };
	assert_int_equal(addr_parse(span_from_text(address), &server.addr, &problem), 0);
	snprintf(server.name, sizeof(server.name), "%s", name);
	server.has_name = name[0] != '\0';
	return server;
}

static void servers_are_added_behind(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_pool *pool = config_find_pool(config, "a");
	for (unsigned int i = 0; i < 100; i++) {
		char address[32];
		snprintf(address, sizeof(address), "10.0.1.%u:80", i + 1);
		struct config_server server = server_make(address, "");
		assert_int_equal(config_pool_add_server(config, pool, &server), 0);
	}
	assert_int_equal(pool->server_count, 103);
	assert_string_equal(pool->servers[1].name, "b");
	assert_string_equal(pool->servers[3].name, "10.0.1.1:80");
	assert_string_equal(pool->servers[102].name, "10.0.1.100:80");
	tree_assert_round_trip(config);
	config_free(&config);
}

static void names_stay_unique(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_pool *pool = config_find_pool(config, "a");
	struct config_server named = server_make("10.0.0.9:1", "b");
	struct config_server unnamed = server_make("10.0.0.1:1", "");
	struct config_server twin = server_make("10.0.0.1:1", "twin");
	assert_int_equal(config_pool_add_server(config, pool, &named), -EEXIST);
	assert_int_equal(config_pool_add_server(config, pool, &unnamed), -EEXIST);
	assert_int_equal(config_pool_add_server(config, pool, &twin), 0);
	assert_int_equal(pool->server_count, 4);
	tree_assert_round_trip(config);
	config_free(&config);
}

static void removal_keeps_the_order(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_pool *pool = config_find_pool(config, "a");
	assert_int_equal(config_pool_remove_server(pool, "c"), -ENOENT);
	assert_int_equal(config_pool_remove_server(pool, "b"), 0);
	assert_int_equal(pool->server_count, 2);
	assert_string_equal(pool->servers[0].name, "10.0.0.1:1");
	assert_string_equal(pool->servers[1].name, "10.0.0.3:1");
	assert_null(config_pool_find_server(pool, "b"));
	assert_int_equal(config_pool_remove_server(pool, "10.0.0.3:1"), 0);
	assert_int_equal(config_pool_remove_server(pool, "10.0.0.1:1"), -EBUSY);
	tree_assert_round_trip(config);
	config_free(&config);
}

/* A pool whose size swings around a power of two, where arrays of a tree grow, stays where it is. */
static void changes_reuse_memory(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_pool *pool = config_find_pool(config, "a");
	struct config_server fourth = server_make("10.0.0.4:1", "");
	struct config_server fifth = server_make("10.0.0.5:1", "");
	assert_int_equal(config_pool_add_server(config, pool, &fourth), 0);
	assert_int_equal(config_pool_add_server(config, pool, &fifth), 0);
	const struct config_server *servers = pool->servers;
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(config_pool_remove_server(pool, i % 2 == 0 ? "10.0.0.5:1" : "10.0.0.4:1"), 0);
		assert_int_equal(config_pool_remove_server(pool, i % 2 == 0 ? "10.0.0.4:1" : "10.0.0.5:1"), 0);
		assert_int_equal(config_pool_add_server(config, pool, &fourth), 0);
		assert_int_equal(config_pool_add_server(config, pool, &fifth), 0);
		assert_ptr_equal(pool->servers, servers);
	}
	config_free(&config);
}

/* Removing first: the room that reading left is known although the count has fallen. */
static void removal_keeps_the_room(void **state)
{
	(void)state;
	struct config *config = config_make();
	struct config_pool *pool = config_find_pool(config, "a");
	const struct config_server *servers = pool->servers;
	struct config_server added[] = { server_make("10.0.0.4:1", ""), server_make("10.0.0.5:1", "") };
	assert_int_equal(config_pool_remove_server(pool, "b"), 0);
	assert_int_equal(config_pool_add_server(config, pool, &added[0]), 0);
	assert_int_equal(config_pool_add_server(config, pool, &added[1]), 0);
	assert_ptr_equal(pool->servers, servers);
	config_free(&config);
}

static void long_paths_keep_their_end(void **state)
{
	(void)state;
	struct config_server server =
		server_make("unix:/a/path/that/is/much/longer/than/any/name/of/a/server/can/be/x.sock", "");
	char name[CONFIG_NAME_BYTES];
	server_address_name(&server, name);
	assert_int_equal(strlen(name), CONFIG_NAME_BYTES - 1);
	assert_memory_equal(name, "unix:", 5);
	assert_string_equal(name + strlen(name) - 6, "x.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_added_behind), cmocka_unit_test(names_stay_unique),
		cmocka_unit_test(removal_keeps_the_order),  cmocka_unit_test(changes_reuse_memory),
		cmocka_unit_test(removal_keeps_the_room),   cmocka_unit_test(long_paths_keep_their_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
