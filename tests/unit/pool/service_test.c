/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/service.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 20000, PLACES = 2 };

static void a_queue_has_so_many_places(void **state)
{
	(void)state;
	struct service *service = service_new("web", 2);
	assert_false(service_queue_enter(service, 0));
	for (int i = 0; i < 3; i++)
		assert_true(service_queue_enter(service, 3));
	assert_false(service_queue_enter(service, 3));
	/* A lowered bound leaves those who wait alone. */
	assert_false(service_queue_enter(service, 2));
	service_queue_leave(service);
	assert_true(service_queue_enter(service, 3));
	for (int i = 0; i < 3; i++)
		service_queue_leave(service);
	assert_int_equal(service->queued_now, 0);
	service_free(&service);
}

/* What one thread has met. */
struct rush {
	struct service *service;
	uint32_t entered_count;
	uint32_t too_many_count;
};

static void *enter_and_leave(void *argument)
{
	struct rush *rush = argument;
	while (rush->entered_count < ROUNDS) {
		if (!service_queue_enter(rush->service, PLACES)) {
			/* Those who hold the places may be waiting for a processor. */
			sched_yield();
			continue;
		}
		rush->entered_count++;
		rush->too_many_count += rush->service->queued_now > PLACES;
		service_queue_leave(rush->service);
	}
	return NULL;
}

static void the_bound_holds_in_a_rush(void **state)
{
	(void)state;
	struct service *service = service_new("web", 2);
	pthread_t threads[THREADS];
	struct rush rushes[THREADS];
	for (int i = 0; i < THREADS; i++) {
		rushes[i] = (struct rush){ .service = service };
		assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, &rushes[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(rushes[i].entered_count, ROUNDS);
		assert_int_equal(rushes[i].too_many_count, 0);
	}
	assert_int_equal(service->queued_now, 0);
	service_free(&service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_has_so_many_places),
		cmocka_unit_test(the_bound_holds_in_a_rush),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
