/* SPDX-License-Identifier: Apache-2.0 */
/* `load=`: what holds for both algorithms that know it, and that the totals it goes by are exact. */
#include "balance/hash_order.h"
#include "balance/pool_fixture.h"
#include "balance/view.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <urcu-qsbr.h>

#include <cmocka.h>

enum { THREADS = 3, SERVERS = 10, LOAD = 125 };

static struct random generator;

static struct pool *pool_make(enum pool_algorithm algorithm, const uint32_t *weights, uint32_t load_percent)
{
	struct pool *pool = fixture_pool(algorithm, SERVERS, weights);
	pool->policy->load_percent = load_percent;
	fixture_update(pool);
	return pool;
}

static struct server *enter(struct pool *pool, uint32_t client_number)
{
	struct endpoint client = fixture_client(client_number);
	struct balance_request request = fixture_request(&client, &generator);
	return balance_enter(pool, &request);
}

static int64_t total_of(const struct pool *pool, enum server_total total)
{
	return atomic_load(&pool->totals[total - 1].active);
}

static int64_t active_sum(const struct pool *pool)
{
	int64_t sum = 0;
	for (size_t i = 0; i < pool->server_count; i++)
		sum += server_active(pool->servers[i]);
	return sum;
}

/* What a server may have with a new flow, when there were `active` before: the formula, written in another way. */
static uint32_t bound_of(int64_t active, uint32_t weight, uint64_t weight_sum)
{
	uint64_t hundredths = (uint64_t)(active + 1) * LOAD * weight;
	return (uint32_t)(hundredths / (weight_sum * 100) + (hundredths % (weight_sum * 100) != 0));
}

static void one_client_spreads_within_the_bound(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	const struct server *home = enter(pool, 7);
	uint32_t used_count = 0;
	for (int64_t active = 1; active < 1000; active++) {
		bool has_room_at_home = server_active(home) < bound_of(active, 1, SERVERS);
		const struct server *server = enter(pool, 7);
		assert_non_null(server);
		assert_int_equal(server == home, has_room_at_home);
		assert_true(server_active(server) <= bound_of(active, 1, SERVERS));
	}
	for (uint32_t i = 0; i < SERVERS; i++)
		used_count += server_active(pool->servers[i]) > 0;
	assert_int_equal(server_active(home), 125);
	assert_int_equal(used_count, 8);
	fixture_free(&pool);
}

static void without_a_bound_one_client_stays(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, 0);
	const struct server *home = enter(pool, 7);
	for (int i = 1; i < 1000; i++)
		assert_ptr_equal(enter(pool, 7), home);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	fixture_free(&pool);
}

static void spilled_flows_go_to_the_next_in_order(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	struct server *home = enter(pool, 7);
	struct server *spilled = enter(pool, 7);
	assert_ptr_not_equal(spilled, home);
	pool->servers[fixture_index(pool, home)]->connections_max = 0;
	pool->policy->load_percent = 0;
	fixture_update(pool);
	assert_ptr_equal(enter(pool, 7), spilled);
	fixture_free(&pool);
}

static void bounds_hold_by_weight_while_flows_come_and_go(enum pool_algorithm algorithm)
{
	enum { FLOWS = 500 };
	static const uint32_t weights[SERVERS] = { 1, 2, 3, 4, 5, 10, 20, 50, 100, 5 };
	struct server *flows[FLOWS] = { NULL };
	struct pool *pool = pool_make(algorithm, weights, LOAD);
	for (int i = 0; i < 20000; i++) {
		uint32_t number = random_below(&generator, FLOWS);
		if (flows[number] != NULL)
			server_leave(flows[number]);
		int64_t active = active_sum(pool);
		assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), active);
		flows[number] = enter(pool, random_below(&generator, 4));
		assert_non_null(flows[number]);
		uint32_t weight = weights[fixture_index(pool, flows[number])];
		assert_true(server_active(flows[number]) <= bound_of(active, weight, 200));
	}
	fixture_free(&pool);
}

static void no_flow_is_refused_for_the_bound(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	struct server *home = enter(pool, 7);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (pool->servers[i] != home)
			pool->servers[i]->connections_max = 1;
	for (int i = 1; i < 100; i++)
		assert_non_null(enter(pool, 7));
	assert_int_equal(active_sum(pool), 100);
	assert_int_equal(server_active(home), 100 - (SERVERS - 1));
	fixture_free(&pool);
}

static void backups_have_a_total_of_their_own(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	for (int i = 0; i < 100; i++)
		enter(pool, 7);
	for (uint32_t i = 5; i < SERVERS; i++)
		pool->servers[i]->is_backup = true;
	fixture_update(pool);
	int64_t backups = 0;
	for (uint32_t i = 5; i < SERVERS; i++)
		backups += server_active(pool->servers[i]);
	assert_int_equal(total_of(pool, SERVER_TOTAL_BACKUP), backups);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 100 - backups);
	for (uint32_t i = 0; i < 5; i++)
		pool->servers[i]->state = SERVER_DOWN;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	for (int i = 0; i < 100; i++, backups++) {
		const struct server *server = enter(pool, 7);
		assert_int_equal(total_of(pool, SERVER_TOTAL_BACKUP), backups + 1);
		assert_true(server->is_backup);
	}
	fixture_free(&pool);
}

