/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/maglev.h"

#include "balance/pool_fixture.h"
#include "balance/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { CLIENTS = 50000 };

static struct random generator;

static const struct maglev_table *table_of(const struct pool *pool)
{
	return pool->view->primary.table;
}

/* Entries of each server, by its index in the tier. */
static void entries_count(const struct maglev_table *table, uint32_t server_count, uint32_t *ret_counts)
{
	memset(ret_counts, 0, server_count * sizeof(*ret_counts));
	for (uint32_t i = 0; i < MAGLEV_ENTRIES; i++) {
		assert_true(table->servers[i] < server_count);
		ret_counts[table->servers[i]]++;
	}
}

static const char *name_at(const struct pool *pool, uint32_t entry)
{
	return pool->view->primary.servers[table_of(pool)->servers[entry]]->name;
}

static struct server *enter(struct pool *pool, uint32_t client_number)
{
	struct endpoint client = fixture_client(client_number);
	struct balance_request request = fixture_request(&client, &generator);
	return balance_enter(pool, &request);
}

static const char *owner_of(struct pool *pool, uint32_t client_number)
{
	struct server *server = enter(pool, client_number);
	assert_non_null(server);
	server_leave(server);
	return server->name;
}

static void a_hundred_equal_servers_get_equal_shares(void **state)
{
	(void)state;
	uint32_t counts[100];
	struct pool *pool = fixture_pool(POOL_MAGLEV, 100, NULL);
	entries_count(table_of(pool), 100, counts);
	for (int i = 0; i < 100; i++)
		assert_in_range(counts[i], MAGLEV_ENTRIES / 100, MAGLEV_ENTRIES / 100 + 1);
	fixture_free(&pool);
}

/* Each share within 1 % of the exact one, or within one entry of it where an entry is more than that. */
static void assert_shares(const struct maglev_table *table, const uint32_t *weights, uint32_t server_count)
{
	uint32_t *counts = calloc(server_count, sizeof(*counts));
	uint64_t sum = 0;
	for (uint32_t i = 0; i < server_count; i++)
		sum += weights[i];
	entries_count(table, server_count, counts);
	for (uint32_t i = 0; i < server_count; i++) {
		double exact = (double)weights[i] * MAGLEV_ENTRIES / (double)sum;
		double tolerated = exact > 100 ? exact / 100 : 1;
		assert_true(counts[i] >= 1);
		assert_true(counts[i] >= exact - tolerated && counts[i] <= exact + tolerated);
	}
	free(counts);
}

static void shares_follow_the_weights(void **state)
{
	(void)state;
	static const uint32_t few[5] = { 1, 2, 3, 100, 1000 };
	uint32_t many[100];
	struct pool *pool = fixture_pool(POOL_MAGLEV, 5, few);
	assert_shares(table_of(pool), few, 5);
	fixture_free(&pool);
	for (uint32_t i = 0; i < 100; i++)
		many[i] = i % 10 == 0 ? 1000 - i : i + 20;
	pool = fixture_pool(POOL_MAGLEV, 100, many);
	assert_shares(table_of(pool), many, 100);
	fixture_free(&pool);
}

/* What a client with any hash gets is what the table says. */
static void clients_spread_like_the_entries(void **state)
{
	(void)state;
	uint32_t counts[10] = { 0 };
	struct pool *pool = fixture_pool(POOL_MAGLEV, 10, NULL);
	fixture_spread(pool, 1000000, counts);
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], 98500, 101500);
	fixture_free(&pool);
}

static void slow_start_takes_shares_back_step_by_step(void **state)
{
	(void)state;
	static const uint32_t weights[4] = { 1, 1000, 500, 1000 };
	uint32_t expected[4];
	struct pool *pool = fixture_pool(POOL_MAGLEV, 4, weights);
	pool->policy->slow_start_ms = 20000;
	pool->servers[1]->up_since_ms = 1000;
	for (uint32_t step = 1; step <= 20; step++) {
		for (int i = 0; i < 4; i++)
			expected[i] = weights[i] * (i == 1 ? step : 20);
		balance_view_publish(pool, 1000 + step * 1000);
		assert_shares(table_of(pool), expected, 4);
	}
	fixture_free(&pool);
}

static uint32_t moved_count(const struct pool *before, const struct pool *after)
{
	uint32_t moved = 0;
	for (uint32_t i = 0; i < MAGLEV_ENTRIES; i++)
		moved += strcmp(name_at(before, i), name_at(after, i)) != 0;
	return moved;
}

static void check_loss(uint32_t server_count, double moved_max)
{
	double worst = 0;
	struct pool *whole = fixture_pool(POOL_MAGLEV, server_count, NULL);
	struct pool *pool = fixture_pool(POOL_MAGLEV, server_count, NULL);
	for (uint32_t lost = 0; lost < 10; lost++) {
		pool->servers[lost]->state = SERVER_DOWN;
		fixture_update(pool);
		double moved = (double)moved_count(whole, pool) / MAGLEV_ENTRIES;
		worst = moved > worst ? moved : worst;
		pool->servers[lost]->state = 0;
	}
	fixture_update(pool);
	assert_int_equal(moved_count(whole, pool), 0);
	print_message("# losing one of %u servers moves %.2f %% at most\n", server_count, worst * 100);
	assert_true(worst <= moved_max);
	fixture_free(&pool);
	fixture_free(&whole);
}

