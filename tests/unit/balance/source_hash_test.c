/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/pool_fixture.h"
#include "balance/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CLIENTS = 50000, NONE = 255 };

static struct random generator;

static struct server *enter(struct pool *pool, const struct endpoint *client)
{
	struct balance_request request = fixture_request(client, &generator);
	return balance_enter(pool, &request);
}

/* Which server each client belongs to, by the digit in its name. */
static void owners_find(struct pool *pool, uint8_t *ret_owners)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct endpoint client = fixture_client(i * 7919);
		struct server *server = enter(pool, &client);
		ret_owners[i] = server != NULL ? (uint8_t)(server->name[1] - '0') : NONE;
		if (server != NULL)
			server_leave(server);
	}
}

static uint32_t owned_count(const uint8_t *owners, uint8_t owner)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < CLIENTS; i++)
		count += owners[i] == owner;
	return count;
}

/* Only clients of `lost` may have another owner, and those must have one. */
static void assert_only_lost_moved(const uint8_t *before, const uint8_t *after, uint8_t lost)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (before[i] == lost)
			assert_int_not_equal(after[i], lost);
		else
			assert_int_equal(after[i], before[i]);
		assert_int_not_equal(after[i], NONE);
	}
}

static void five_servers_get_a_fifth_each(void **state)
{
	(void)state;
	static uint8_t owners[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	owners_find(pool, owners);
	for (uint8_t i = 0; i < 5; i++)
		assert_in_range(owned_count(owners, i), CLIENTS * 17 / 100, CLIENTS * 23 / 100);
	fixture_free(&pool);
}

static void shares_follow_the_weights(void **state)
{
	(void)state;
	static const uint32_t weights[3] = { 100, 200, 500 };
	static uint8_t owners[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 3, weights);
	owners_find(pool, owners);
	for (uint8_t i = 0; i < 3; i++)
		assert_in_range(owned_count(owners, i), CLIENTS / 800 * weights[i] * 85 / 100,
				CLIENTS / 800 * weights[i] * 115 / 100);
	fixture_free(&pool);
}

static void a_client_keeps_its_server_whatever_its_port(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	for (uint32_t i = 0; i < 100; i++) {
		struct endpoint client = fixture_client(i);
		const struct server *server = enter(pool, &client);
		for (uint16_t port = 1; port < 50; port++) {
			client.port = port;
			assert_ptr_equal(enter(pool, &client), server);
		}
	}
	fixture_free(&pool);
}

static void losing_one_of_five_moves_only_its_clients(void **state)
{
	(void)state;
	static uint8_t before[CLIENTS];
	static uint8_t after[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	owners_find(pool, before);
	for (uint8_t lost = 0; lost < 5; lost++) {
		pool->servers[lost]->state = SERVER_DOWN;
		fixture_update(pool);
		owners_find(pool, after);
		assert_only_lost_moved(before, after, lost);
		assert_in_range(owned_count(before, lost), 1, CLIENTS * 28 / 100);
		for (uint8_t i = 0; i < 5; i++)
			assert_in_range(owned_count(after, i), i == lost ? 0 : CLIENTS * 21 / 100, CLIENTS * 29 / 100);
		pool->servers[lost]->state = 0;
		fixture_update(pool);
		owners_find(pool, after);
		assert_memory_equal(before, after, CLIENTS);
	}
	fixture_free(&pool);
}

/* The same clients get the same servers whether the view knows of the loss or not. */
static void a_full_server_is_like_a_lost_one(void **state)
{
	(void)state;
	static uint8_t lost[CLIENTS];
	static uint8_t full[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	pool->servers[2]->connections_max = 0;
	owners_find(pool, full);
	pool->servers[2]->state = SERVER_DOWN;
	fixture_update(pool);
	owners_find(pool, lost);
	assert_memory_equal(lost, full, CLIENTS);
	fixture_free(&pool);
}

static void a_pool_written_without_the_server_agrees(void **state)
{
	(void)state;
	static uint8_t before[CLIENTS];
	static uint8_t after[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	struct pool *smaller = fixture_pool(POOL_SOURCE_HASH, 4, NULL);
	owners_find(pool, before);
	owners_find(smaller, after);
	assert_only_lost_moved(before, after, 4);
	fixture_free(&smaller);
	fixture_free(&pool);
}

static void slow_start_takes_clients_back_bit_by_bit(void **state)
{
	(void)state;
	static uint8_t whole[CLIENTS];
	static uint8_t ramping[CLIENTS];
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	uint32_t last_count = 0;
	owners_find(pool, whole);
	pool->policy->slow_start_ms = 10000;
	pool->servers[1]->up_since_ms = 1000;
	for (uint64_t now_ms = 1000; now_ms <= 11000; now_ms += 2500) {
		balance_view_publish(pool, now_ms);
		owners_find(pool, ramping);
		for (uint32_t i = 0; i < CLIENTS; i++) {
			if (whole[i] != 1)
				assert_int_equal(ramping[i], whole[i]);
		}
		assert_true(owned_count(ramping, 1) > last_count);
		last_count = owned_count(ramping, 1);
	}
	assert_memory_equal(whole, ramping, CLIENTS);
	fixture_free(&pool);
}

static void all_unix_clients_go_to_one_server(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_SOURCE_HASH, 5, NULL);
	struct endpoint client = { .family = AF_UNIX };
	const struct server *server = enter(pool, &client);
	assert_non_null(server);
	assert_ptr_equal(enter(pool, &client), server);
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_servers_get_a_fifth_each),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(a_client_keeps_its_server_whatever_its_port),
		cmocka_unit_test(losing_one_of_five_moves_only_its_clients),
		cmocka_unit_test(a_full_server_is_like_a_lost_one),
		cmocka_unit_test(a_pool_written_without_the_server_agrees),
		cmocka_unit_test(slow_start_takes_clients_back_bit_by_bit),
		cmocka_unit_test(all_unix_clients_go_to_one_server),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
