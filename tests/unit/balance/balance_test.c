/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every algorithm. */
#include "balance/pool_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

enum { THREADS = 4 };

static struct random generator;

static struct server *enter(struct pool *pool, uint32_t client_number)
{
	struct endpoint client = fixture_client(client_number);
	struct balance_request request = fixture_request(&client, &generator);
	return balance_enter(pool, &request);
}

static void gives_none_without_servers_or_view(enum pool_algorithm algorithm)
{
	struct pool *pool = fixture_pool(algorithm, 0, NULL);
	assert_null(enter(pool, 1));
	fixture_free(&pool);
	pool = pool_new("no view yet", 1);
	assert_null(enter(pool, 1));
	pool_free(&pool);
}

/* A server that goes down is avoided at once, before control has made a new view. */
static void avoids_servers_that_are_not_up(enum pool_algorithm algorithm)
{
	struct pool *pool = fixture_pool(algorithm, 4, NULL);
	pool->servers[0]->state = SERVER_DOWN;
	pool->servers[1]->state = SERVER_DRAIN;
	pool->servers[3]->state = SERVER_EJECTED;
	for (uint32_t i = 0; i < 100; i++)
		assert_ptr_equal(enter(pool, i), pool->servers[2]);
	fixture_update(pool);
	for (uint32_t i = 0; i < 100; i++)
		assert_ptr_equal(enter(pool, i), pool->servers[2]);
	pool->servers[2]->state = SERVER_MAINT;
	assert_null(enter(pool, 1));
	fixture_update(pool);
	assert_null(enter(pool, 1));
	assert_int_equal(server_active(pool->servers[2]), 200);
	fixture_free(&pool);
}

static void fills_every_place_and_no_more(enum pool_algorithm algorithm)
{
	static const uint32_t weights[3] = { 1, 10, 100 };
	struct pool *pool = fixture_pool(algorithm, 3, weights);
	for (uint32_t i = 0; i < 3; i++)
		pool->servers[i]->connections_max = i + 1;
	for (uint32_t i = 0; i < 6; i++)
		assert_non_null(enter(pool, i));
	assert_null(enter(pool, 7));
	server_leave(pool->servers[1]);
	assert_ptr_equal(enter(pool, 8), pool->servers[1]);
	fixture_free(&pool);
}

static void uses_backups_only_when_no_primary_is_eligible(enum pool_algorithm algorithm)
{
	struct pool *pool = fixture_pool(algorithm, 4, NULL);
	pool->servers[1]->is_backup = true;
	pool->servers[3]->is_backup = true;
	fixture_update(pool);
	for (uint32_t i = 0; i < 100; i++)
		assert_false(enter(pool, i)->is_backup);
	pool->servers[0]->state = SERVER_DOWN;
	pool->servers[2]->connections_max = 0;
	for (uint32_t i = 0; i < 100; i++)
		assert_true(enter(pool, i)->is_backup);
	fixture_update(pool);
	for (uint32_t i = 0; i < 100; i++)
		assert_true(enter(pool, i)->is_backup);
	pool->servers[2]->connections_max = UINT32_MAX;
	assert_ptr_equal(enter(pool, 1), pool->servers[2]);
	fixture_free(&pool);
}

static void never_chooses_a_tried_one_again(enum pool_algorithm algorithm)
{
	struct pool *pool = fixture_pool(algorithm, 5, NULL);
	pool->servers[4]->is_backup = true;
	fixture_update(pool);
	for (uint32_t round = 0; round < 50; round++) {
		struct server *tried[5];
		struct endpoint client = fixture_client(round);
		struct balance_request request = fixture_request(&client, &generator);
		request.tried = tried;
		while (request.tried_count < 5) {
			struct server *server = balance_enter(pool, &request);
			assert_non_null(server);
			for (uint32_t i = 0; i < request.tried_count; i++)
				assert_ptr_not_equal(server, tried[i]);
			assert_int_equal(server->is_backup, request.tried_count == 4);
			tried[request.tried_count++] = server;
			server_leave(server);
		}
		assert_null(balance_enter(pool, &request));
	}
	fixture_free(&pool);
}

struct race {
	struct pool *pool;
	uint32_t thread;
	uint32_t places;
	const char *problem;
};

