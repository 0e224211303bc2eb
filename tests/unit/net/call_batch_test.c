/* SPDX-License-Identifier: Apache-2.0 */
#include "net/call_batch.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAIRS = CALL_BATCH_MAX, TEXT_BYTES = 32 };

struct fixture {
	struct call_batch batch;
	int near[PAIRS];
	int far[PAIRS];
};

static struct fixture with_ring, without_ring;

static int open_all(struct fixture *fixture)
{
	for (int i = 0; i < PAIRS; i++) {
		int fds[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			return -1;
		fixture->near[i] = fds[0];
		fixture->far[i] = fds[1];
	}
	return 0;
}

static void close_all(struct fixture *fixture)
{
	call_batch_close(&fixture->batch);
	for (int i = 0; i < PAIRS; i++) {
		close(fixture->near[i]);
		close(fixture->far[i]);
	}
}

static int open_with_ring(void **state)
{
	*state = &with_ring;
	int result = call_batch_open(&with_ring.batch);
	if (result < 0)
		print_message("no io_uring here (%s): the same once more without it\n", strerror(-result));
	return open_all(&with_ring);
}

static int open_without_ring(void **state)
{
	*state = &without_ring;
	return open_all(&without_ring);
}

static int close_fixture(void **state)
{
	close_all(*state);
	return 0;
}

static void sends_and_receives_many(void **state)
{
	struct fixture *f = *state;
	char sent[PAIRS][TEXT_BYTES], got[PAIRS][TEXT_BYTES];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PAIRS; i++) {
			memset(sent[i], 'a' + (i + round) % 26, TEXT_BYTES);
			call_batch_send(&f->batch, f->near[i], sent[i], (size_t)i / 2 + 1);
		}
		assert_true(call_batch_is_full(&f->batch));
		call_batch_run(&f->batch);
		for (int i = 0; i < PAIRS; i++)
			assert_int_equal(f->batch.results[i], i / 2 + 1);
		for (int i = 0; i < PAIRS; i++)
			call_batch_recv(&f->batch, f->far[i], got[i], TEXT_BYTES);
		call_batch_run(&f->batch);
		for (int i = 0; i < PAIRS; i++) {
			assert_int_equal(f->batch.results[i], i / 2 + 1);
			assert_memory_equal(got[i], sent[i], (size_t)i / 2 + 1);
		}
	}
}

/* Blocking sockets, too: nothing is waited for. */
static void tells_what_each_call_met(void **state)
{
	struct fixture *f = *state;
	char buf[4][TEXT_BYTES];
	shutdown(f->far[1], SHUT_WR);
	close(f->far[2]);
	f->far[2] = -1;
	assert_int_equal(write(f->far[3], "three", 5), 5);
	for (int i = 0; i < 4; i++)
		call_batch_recv(&f->batch, f->near[i], buf[i], TEXT_BYTES);
	call_batch_send(&f->batch, f->near[2], "x", 1); /* no signal */
	call_batch_run(&f->batch);
	assert_int_equal(f->batch.results[0], -EAGAIN);
	assert_int_equal(f->batch.results[1], 0);
	assert_int_equal(f->batch.results[2], 0);
	assert_int_equal(f->batch.results[3], 5);
	assert_int_equal(f->batch.results[4], -EPIPE);
}

static void sends_what_there_is_room_for(void **state)
{
	struct fixture *f = *state;
	static char much[1 << 20];
	call_batch_send(&f->batch, f->near[0], much, sizeof(much));
	call_batch_send(&f->batch, f->near[1], much, 10);
	call_batch_run(&f->batch);
	assert_in_range(f->batch.results[0], 1, sizeof(much) - 1);
	assert_int_equal(f->batch.results[1], 10);
	call_batch_send(&f->batch, f->near[0], much, sizeof(much));
	call_batch_run(&f->batch);
	assert_int_equal(f->batch.results[0], -EAGAIN);
}

static void does_nothing_without_calls(void **state)
{
	struct fixture *f = *state;
	call_batch_run(&f->batch);
	assert_int_equal(f->batch.count, 0);
}

#define BOTH(test)                                                                                                     \
	cmocka_unit_test_setup_teardown(test, open_with_ring, close_fixture),                                          \
		cmocka_unit_test_setup_teardown(test, open_without_ring, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(sends_and_receives_many),
		BOTH(tells_what_each_call_met),
		BOTH(sends_what_there_is_room_for),
		BOTH(does_nothing_without_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
