/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever follows an order as it is written chooses what balance_enter chooses. */
#include "balance/order.h"

#include "balance/hash_order.h"
#include "balance/pool_fixture.h"
#include "balance/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CLIENTS = 5000, SERVERS = 7 };

static const uint32_t weights[SERVERS] = { 1, 5, 2, 1, 9, 3, 4 };

static struct random generator;

static struct balance_order order_of(const struct pool *pool, uint32_t turn)
{
	struct balance_order order;
	balance_order_make(pool->policy->algorithm, &pool->view->primary, turn, &order);
	for (uint32_t i = 0; i < order.count; i++)
		assert_in_range((uint32_t)order.entries[i], 0, SERVERS - 1);
	return order;
}

static uint32_t entered(struct pool *pool, const struct endpoint *client)
{
	struct balance_request request = fixture_request(client, &generator);
	struct server *server = balance_enter(pool, &request);
	assert_non_null(server);
	server_leave(server);
	return fixture_index(pool, server);
}

static void turns_are_the_same(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, SERVERS, weights);
	struct balance_order order = order_of(pool, 0);
	struct endpoint client = fixture_client(0);
	assert_int_equal(order.choosing, BALANCE_NEXT);
	assert_int_equal(order.count, 25);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(entered(pool, &client), (uint32_t)order.entries[i % order.count]);
	balance_order_done(&order);
	fixture_free(&pool);
}

static void clients_have_the_same_entry(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_MAGLEV, SERVERS, weights);
	struct balance_order order = order_of(pool, 0);
	assert_int_equal(order.choosing, BALANCE_MAGLEV);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct endpoint client = fixture_client(i);
		uint64_t entry = order.entries[hash_order_client(&client) % order.count];
		assert_int_equal(entered(pool, &client), (uint32_t)entry);
	}
	balance_order_done(&order);
	fixture_free(&pool);
}

static uint32_t find_point(const struct balance_order *order, uint32_t hash)
{
	for (uint32_t i = 0; i < order->count; i++) {
		assert_true(i == 0 || order->entries[i - 1] >> 32 <= order->entries[i] >> 32);
		if (order->entries[i] >> 32 >= hash)
			return (uint32_t)order->entries[i];
	}
	return (uint32_t)order->entries[0];
}

static void clients_have_the_same_point(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, SERVERS, weights);
	struct balance_order order = order_of(pool, 0);
	assert_int_equal(order.choosing, BALANCE_RING);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct endpoint client = fixture_client(i);
		uint32_t found = find_point(&order, (uint32_t)(hash_order_client(&client) >> 32));
		assert_int_equal(entered(pool, &client), found);
	}
	balance_order_done(&order);
	fixture_free(&pool);
}

static void shares_follow_the_weights(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_RANDOM, SERVERS, weights);
	struct balance_order order = order_of(pool, 0);
	uint32_t counts[SERVERS] = { 0 };
	assert_int_equal(order.choosing, BALANCE_RANDOM);
	for (uint32_t i = 0; i < order.count; i++)
		counts[(uint32_t)order.entries[i]]++;
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_in_range(counts[i], order.count * weights[i] / 25, order.count * weights[i] / 25 + 1);
	balance_order_done(&order);
	fixture_free(&pool);
}

static void the_first_stands_first(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_FIRST, SERVERS, weights);
	struct balance_order order = order_of(pool, 0);
	assert_int_equal(order.choosing, BALANCE_FIRST);
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_int_equal(order.entries[i], i);
	balance_order_done(&order);
	fixture_free(&pool);
}

/* Following it evens out what is uneven, and then the flows are as the weights. */
static void the_least_loaded_come_next(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, SERVERS, weights);
	uint32_t counts[SERVERS] = { 0 };
	for (uint32_t i = 0; i < 40; i++)
		assert_true(server_enter(pool->servers[4], 0));
	counts[4] = 40;
	struct balance_order order = order_of(pool, 0);
	assert_int_equal(order.choosing, BALANCE_NEXT);
	for (uint32_t i = 0; i < 210; i++)
		counts[(uint32_t)order.entries[i]]++;
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_in_range(counts[i], 250 * weights[i] / 25 - 1, 250 * weights[i] / 25 + 1);
	for (uint32_t i = 0; i < 65; i++)
		assert_int_not_equal(order.entries[i], 4);
	balance_order_done(&order);
	fixture_free(&pool);
}

static void of_servers_that_are_alike_each_comes_first(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_LEAST_CONNECTIONS, SERVERS, NULL);
	bool was_first[SERVERS] = { false };
	for (uint32_t turn = 0; turn < SERVERS; turn++) {
		struct balance_order order = order_of(pool, turn);
		was_first[order.entries[0]] = true;
		balance_order_done(&order);
	}
	for (uint32_t i = 0; i < SERVERS; i++)
		assert_true(was_first[i]);
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_the_same),
		cmocka_unit_test(clients_have_the_same_entry),
		cmocka_unit_test(clients_have_the_same_point),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(the_first_stands_first),
		cmocka_unit_test(the_least_loaded_come_next),
		cmocka_unit_test(of_servers_that_are_alike_each_comes_first),
	};
	random_init(&generator);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