/* Takes and gives back; there is always a place for each thread, and never more flows than places. */
static void *race_run(void *argument)
{
	struct race *race = argument;
	struct random random;
	rcu_register_thread();
	random_init_seed(&random, race->thread);
	for (uint32_t i = 0; i < 20000 && race->problem == NULL; i++) {
		struct endpoint client = fixture_client(i * THREADS + race->thread);
		struct balance_request request = fixture_request(&client, &random);
		struct server *server = balance_enter(race->pool, &request);
		if (server != NULL && server_active(server) > atomic_load(&server->connections_max))
			race->problem = "more flows than max-connections";
		if (server != NULL)
			server_leave(server);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

static void threads_never_exceed_max_connections(enum pool_algorithm algorithm)
{
	struct pool *pool = fixture_pool(algorithm, 3, NULL);
	struct race races[THREADS];
	pthread_t threads[THREADS];
	for (uint32_t i = 0; i < 3; i++)
		pool->servers[i]->connections_max = 1;
	for (uint32_t i = 0; i < THREADS; i++) {
		races[i] = (struct race){ .pool = pool, .thread = i };
		assert_int_equal(pthread_create(&threads[i], NULL, race_run, &races[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_null(races[i].problem);
	}
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(server_active(pool->servers[i]), 0);
	fixture_free(&pool);
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void works_with_ten_thousand_servers(enum pool_algorithm algorithm)
{
	static uint32_t counts[10000];
	struct pool *pool = fixture_pool(algorithm, 10000, NULL);
	double start = seconds_now();
	fixture_update(pool);
	double built = seconds_now();
	memset(counts, 0, sizeof(counts));
	fixture_spread(pool, 2000, counts);
	double spread = seconds_now();
	print_message("%s: view built in %.2f ms, %.0f ns per choice\n", pool_algorithm_word(algorithm),
		      (built - start) * 1e3, (spread - built) * 1e9 / 2000);
	assert_true(built - start < 2);
	for (uint32_t i = 0; i < 9999; i++)
		pool->servers[i]->connections_max = 0;
	assert_ptr_equal(enter(pool, 3), pool->servers[9999]);
	assert_int_equal(server_active(pool->servers[9999]), 1);
	fixture_free(&pool);
}

/* Runs a check for every algorithm. */
#define EACH_ALGORITHM(check)                                                                                          \
	static void check##_test(void **state)                                                                         \
	{                                                                                                              \
		(void)state;                                                                                           \
		for (int algorithm = 0; algorithm < POOL_ALGORITHM_COUNT; algorithm++)                                 \
			check((enum pool_algorithm)algorithm);                                                         \
	}

EACH_ALGORITHM(gives_none_without_servers_or_view)
EACH_ALGORITHM(avoids_servers_that_are_not_up)
EACH_ALGORITHM(fills_every_place_and_no_more)
EACH_ALGORITHM(uses_backups_only_when_no_primary_is_eligible)
EACH_ALGORITHM(never_chooses_a_tried_one_again)
EACH_ALGORITHM(threads_never_exceed_max_connections)
EACH_ALGORITHM(works_with_ten_thousand_servers)

static bool is_full(const struct pool *pool, struct server *const *tried, uint32_t tried_count)
{
	struct balance_request request = { .tried = tried, .tried_count = tried_count };
	return balance_is_full(pool, &request);
}

static void a_pool_is_full_while_its_servers_are_up(void **state)
{
	(void)state;
	struct pool *pool = pool_new("no view yet", 1);
	assert_false(is_full(pool, NULL, 0));
	assert_false(balance_has_room(pool));
	pool_free(&pool);
	pool = fixture_pool(POOL_FIRST, 2, NULL);
	pool->servers[0]->connections_max = pool->servers[1]->connections_max = 1;
	assert_true(balance_has_room(pool));
	assert_non_null(enter(pool, 1));
	assert_true(balance_has_room(pool));
	assert_non_null(enter(pool, 2));
	assert_false(balance_has_room(pool));
	assert_true(is_full(pool, NULL, 0));
	/* Down in the view, and down before control has made a new one. */
	for (int i = 0; i < 2; i++) {
		pool->servers[0]->state = SERVER_DOWN;
		assert_true(is_full(pool, NULL, 0));
		pool->servers[1]->state = SERVER_DRAIN;
		assert_false(is_full(pool, NULL, 0));
		server_leave(pool->servers[0]);
		assert_false(balance_has_room(pool));
		assert_true(server_enter(pool->servers[0], SERVER_DOWN));
		pool->servers[1]->state = 0;
		fixture_update(pool);
	}
	pool->servers[1]->state = SERVER_DRAIN;
	pool->servers[0]->state = 0;
	fixture_update(pool);
	assert_true(is_full(pool, NULL, 0));
	server_leave(pool->servers[0]);
	assert_true(balance_has_room(pool));
	fixture_free(&pool);
}

static void backups_and_panic_count_for_fullness(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 2, NULL);
	pool->servers[0]->connections_max = pool->servers[1]->connections_max = 1;
	pool->servers[1]->is_backup = true;
	fixture_update(pool);
	assert_non_null(enter(pool, 1));
	assert_true(balance_has_room(pool));
	assert_non_null(enter(pool, 2));
	assert_false(balance_has_room(pool));
	assert_true(is_full(pool, NULL, 0));
	pool->policy->panic_percent = 100;
	pool->servers[0]->state = pool->servers[1]->state = SERVER_DOWN;
	fixture_update(pool);
	assert_true(is_full(pool, NULL, 0));
	server_leave(pool->servers[1]);
	assert_false(balance_has_room(pool));
	server_leave(pool->servers[0]);
	assert_true(balance_has_room(pool));
	fixture_free(&pool);
}

/* Waiting for others would only lead back to a server that has failed and is free. */
static void a_pool_is_not_full_when_a_tried_server_has_room(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_FIRST, 2, NULL);
	pool->servers[0]->connections_max = pool->servers[1]->connections_max = 1;
	assert_true(server_enter(pool->servers[1], 0));
	assert_false(is_full(pool, &pool->servers[0], 1));
	pool->servers[0]->state = SERVER_EJECTED;
	assert_true(is_full(pool, &pool->servers[0], 1));
	pool->servers[0]->state = 0;
	assert_true(server_enter(pool->servers[0], 0));
	assert_true(is_full(pool, &pool->servers[0], 1));
	assert_false(is_full(pool, pool->servers, 2));
	fixture_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_none_without_servers_or_view_test),
		cmocka_unit_test(avoids_servers_that_are_not_up_test),
		cmocka_unit_test(fills_every_place_and_no_more_test),
		cmocka_unit_test(uses_backups_only_when_no_primary_is_eligible_test),
		cmocka_unit_test(never_chooses_a_tried_one_again_test),
		cmocka_unit_test(threads_never_exceed_max_connections_test),
		cmocka_unit_test(works_with_ten_thousand_servers_test),
		cmocka_unit_test(a_pool_is_full_while_its_servers_are_up),
		cmocka_unit_test(backups_and_panic_count_for_fullness),
		cmocka_unit_test(a_pool_is_not_full_when_a_tried_server_has_room),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
