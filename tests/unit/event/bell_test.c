/* SPDX-License-Identifier: Apache-2.0 */
#include "event/bell.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { RINGERS = 4, RINGS_EACH = 20000 };

static struct loop loop;
static struct bell bell;
static unsigned int heard_count;
static _Atomic uint64_t done[RINGERS]; /* what each ringer has done before it rang last */
static uint64_t seen[RINGERS];         /* and what the owner has seen of it */

static void on_ring(struct bell *rung)
{
	assert_ptr_equal(rung, &bell);
	heard_count++;
	for (int i = 0; i < RINGERS; i++)
		seen[i] = atomic_load_explicit(&done[i], memory_order_relaxed);
}

static void turn(int timeout_ms)
{
	loop_wait(&loop, timeout_ms);
	loop_dispatch(&loop);
	loop_end_turn(&loop);
}

static int set_up(void **state)
{
	(void)state;
	heard_count = 0;
	int result = loop_init(&loop);
	return result < 0 ? result : bell_open(&bell, &loop, on_ring);
}

static int tear_down(void **state)
{
	(void)state;
	bell_close(&bell);
	bell_close(&bell);
	loop_done(&loop);
	return 0;
}

static void is_heard_once_however_often_it_rings(void **state)
{
	(void)state;
	turn(0);
	assert_int_equal(heard_count, 0);
	for (int i = 0; i < 100; i++)
		bell_ring(&bell);
	turn(0);
	assert_int_equal(heard_count, 1);
	turn(0);
	assert_int_equal(heard_count, 1);
	bell_ring(&bell);
	turn(0);
	assert_int_equal(heard_count, 2);
}

static void *ring_often(void *argument)
{
	_Atomic uint64_t *mine = argument;
	for (uint64_t i = 1; i <= RINGS_EACH; i++) {
		atomic_store_explicit(mine, i, memory_order_relaxed);
		bell_ring(&bell);
	}
	return NULL;
}

static bool has_seen_all(void)
{
	for (int i = 0; i < RINGERS; i++)
		if (seen[i] != RINGS_EACH)
			return false;
	return true;
}

static void shows_what_was_done_before_the_last_ring(void **state)
{
	(void)state;
	pthread_t threads[RINGERS];
	for (int i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_often, &done[i]), 0);
	/* A lost ring leaves the loop waiting for ever. */
	while (!has_seen_all()) {
		unsigned int before = heard_count;
		turn(30000);
		assert_true(heard_count > before);
	}
	for (int i = 0; i < RINGERS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_heard_once_however_often_it_rings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shows_what_was_done_before_the_last_ring, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
