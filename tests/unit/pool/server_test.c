/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 50000 };

static struct server *server_make(void)
{
	struct addr addr;
	const char *problem = NULL;
	assert_int_equal(addr_parse(span_from_text("10.0.0.1:80"), &addr, &problem), 0);
	return server_new("blue", &addr, 2);
}

static void begins_up_and_without_limits(void **state)
{
	(void)state;
	struct server *server = server_make();
	assert_string_equal(server->name, "blue");
	assert_int_equal(server->endpoint.port, 80);
	assert_int_equal(server->references, 1);
	assert_true(server_is_eligible(server, 0));
	for (int i = 0; i < 1000; i++)
		assert_true(server_enter(server, 0));
	for (int i = 0; i < 1000; i++)
		server_leave(server);
	assert_int_equal(server_active(server), 0);
	server_free(&server);
	assert_null(server);
	server_free(&server);
}

static void has_one_word_for_its_state(void **state)
{
	(void)state;
	assert_string_equal(server_state_word(0), "up");
	assert_string_equal(server_state_word(SERVER_DOWN), "down");
	assert_string_equal(server_state_word(SERVER_EJECTED), "down");
	assert_string_equal(server_state_word(SERVER_DRAIN | SERVER_DOWN), "drain");
	assert_string_equal(server_state_word(SERVER_MAINT | SERVER_DRAIN), "maint");
}

/* Ejected and down are one condition; the first one is no change. */
static void notes_when_its_condition_changes(void **state)
{
	(void)state;
	struct server *server = server_make();
	server->state = SERVER_DRAIN;
	server_note_condition(server, 10);
	assert_int_equal(server->state_since_ms, 0);
	server->state = SERVER_DOWN;
	server_note_condition(server, 20);
	server->state = SERVER_EJECTED;
	server_note_condition(server, 30);
	assert_int_equal(server->state_since_ms, 20);
	server->state = 0;
	server_note_condition(server, 40);
	assert_int_equal(server->state_since_ms, 40);
	assert_int_equal(server->conditions.counts[SERVER_IS_DRAINING], 0);
	assert_int_equal(server->conditions.counts[SERVER_IS_DOWN], 1);
	assert_int_equal(server->conditions.counts[SERVER_IS_UP], 1);
	server_free(&server);
}

static void takes_nothing_in_any_state_but_up(void **state)
{
	(void)state;
	struct server *server = server_make();
	for (uint32_t bit = SERVER_DOWN; bit <= SERVER_MAINT; bit <<= 1) {
		server->state = bit;
		assert_false(server_enter(server, 0));
		assert_int_equal(server_enter(server, SERVER_UNHEALTHY), (bit & SERVER_UNHEALTHY) != 0);
	}
	assert_int_equal(server_active(server), 2);
	server_free(&server);
}

static void is_ejected_by_failures_in_a_row(void **state)
{
	(void)state;
	struct server *server = server_make();
	for (int i = 0; i < 10; i++)
		assert_false(server_note_failure(server, 0));
	server_note_success(server);
	assert_false(server_note_failure(server, 3));
	assert_false(server_note_failure(server, 3));
	server_note_success(server);
	assert_false(server_note_failure(server, 3));
	assert_false(server_note_failure(server, 3));
	assert_int_equal(server->state, 0);
	assert_true(server_note_failure(server, 3));
	assert_int_equal(server->state, SERVER_EJECTED);
	assert_false(server_note_failure(server, 3));
	server_free(&server);
}

static void *enter_and_leave(void *argument)
{
	struct server *server = argument;
	for (int i = 0; i < ROUNDS; i++) {
		if (!server_enter(server, 0))
			continue;
		if (server_active(server) > 3)
			return "more than the limit";
		server_leave(server);
	}
	return NULL;
}

static void threads_never_exceed_its_limit(void **state)
{
	(void)state;
	struct server *server = server_make();
	pthread_t threads[THREADS];
	server->connections_max = 3;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, server), 0);
	for (int i = 0; i < THREADS; i++) {
		void *problem;
		assert_int_equal(pthread_join(threads[i], &problem), 0);
		assert_null(problem);
	}
	assert_int_equal(server_active(server), 0);
	server_free(&server);
}

static void *note_failures(void *argument)
{
	uintptr_t told_count = 0;
	for (int i = 0; i < 1000; i++)
		told_count += server_note_failure(argument, 100);
	return (void *)told_count;
}

static void one_thread_is_told_of_an_ejection(void **state)
{
	(void)state;
	struct server *server = server_make();
	pthread_t threads[THREADS];
	uintptr_t told_count = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, note_failures, server), 0);
	for (int i = 0; i < THREADS; i++) {
		void *count;
		assert_int_equal(pthread_join(threads[i], &count), 0);
		told_count += (uintptr_t)count;
	}
	assert_int_equal(told_count, 1);
	server_free(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_up_and_without_limits),
		cmocka_unit_test(has_one_word_for_its_state),
		cmocka_unit_test(notes_when_its_condition_changes),
		cmocka_unit_test(takes_nothing_in_any_state_but_up),
		cmocka_unit_test(is_ejected_by_failures_in_a_row),
		cmocka_unit_test(threads_never_exceed_its_limit),
		cmocka_unit_test(one_thread_is_told_of_an_ejection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