/* A bound that comes with flows active goes by all of them; one that goes leaves nothing behind. */
static void a_bound_comes_and_goes_with_flows_active(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, 0);
	struct server *home = enter(pool, 7);
	for (int i = 1; i < 100; i++)
		assert_ptr_equal(enter(pool, 7), home);
	pool->policy->load_percent = LOAD;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 100);
	assert_int_equal(server_active(home), 100);
	assert_ptr_not_equal(enter(pool, 7), home);
	for (int i = 0; i < 99; i++)
		server_leave(home);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 2);
	pool->policy->load_percent = 0;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	server_leave(home);
	assert_ptr_equal(enter(pool, 7), home);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	pool->policy->load_percent = LOAD;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 2);
	balance_view_withdraw(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	fixture_free(&pool);
}

/* A server that is drained takes its flows out of the total, and back again. */
static void the_total_follows_the_view(enum pool_algorithm algorithm)
{
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	struct server *home = enter(pool, 7);
	for (int i = 1; i < 100; i++)
		enter(pool, 7);
	home->state = SERVER_DRAIN;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 100 - server_active(home));
	server_leave(home);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 99 - server_active(home));
	home->state = 0;
	fixture_update(pool);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 99);
	fixture_free(&pool);
}

struct worker {
	struct pool *pool;
	uint32_t number;
	_Atomic bool *is_over;
	bool is_refused;
};

static void *come_and_go(void *argument)
{
	struct worker *worker = argument;
	struct server *flows[50] = { NULL };
	struct random random;
	rcu_register_thread();
	random_init_seed(&random, worker->number);
	while (!atomic_load(worker->is_over)) {
		struct server **flow = &flows[random_below(&random, 50)];
		struct endpoint client = fixture_client(random_below(&random, 3));
		struct balance_request request = fixture_request(&client, &random);
		if (*flow != NULL)
			server_leave(*flow);
		*flow = balance_enter(worker->pool, &request);
		worker->is_refused |= *flow == NULL;
		rcu_quiescent_state();
	}
	for (int i = 0; i < 50; i++)
		if (flows[i] != NULL)
			server_leave(flows[i]);
	rcu_unregister_thread();
	return NULL;
}

static void totals_stay_exact_with_threads(enum pool_algorithm algorithm)
{
	_Atomic bool is_over = false;
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	struct pool *pool = pool_make(algorithm, NULL, LOAD);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ pool, i, &is_over, false };
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &workers[i]), 0);
	}
	for (int i = 0; i < 100; i++) {
		pool->policy->load_percent = random_below(&generator, 2) ? LOAD : 0;
		for (uint32_t j = 1; j < SERVERS; j++)
			pool->servers[j]->state = random_below(&generator, 2) ? SERVER_DRAIN : 0;
		fixture_update(pool);
		rcu_quiescent_state();
	}
	for (uint32_t j = 0; j < SERVERS; j++)
		pool->servers[j]->state = 0;
	pool->policy->load_percent = LOAD;
	fixture_update(pool);
	atomic_store(&is_over, true);
	rcu_thread_offline();
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(workers[i].is_refused);
	}
	rcu_thread_online();
	assert_int_equal(active_sum(pool), 0);
	assert_int_equal(total_of(pool, SERVER_TOTAL_PRIMARY), 0);
	assert_int_equal(total_of(pool, SERVER_TOTAL_BACKUP), 0);
	fixture_free(&pool);
}

#define BOTH(check)                                                                                                    \
	static void check##_test(void **state)                                                                         \
	{                                                                                                              \
		(void)state;                                                                                           \
		check(POOL_SOURCE_HASH);                                                                               \
		check(POOL_MAGLEV);                                                                                    \
	}

BOTH(one_client_spreads_within_the_bound)
BOTH(without_a_bound_one_client_stays)
BOTH(spilled_flows_go_to_the_next_in_order)
BOTH(bounds_hold_by_weight_while_flows_come_and_go)
BOTH(no_flow_is_refused_for_the_bound)
BOTH(backups_have_a_total_of_their_own)
BOTH(a_bound_comes_and_goes_with_flows_active)
BOTH(the_total_follows_the_view)
BOTH(totals_stay_exact_with_threads)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_client_spreads_within_the_bound_test),
		cmocka_unit_test(without_a_bound_one_client_stays_test),
		cmocka_unit_test(spilled_flows_go_to_the_next_in_order_test),
		cmocka_unit_test(bounds_hold_by_weight_while_flows_come_and_go_test),
		cmocka_unit_test(no_flow_is_refused_for_the_bound_test),
		cmocka_unit_test(backups_have_a_total_of_their_own_test),
		cmocka_unit_test(a_bound_comes_and_goes_with_flows_active_test),
		cmocka_unit_test(the_total_follows_the_view_test),
		cmocka_unit_test(totals_stay_exact_with_threads_test),
	};
	rcu_register_thread();
	random_init_seed(&generator, 1);
	int failed_count = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return failed_count;
}
