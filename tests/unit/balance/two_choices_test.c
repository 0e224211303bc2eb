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

static void an_idle_pool_is_used_in_proportion_to_the_weights(void **state)
{
	(void)state;
	static const uint32_t weights[5] = { 1, 2, 3, 4, 90 };
	struct pool *pool = fixture_pool(POOL_RANDOM, 5, weights);
	uint32_t counts[5] = { 0 };
	fixture_spread(pool, 1000000, counts);
	for (int i = 0; i < 5; i++)
		assert_in_range(counts[i], 10000 * weights[i] * 95 / 100, 10000 * weights[i] * 105 / 100);
	fixture_free(&pool);
}

static void long_flows_stay_close_to_even(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_RANDOM, 50, NULL);
	for (int i = 0; i < 50 * 200; i++)
		assert_non_null(enter(pool));
	/* Blind choice would leave the fullest of 50 at about 232. */
	for (int i = 0; i < 50; i++)
		assert_in_range(server_active(pool->servers[i]), 190, 206);
	fixture_free(&pool);
}

static void of_two_the_less_loaded_is_taken(void **state)
{
	(void)state;
	static const uint32_t weights[2] = { 1, 3 };
	struct pool *pool = fixture_pool(POOL_RANDOM, 2, weights);
	for (int i = 0; i < 4000; i++)
		assert_non_null(enter(pool));
	assert_in_range(server_active(pool->servers[0]), 900, 1100);
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_pool_is_used_in_proportion_to_the_weights),
		cmocka_unit_test(long_flows_stay_close_to_even),
		cmocka_unit_test(of_two_the_less_loaded_is_taken),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
