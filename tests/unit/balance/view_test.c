/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/view.h"

#include "balance/pool_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void set_down(struct pool *pool, uint32_t first, uint32_t count, uint32_t bits)
{
	for (uint32_t i = first; i < first + count; i++)
		pool->servers[i]->state = bits;
	fixture_update(pool);
}

static void sorts_available_servers_into_tiers(void **state)
{
	(void)state;
	static const uint32_t weights[4] = { 1, 2, 3, 4 };
	struct pool *pool = fixture_pool(POOL_FIRST, 4, weights);
	pool->servers[0]->state = SERVER_DOWN;
	pool->servers[2]->is_backup = true;
	pool->is_view_stale = true;
	fixture_update(pool);
	assert_false(pool->is_view_stale);
	assert_int_equal(pool->view->primary.count, 2);
	assert_ptr_equal(pool->view->primary.servers[0], pool->servers[1]);
	assert_int_equal(pool->view->primary.weights[1], 4);
	assert_int_equal(pool->view->backup.count, 1);
	assert_ptr_equal(pool->view->backup.servers[0], pool->servers[2]);
	assert_int_equal(pool->view->ignored_bits, 0);
	assert_false(pool->view->is_ramping);
	fixture_free(&pool);
}

static void panics_below_the_percentage(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 5, NULL);
	uint32_t counts[5] = { 0 };
	pool->policy->panic_percent = 50;
	pool->servers[4]->state = SERVER_MAINT; /* does not count: 4 are left */
	set_down(pool, 0, 2, SERVER_DOWN);
	assert_int_equal(pool->view->ignored_bits, 0);
	assert_int_equal(pool->view->primary.count, 2);
	set_down(pool, 0, 3, SERVER_EJECTED);
	assert_int_equal(pool->view->ignored_bits, SERVER_UNHEALTHY);
	fixture_spread(pool, 40, counts);
	for (int i = 0; i < 5; i++)
		assert_int_equal(counts[i], i < 4 ? 10 : 0);
	set_down(pool, 0, 4, SERVER_DOWN);
	assert_int_equal(pool->view->primary.count, 4);
	set_down(pool, 0, 2, 0);
	assert_int_equal(pool->view->ignored_bits, 0);
	fixture_free(&pool);
}

static void never_panics_without_a_percentage(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 3, NULL);
	set_down(pool, 0, 3, SERVER_DOWN);
	assert_int_equal(pool->view->ignored_bits, 0);
	assert_int_equal(pool->view->primary.count, 0);
	fixture_free(&pool);
}

static void backups_that_are_up_come_before_primaries_that_are_all_down(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 3, NULL);
	uint32_t counts[3] = { 0 };
	pool->policy->panic_percent = 100;
	pool->servers[2]->is_backup = true;
	set_down(pool, 0, 2, SERVER_DOWN);
	fixture_spread(pool, 10, counts);
	assert_int_equal(counts[2], 10);
	set_down(pool, 0, 3, SERVER_DOWN);
	assert_int_equal(pool->view->ignored_bits, SERVER_UNHEALTHY);
	assert_int_equal(pool->view->primary.count, 2);
	assert_int_equal(pool->view->backup.count, 0);
	fixture_free(&pool);
}

static void slow_start_is_a_line_from_a_small_share_to_the_whole(void **state)
{
	(void)state;
	static const uint32_t weights[3] = { 1, 1, 10 };
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 3, weights);
	pool->policy->slow_start_ms = 10000;
	pool->servers[1]->up_since_ms = 5000;
	pool->servers[2]->up_since_ms = 5000;
	balance_view_publish(pool, 5000);
	assert_true(pool->view->is_ramping);
	assert_int_equal(pool->view->primary.weights[0], 20);
	assert_int_equal(pool->view->primary.weights[1], 1);
	assert_int_equal(pool->view->primary.weights[2], 10);
	balance_view_publish(pool, 10000);
	assert_int_equal(pool->view->primary.weights[1], 10);
	assert_int_equal(pool->view->primary.weights[2], 100);
	balance_view_publish(pool, 14999);
	assert_int_equal(pool->view->primary.weights[1], 19);
	balance_view_publish(pool, 15000);
	assert_false(pool->view->is_ramping);
	assert_int_equal(pool->view->primary.weights[0], 1);
	assert_int_equal(pool->view->primary.weights[1], 1);
	assert_int_equal(pool->view->primary.weights[2], 10);
	fixture_free(&pool);
}

static void slow_start_is_seen_in_the_choices(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 2, NULL);
	uint32_t counts[2] = { 0 };
	pool->policy->slow_start_ms = 10000;
	pool->servers[1]->up_since_ms = 1000;
	balance_view_publish(pool, 3500);
	fixture_spread(pool, 2500, counts);
	assert_int_equal(counts[0], 2000);
	assert_int_equal(counts[1], 500);
	fixture_free(&pool);
}

static void a_server_up_from_the_start_does_not_ramp(void **state)
{
	(void)state;
	struct pool *pool = fixture_pool(POOL_ROUND_ROBIN, 2, NULL);
	pool->policy->slow_start_ms = 10000;
	balance_view_publish(pool, 5);
	assert_false(pool->view->is_ramping);
	/* Nor does one that is down. */
	pool->servers[1]->up_since_ms = 4;
	pool->servers[1]->state = SERVER_DOWN;
	balance_view_publish(pool, 5);
	assert_false(pool->view->is_ramping);
	fixture_free(&pool);
}

struct reader {
	struct pool *pool;
	_Atomic bool is_done;
	bool has_failed;
};

static void *reader_run(void *argument)
{
	struct reader *reader = argument;
	struct random random;
	rcu_register_thread();
	random_init_seed(&random, 1);
	for (uint32_t i = 0; !atomic_load(&reader->is_done); i++) {
		struct endpoint client = fixture_client(i);
		struct balance_request request = fixture_request(&client, &random);
		struct server *server = balance_enter(reader->pool, &request);
		reader->has_failed = reader->has_failed || server == NULL;
		if (server != NULL)
			server_leave(server);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

/* Servers go and come while workers choose; one is always up. The fixture sees to it that no view was lost. */
static void views_are_replaced_while_others_choose(void **state)
{
	(void)state;
	for (int algorithm = 0; algorithm < POOL_ALGORITHM_COUNT; algorithm++) {
		struct reader reader = { .pool = fixture_pool((enum pool_algorithm)algorithm, 4, NULL) };
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, reader_run, &reader), 0);
		for (uint32_t i = 0; i < 500; i++) {
			uint32_t bits = reader.pool->servers[i % 3]->state ^ SERVER_DOWN;
			atomic_store(&reader.pool->servers[i % 3]->state, bits);
			balance_view_publish(reader.pool, i + 1);
		}
		atomic_store(&reader.is_done, true);
		rcu_thread_offline();
		assert_int_equal(pthread_join(thread, NULL), 0);
		rcu_thread_online();
		assert_false(reader.has_failed);
		fixture_free(&reader.pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_available_servers_into_tiers),
		cmocka_unit_test(panics_below_the_percentage),
		cmocka_unit_test(never_panics_without_a_percentage),
		cmocka_unit_test(backups_that_are_up_come_before_primaries_that_are_all_down),
		cmocka_unit_test(slow_start_is_a_line_from_a_small_share_to_the_whole),
		cmocka_unit_test(slow_start_is_seen_in_the_choices),
		cmocka_unit_test(a_server_up_from_the_start_does_not_ramp),
		cmocka_unit_test(views_are_replaced_while_others_choose),
	};
	rcu_register_thread();
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
