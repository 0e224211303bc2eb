/* SPDX-License-Identifier: Apache-2.0 */
#include "event/signals.h"

#include "base/fd.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const int received[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT };
enum { RECEIVED_COUNT = sizeof(received) / sizeof(received[0]) };

static struct loop loop;
static struct signals signals;
static unsigned int counts[NSIG];
static bool closes_at_once;

static void on_signal(struct signals *source, int signal_number)
{
	assert_ptr_equal(source, &signals);
	counts[signal_number]++;
	if (closes_at_once)
		signals_close(source);
}

static void turn(void)
{
	loop_wait(&loop, 0);
	loop_dispatch(&loop);
	loop_end_turn(&loop);
}

static int set_up(void **state)
{
	(void)state;
	memset(counts, 0, sizeof(counts));
	closes_at_once = false;
	signals_block();
	int result = loop_init(&loop);
	return result < 0 ? result : signals_open(&signals, &loop, on_signal);
}

static int tear_down(void **state)
{
	(void)state;
	signals_close(&signals);
	signals_close(&signals);
	loop_done(&loop);
	return 0;
}

/* A program that inherits an ignored CHLD would never learn how its children ended. */
static void children_are_not_forgotten(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN);
	signals_block();
	assert_ptr_equal(signal(SIGCHLD, SIG_DFL), SIG_DFL);
}

static void each_signal_is_an_event(void **state)
{
	(void)state;
	turn();
	for (int i = 0; i < RECEIVED_COUNT; i++) {
		assert_int_equal(kill(getpid(), received[i]), 0);
		turn();
		assert_int_equal(counts[received[i]], 1);
	}
	for (int i = 0; i < RECEIVED_COUNT; i++)
		assert_int_equal(kill(getpid(), received[i]), 0);
	turn();
	for (int i = 0; i < RECEIVED_COUNT; i++)
		assert_int_equal(counts[received[i]], 2);
	turn();
	assert_int_equal(counts[SIGTERM], 2);
}

static void signals_that_wait_together_count_once(void **state)
{
	(void)state;
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	turn();
	turn();
	assert_int_equal(counts[SIGHUP], 1);
}

static void may_be_closed_in_a_callback(void **state)
{
	(void)state;
	closes_at_once = true;
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	turn();
	turn();
	assert_int_equal(counts[SIGHUP] + counts[SIGTERM], 1);
	/* What has not been received is still blocked, and is an event again after the next opening. */
	closes_at_once = false;
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(signals_open(&signals, &loop, on_signal), 0);
	turn();
	assert_int_equal(counts[SIGUSR1], 1);
}

static void *find_unblocked(void *argument)
{
	int *unblocked = argument;
	sigset_t set;
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	for (int i = 0; i < RECEIVED_COUNT; i++)
		*unblocked += !sigismember(&set, received[i]);
	return NULL;
}

static void later_threads_have_them_blocked(void **state)
{
	(void)state;
	pthread_t thread;
	int unblocked = 0;
	assert_int_equal(pthread_create(&thread, NULL, find_unblocked, &unblocked), 0);
	pthread_join(thread, NULL);
	assert_int_equal(unblocked, 0);
}

static void broken_pipe_is_only_an_error(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fd_close(&ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	fd_close(&ends[1]);
}

#define signals_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		signals_unit_test(children_are_not_forgotten),
		signals_unit_test(each_signal_is_an_event),
		signals_unit_test(signals_that_wait_together_count_once),
		signals_unit_test(may_be_closed_in_a_callback),
		signals_unit_test(later_threads_have_them_blocked),
		signals_unit_test(broken_pipe_is_only_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