static void losing_a_server_moves_few_others(void **state)
{
	(void)state;
	check_loss(10, 0.12);
	check_loss(100, 0.03);
}

static void the_order_written_does_not_matter(void **state)
{
	(void)state;
	static const uint32_t weights[7] = { 1, 2, 3, 4, 5, 6, 7 };
	struct pool *pool = fixture_pool(POOL_MAGLEV, 7, weights);
	struct pool *other = fixture_pool(POOL_MAGLEV, 7, weights);
	for (int i = 0; i < 3; i++) {
		struct server *swapped = other->servers[i];
		other->servers[i] = other->servers[6 - i];
		other->servers[6 - i] = swapped;
	}
	fixture_update(other);
	assert_int_equal(moved_count(pool, other), 0);
	for (uint32_t i = 0; i < 1000; i++)
		assert_string_equal(owner_of(pool, i), owner_of(other, i));
	fixture_free(&other);
	fixture_free(&pool);
}

static void a_client_keeps_its_server_whatever_its_port(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_MAGLEV, 5, NULL);
	for (uint32_t i = 0; i < 100; i++) {
		struct endpoint client = fixture_client(i);
		struct balance_request request = fixture_request(&client, &generator);
		const struct server *server = balance_enter(pool, &request);
		for (client.port = 1; client.port < 50; client.port++)
			assert_ptr_equal(balance_enter(pool, &request), server);
	}
	fixture_free(&pool);
}

/* The clients of a full server go to all others, and nobody else moves. */
static void a_full_server_gives_its_clients_to_all_others(void **state)
{
	(void)state;
	static const char *owners[CLIENTS];
	uint32_t counts[5] = { 0 };
	struct pool *pool = fixture_pool(POOL_MAGLEV, 5, NULL);
	for (uint32_t i = 0; i < CLIENTS; i++)
		owners[i] = owner_of(pool, i);
	pool->servers[2]->connections_max = 0;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const char *owner = owner_of(pool, i);
		if (owners[i] != pool->servers[2]->name)
			assert_ptr_equal(owner, owners[i]);
		else
			counts[owner[1] - '0']++;
	}
	for (int i = 0; i < 5; i++)
		assert_in_range(counts[i], i == 2 ? 0 : CLIENTS / 25, i == 2 ? 0 : CLIENTS / 16);
	fixture_free(&pool);
}

static double ms_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The time is printed; the bound is far above it, for slow machines and sanitizers. */
static void is_built_fast(void **state)
{
	(void)state;
	static const uint32_t server_counts[4] = { 10, 100, 1000, 10000 };
	static struct maglev_table table;
	for (int i = 0; i < 4; i++) {
		struct pool *pool = fixture_pool(POOL_MAGLEV, server_counts[i], NULL);
		double start = ms_now();
		maglev_fill(&table, &pool->view->primary);
		double took = ms_now() - start;
		print_message("# %u servers: built in %.2f ms\n", server_counts[i], took);
		assert_true(took < 2000);
		fixture_free(&pool);
	}
}

/* The configuration refuses so many, but nothing breaks: some have no entry, and are used when the others cannot be. */
static void more_servers_than_indexes_are_served(void **state)
{
	(void)state;
	enum { COUNT = POOL_MAGLEV_SERVERS_MAX + 10 };
	static uint32_t counts[COUNT];
	struct pool *pool = fixture_pool(POOL_MAGLEV, COUNT, NULL);
	uint32_t unused = 0;
	entries_count(table_of(pool), COUNT, counts);
	for (uint32_t i = 0; i < COUNT; i++)
		unused += counts[i] == 0;
	assert_int_equal(unused, 10);
	for (uint32_t i = 0; i < COUNT; i++)
		pool->servers[i]->connections_max = 1;
	for (uint32_t i = 0; i < 1000; i++)
		assert_non_null(enter(pool, i));
	for (uint32_t i = 0; i < COUNT; i++)
		if (counts[i] > 0)
			pool->servers[i]->connections_max = 0;
	assert_non_null(enter(pool, 1));
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_equal_servers_get_equal_shares),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(clients_spread_like_the_entries),
		cmocka_unit_test(slow_start_takes_shares_back_step_by_step),
		cmocka_unit_test(losing_a_server_moves_few_others),
		cmocka_unit_test(the_order_written_does_not_matter),
		cmocka_unit_test(a_client_keeps_its_server_whatever_its_port),
		cmocka_unit_test(a_full_server_gives_its_clients_to_all_others),
		cmocka_unit_test(is_built_fast),
		cmocka_unit_test(more_servers_than_indexes_are_served),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
