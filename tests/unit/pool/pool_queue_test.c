/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/pool_queue.h"
#include "pool/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WORKERS = 3, ROUNDS = 20000 };

static int set_up(void **state)
{
	struct pool *pool = pool_new("web", 1);
	pool_queue_init(&pool->queue, pool, WORKERS);
	*state = pool;
	return 0;
}

static int tear_down(void **state)
{
	struct pool *pool = *state;
	pool_free(&pool);
	return 0;
}

static void nobody_waits_at_first(void **state)
{
	struct pool *pool = *state;
	assert_true(pool_queue_is_empty(&pool->queue));
	assert_true(pool_queue_is_empty_after_publishing(&pool->queue));
	assert_int_equal(pool_queue_find_oldest(&pool->queue), POOL_QUEUE_NOBODY);
	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_null(pool_queue_first(&pool->queue, i));
		assert_ptr_equal(pool->queue.lines[i].pool, pool);
	}
	struct pool *without_lines = pool_new("none", 1);
	assert_int_equal(pool_queue_find_oldest(&without_lines->queue), POOL_QUEUE_NOBODY);
	pool_free(&without_lines);
}

static void a_line_is_first_come_first_served(void **state)
{
	struct pool *pool = *state;
	struct pool_waiter waiters[4] = { { .since_ns = 5 }, { .since_ns = 7 }, { .since_ns = 7 }, { .since_ns = 9 } };
	for (int i = 0; i < 4; i++)
		pool_queue_join(&pool->queue, 1, &waiters[i]);
	assert_false(pool_queue_is_empty(&pool->queue));
	assert_false(pool_queue_is_empty_after_publishing(&pool->queue));
	for (int i = 0; i < 4; i++) {
		assert_ptr_equal(pool_queue_first(&pool->queue, 1), &waiters[i]);
		assert_int_equal(pool->queue.lines[1].oldest_ns, waiters[i].since_ns);
		pool_queue_leave(&pool->queue, 1, &waiters[i]);
	}
	assert_true(pool_queue_is_empty(&pool->queue));
	assert_int_equal(pool_queue_find_oldest(&pool->queue), POOL_QUEUE_NOBODY);
}

static void one_that_comes_from_elsewhere_keeps_its_place(void **state)
{
	struct pool *pool = *state;
	struct pool_waiter waiters[3] = { { .since_ns = 5 }, { .since_ns = 9 }, { .since_ns = 7 } };
	static const int order[3] = { 0, 2, 1 };
	for (int i = 0; i < 3; i++)
		pool_queue_join(&pool->queue, 0, &waiters[i]);
	struct pool_waiter first = { .since_ns = 1 };
	pool_queue_join(&pool->queue, 0, &first);
	assert_ptr_equal(pool_queue_first(&pool->queue, 0), &first);
	pool_queue_leave(&pool->queue, 0, &first);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(pool_queue_first(&pool->queue, 0), &waiters[order[i]]);
		pool_queue_leave(&pool->queue, 0, &waiters[order[i]]);
	}
}

static void of_all_lines_the_oldest_is_found(void **state)
{
	struct pool *pool = *state;
	struct pool_waiter waiters[WORKERS] = { { .since_ns = 20 }, { .since_ns = 10 }, { .since_ns = 30 } };
	struct pool_waiter behind = { .since_ns = 25 };
	for (uint32_t i = 0; i < WORKERS; i++)
		pool_queue_join(&pool->queue, i, &waiters[i]);
	pool_queue_join(&pool->queue, 1, &behind);
	assert_int_equal(pool_queue_find_oldest(&pool->queue), 1);
	pool_queue_leave(&pool->queue, 1, &waiters[1]);
	assert_int_equal(pool_queue_find_oldest(&pool->queue), 0);
	pool_queue_leave(&pool->queue, 0, &waiters[0]);
	assert_int_equal(pool_queue_find_oldest(&pool->queue), 1);
	pool_queue_leave(&pool->queue, 1, &behind);
	assert_int_equal(pool_queue_find_oldest(&pool->queue), 2);
	pool_queue_leave(&pool->queue, 2, &waiters[2]);
}

static void one_in_the_middle_may_go(void **state)
{
	struct pool *pool = *state;
	struct pool_waiter waiters[3] = { { .since_ns = 1 }, { .since_ns = 2 }, { .since_ns = 3 } };
	for (int i = 0; i < 3; i++)
		pool_queue_join(&pool->queue, 2, &waiters[i]);
	pool_queue_leave(&pool->queue, 2, &waiters[1]);
	assert_ptr_equal(pool_queue_first(&pool->queue, 2), &waiters[0]);
	pool_queue_leave(&pool->queue, 2, &waiters[0]);
	assert_ptr_equal(pool_queue_first(&pool->queue, 2), &waiters[2]);
	pool_queue_leave(&pool->queue, 2, &waiters[2]);
}

/* What a worker does to its line while others look for the oldest. */
struct coming_and_going {
	struct pool_queue *queue;
	uint32_t worker;
	uint32_t missed_count;
};

static void *come_and_go(void *argument)
{
	struct coming_and_going *task = argument;
	struct pool_waiter waiter = { .since_ns = 0 };
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		waiter.since_ns = i;
		pool_queue_join(task->queue, task->worker, &waiter);
		/* Somebody waits for sure: this one. */
		task->missed_count += pool_queue_is_empty(task->queue);
		task->missed_count += pool_queue_find_oldest(task->queue) == POOL_QUEUE_NOBODY;
		pool_queue_leave(task->queue, task->worker, &waiter);
	}
	return NULL;
}

static void who_waits_is_never_overlooked(void **state)
{
	struct pool *pool = *state;
	pthread_t threads[WORKERS];
	struct coming_and_going tasks[WORKERS];
	for (uint32_t i = 0; i < WORKERS; i++) {
		tasks[i] = (struct coming_and_going){ .queue = &pool->queue, .worker = i };
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &tasks[i]), 0);
	}
	for (uint32_t i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(tasks[i].missed_count, 0);
	}
	assert_true(pool_queue_is_empty(&pool->queue));
	assert_int_equal(pool_queue_find_oldest(&pool->queue), POOL_QUEUE_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_waits_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_line_is_first_come_first_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_comes_from_elsewhere_keeps_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_all_lines_the_oldest_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_in_the_middle_may_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_waits_is_never_overlooked, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
