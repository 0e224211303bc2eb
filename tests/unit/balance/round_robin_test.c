/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/pool_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

enum { THREADS = 4 };

static struct random generator;

static struct server *enter(struct pool *pool)
{
	struct endpoint client = fixture_client(1);
	struct balance_request request = fixture_request(&client, &generator);
	struct server *server = balance_enter(pool, &request);
	assert_non_null(server);
	server_leave(server);
	return server;
}

static void is_exact_over_each_cycle(void **state)
{
	(void)state;
	static const uint32_t weights[4] = { 50, 10, 10, 30 };
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 4, weights);
	for (int cycle = 0; cycle < 10; cycle++) {
		uint32_t counts[4] = { 0 };
		fixture_spread(pool, 10, counts);
		for (int i = 0; i < 4; i++)
			assert_int_equal(counts[i], weights[i] / 10);
	}
	fixture_free(&pool);
}

static void equal_weights_take_turns_in_the_order_written(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 5, NULL);
	for (uint32_t i = 0; i < 20; i++)
		assert_ptr_equal(enter(pool), pool->servers[i % 5]);
	fixture_free(&pool);
}

/* How far any server ever is from its share of the flows so far, in flows. */
static double deviation_max(struct pool *pool, uint32_t steps)
{
	size_t count = pool->server_count;
	uint32_t *counts = calloc(count, sizeof(*counts));
	double sum = 0;
	double max = 0;
	for (size_t i = 0; i < count; i++)
		sum += pool->servers[i]->weight;
	for (uint32_t step = 1; step <= steps; step++) {
		counts[fixture_index(pool, enter(pool))]++;
		for (size_t i = 0; i < count; i++) {
			double off = counts[i] - step * pool->servers[i]->weight / sum;
			max = off > max ? off : max;
			max = -off > max ? -off : max;
		}
	}
	free(counts);
	return max;
}

static void is_smooth_at_every_moment(void **state)
{
	(void)state;
	struct random random;
	double worst = 0;
	random_init_seed(&random, 3);
	for (int round = 0; round < 300; round++) {
		uint32_t weights[20];
		uint32_t count = 2 + random_below(&random, 19);
		uint32_t limit = 1 + random_below(&random, 100);
		uint32_t sum = 0;
		for (uint32_t i = 0; i < count; i++)
			sum += weights[i] = 1 + random_below(&random, limit);
		struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, count, weights);
		double deviation = deviation_max(pool, 2 * sum);
		worst = deviation > worst ? deviation : worst;
		fixture_free(&pool);
	}
	print_message("never more than %.3f flows from the share\n", worst);
	assert_true(worst < 1);
}

static void a_heavy_server_does_not_come_in_bursts(void **state)
{
	(void)state;
	static const uint32_t weights[3] = { 5, 1, 1 };
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 3, weights);
	uint32_t run = 0;
	for (int i = 0; i < 70; i++) {
		run = enter(pool) == pool->servers[0] ? run + 1 : 0;
		assert_in_range(run, 0, 3);
	}
	fixture_free(&pool);
}

static void the_share_of_a_full_server_goes_to_all_others(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 5, NULL);
	uint32_t counts[5] = { 0 };
	pool->servers[1]->connections_max = 0;
	fixture_spread(pool, 4000, counts);
	assert_int_equal(counts[1], 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(counts[i], i == 1 ? 0 : 1000);
	fixture_free(&pool);
}

static void very_long_cycles_are_shortened_in_proportion(void **state)
{
	(void)state;
	enum { SERVERS = 4000, CYCLE_AT_LEAST = 1000000 };
	static uint32_t weights[SERVERS];
	static uint32_t counts[SERVERS];
	for (uint32_t i = 0; i < SERVERS; i++)
		weights[i] = i < SERVERS / 2 ? 999 : 500;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, SERVERS, weights);
	struct endpoint client = fixture_client(1);
	struct balance_request request = fixture_request(&client, &generator);
	for (uint32_t step = 0; step < CYCLE_AT_LEAST; step++) {
		struct server *server = balance_enter(pool, &request);
		counts[atoi(server->name + 1)]++;
		server_leave(server);
	}
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_in_range(counts[i] * 1000, weights[i] * 325, weights[i] * 342);
	fixture_free(&pool);
}

struct share {
	struct pool *pool;
	uint32_t counts[3];
};

static void *share_take(void *argument)
{
	struct share *share = argument;
	struct random random;
	rcu_register_thread();
	random_init_seed(&random, 1);
	for (uint32_t i = 0; i < 15000; i++) {
		struct endpoint client = fixture_client(i);
		struct balance_request request = fixture_request(&client, &random);
		struct server *server = balance_enter(share->pool, &request);
		share->counts[server->name[1] - '0']++;
		server_leave(server);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

static void threads_share_one_cycle(void **state)
{
	(void)state;
	static const uint32_t weights[3] = { 3, 2, 1 };
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 3, weights);
	struct share shares[THREADS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		shares[i] = (struct share){ .pool = pool };
		assert_int_equal(pthread_create(&threads[i], NULL, share_take, &shares[i]), 0);
	}
	uint32_t counts[3] = { 0 };
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		for (int server = 0; server < 3; server++)
			counts[server] += shares[i].counts[server];
	}
	for (int server = 0; server < 3; server++)
		assert_int_equal(counts[server], 10000 * weights[server]);
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_exact_over_each_cycle),
		cmocka_unit_test(equal_weights_take_turns_in_the_order_written),
		cmocka_unit_test(is_smooth_at_every_moment),
		cmocka_unit_test(a_heavy_server_does_not_come_in_bursts),
		cmocka_unit_test(the_share_of_a_full_server_goes_to_all_others),
		cmocka_unit_test(very_long_cycles_are_shortened_in_proportion),
		cmocka_unit_test(threads_share_one_cycle),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
