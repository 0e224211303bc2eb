/* SPDX-License-Identifier: Apache-2.0 */
#include "net/splice.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* far[i] is the other end of near[i]; what is spliced goes from near[0] to near[1]. */
struct fixture {
	struct splice_pipe pipe;
	int near[2];
	int far[2];
};

static int open_fixture(void **state)
{
	static struct fixture fixture;
	for (int i = 0; i < 2; i++) {
		int fds[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
			return -1;
		fixture.near[i] = fds[0];
		fixture.far[i] = fds[1];
	}
	*state = &fixture;
	return splice_open(&fixture.pipe);
}

static int close_fixture(void **state)
{
	struct fixture *fixture = *state;
	splice_close(&fixture->pipe);
	for (int i = 0; i < 2; i++) {
		close(fixture->near[i]);
		close(fixture->far[i]);
	}
	return 0;
}

static void moves_what_there_is(void **state)
{
	struct fixture *f = *state;
	char buf[16];
	assert_int_equal(write(f->far[0], "hello", 5), 5);
	assert_int_equal(splice_fill(&f->pipe, f->near[0], SPLICE_PIPE_BYTES), 5);
	assert_int_equal(f->pipe.held_bytes, 5);
	assert_int_equal(splice_drain(&f->pipe, f->near[1]), 5);
	assert_int_equal(f->pipe.held_bytes, 0);
	assert_int_equal(read(f->far[1], buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
}

static void tells_nothing_and_the_end_apart(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(splice_fill(&f->pipe, f->near[0], SPLICE_PIPE_BYTES), -EAGAIN);
	shutdown(f->far[0], SHUT_WR);
	assert_int_equal(splice_fill(&f->pipe, f->near[0], SPLICE_PIPE_BYTES), 0);
	assert_int_equal(f->pipe.held_bytes, 0);
}

static void says_what_cannot_be_spliced(void **state)
{
	struct fixture *f = *state;
	int other = epoll_create1(0);
	assert_int_equal(splice_fill(&f->pipe, other, SPLICE_PIPE_BYTES), -EINVAL);
	assert_int_equal(f->pipe.held_bytes, 0);
	close(other);
}

static void keeps_what_a_full_sink_does_not_take(void **state)
{
	struct fixture *f = *state;
	static char filler[1 << 20];
	char buf[16];
	while (write(f->near[1], filler, sizeof(filler)) > 0)
		continue;
	assert_int_equal(write(f->far[0], "kept", 4), 4);
	assert_int_equal(splice_fill(&f->pipe, f->near[0], SPLICE_PIPE_BYTES), 4);
	assert_int_equal(splice_drain(&f->pipe, f->near[1]), 0);
	assert_int_equal(f->pipe.held_bytes, 4);
	while (read(f->far[1], filler, sizeof(filler)) > 0)
		continue;
	assert_int_equal(splice_drain(&f->pipe, f->near[1]), 4);
	assert_int_equal(read(f->far[1], buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "kept", 4);
}

static void reports_a_sink_that_is_gone(void **state)
{
	struct fixture *f = *state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write(f->far[0], "lost", 4), 4);
	assert_int_equal(splice_fill(&f->pipe, f->near[0], SPLICE_PIPE_BYTES), 4);
	shutdown(f->near[1], SHUT_WR);
	assert_int_equal(splice_drain(&f->pipe, f->near[1]), -EPIPE);
	assert_int_equal(f->pipe.held_bytes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(moves_what_there_is, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(tells_nothing_and_the_end_apart, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(says_what_cannot_be_spliced, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(keeps_what_a_full_sink_does_not_take, open_fixture, close_fixture),
		cmocka_unit_test_setup_teardown(reports_a_sink_that_is_gone, open_fixture, close_fixture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
