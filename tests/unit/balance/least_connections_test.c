/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/pool_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

static struct random generator;

static struct server *enter(struct pool *pool)
{
	struct endpoint client = fixture_client(1);
	struct balance_request request = fixture_request(&client, &generator);
	return balance_enter(pool, &request);
}

static void long_flows_are_in_proportion_to_the_weights(void **state)
{
	(void)state;
	static const uint32_t weights[4] = { 1, 2, 3, 4 };
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, 4, weights);
	for (int i = 0; i < 1000; i++)
		enter(pool);
	for (int i = 0; i < 4; i++)
		assert_int_equal(server_active(pool->servers[i]), 100 * weights[i]);
	fixture_free(&pool);
}

static void a_server_that_finishes_gets_the_next_flow(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, 3, NULL);
	for (int i = 0; i < 30; i++)
		enter(pool);
	server_leave(pool->servers[1]);
	assert_ptr_equal(enter(pool), pool->servers[1]);
	fixture_free(&pool);
}

/* Also when the equal ones do not stand evenly between the others. */
static void equal_servers_share_evenly(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, 10, NULL);
	uint32_t counts[10] = { 0 };
	for (int i = 3; i < 9; i++)
		assert_true(server_enter(pool->servers[i], 0));
	fixture_spread(pool, 40000, counts);
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], i >= 3 && i < 9 ? 0 : 9600, i >= 3 && i < 9 ? 0 : 10400);
	fixture_free(&pool);
}

static void an_idle_pool_of_equal_weights_is_used_evenly(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, 4, NULL);
	uint32_t counts[4] = { 0 };
	fixture_spread(pool, 40000, counts);
	for (int i = 0; i < 4; i++)
		assert_in_range(counts[i], 9600, 10400);
	fixture_free(&pool);
}

static void a_full_server_is_not_chosen_though_it_has_the_fewest(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, 3, NULL);
	pool->servers[0]->connections_max = 1;
	for (int i = 0; i < 21; i++)
		enter(pool);
	assert_int_equal(server_active(pool->servers[0]), 1);
	assert_int_equal(server_active(pool->servers[1]), 10);
	assert_int_equal(server_active(pool->servers[2]), 10);
	fixture_free(&pool);
}

enum { LARGE = 3000 };

/* More servers than are compared: still no server is far from its share, and each is found. */
static void a_large_pool_is_used_evenly(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, LARGE, NULL);
	for (int i = 0; i < 20 * LARGE; i++)
		assert_non_null(enter(pool));
	for (int i = 0; i < LARGE; i++)
		assert_in_range(server_active(pool->servers[i]), 18, 21);
	fixture_free(&pool);
}

static void the_only_server_with_room_is_found_in_a_large_pool(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, LARGE, NULL);
	for (int i = 0; i < LARGE; i++) {
		pool->servers[i]->connections_max = 1;
		assert_true(i == 1234 || server_enter(pool->servers[i], 1));
	}
	assert_ptr_equal(enter(pool), pool->servers[1234]);
	assert_null(enter(pool));
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_flows_are_in_proportion_to_the_weights),
		cmocka_unit_test(a_server_that_finishes_gets_the_next_flow),
		cmocka_unit_test(equal_servers_share_evenly),
		cmocka_unit_test(an_idle_pool_of_equal_weights_is_used_evenly),
		cmocka_unit_test(a_full_server_is_not_chosen_though_it_has_the_fewest),
		cmocka_unit_test(a_large_pool_is_used_evenly),
		cmocka_unit_test(the_only_server_with_room_is_found_in_a_large_pool),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
