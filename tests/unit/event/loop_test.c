/* SPDX-License-Identifier: Apache-2.0 */
#include "event/loop.h"

#include "base/clock.h"
#include "base/fd.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static char history[64]; /* names of sources and of deferred work, in the order of their calls */

static void note(char name)
{
	size_t len = strlen(history);
	assert_true(len < sizeof(history) - 1);
	history[len] = name;
	history[len + 1] = '\0';
}

/* A source that notes its name, and may put another one out of the world. */
struct subject {
	struct loop_source source;
	struct loop_deferred deferred;
	char name;
	uint32_t events;        /* of its last event */
	struct subject *victim; /* closed and freed at the end of the turn */
	bool has_ended;
};

static void free_subject(struct loop_deferred *deferred)
{
	struct subject *subject = LIST_OWNER(deferred, struct subject, deferred);
	note('f');
	free(subject);
}

static void on_event(struct loop_source *source, uint32_t events)
{
	struct subject *subject = LIST_OWNER(source, struct subject, source);
	/* A stale event: the memory is still there, so that its owner can see that it has ended. */
	if (subject->has_ended) {
		note('s');
		return;
	}
	note(subject->name);
	subject->events = events;
	struct subject *victim = subject->victim;
	subject->victim = NULL;
	if (victim == NULL)
		return;
	victim->has_ended = true;
	fd_close(&victim->source.fd);
	loop_defer(&loop, &victim->deferred, free_subject);
}

static struct subject *new_subject(char name, bool is_late)
{
	struct subject *subject = calloc(1, sizeof(*subject));
	assert_non_null(subject);
	subject->name = name;
	subject->source = (struct loop_source){
		.on_event = on_event,
		.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK),
		.is_late = is_late,
	};
	assert_int_equal(loop_add(&loop, &subject->source, EPOLLIN), 0);
	return subject;
}

static void end_subject(struct subject *subject)
{
	fd_close(&subject->source.fd);
	free(subject);
}

static void turn(int timeout_ms)
{
	history[0] = '\0';
	loop_wait(&loop, timeout_ms);
	loop_dispatch(&loop);
	loop_dispatch_late(&loop);
	loop_end_turn(&loop);
}

static int set_up(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_done(&loop);
	assert_int_equal(loop.epoll_fd, -1);
	return 0;
}

static void hands_out_what_happened(void **state)
{
	(void)state;
	struct subject *subject = new_subject('a', false);
	turn(0);
	assert_string_equal(history, "a");
	assert_int_equal(subject->events, EPOLLIN);
	assert_int_equal(loop_change(&loop, &subject->source, EPOLLIN | EPOLLOUT), 0);
	turn(0);
	assert_int_equal(subject->events, EPOLLIN | EPOLLOUT);
	loop_remove(&loop, &subject->source);
	turn(0);
	assert_string_equal(history, "");
	end_subject(subject);
}

static void closing_unregisters(void **state)
{
	(void)state;
	struct subject *subject = new_subject('a', false);
	fd_close(&subject->source.fd);
	turn(0);
	assert_string_equal(history, "");
	end_subject(subject);
}

static void tells_errors(void **state)
{
	(void)state;
	struct loop_source source = { .on_event = on_event, .fd = -1 };
	assert_true(loop_add(&loop, &source, EPOLLIN) < 0);
	source.fd = eventfd(0, EFD_CLOEXEC);
	assert_true(loop_change(&loop, &source, EPOLLIN) < 0);
	fd_close(&source.fd);
}

static void late_sources_come_last(void **state)
{
	(void)state;
	struct subject *late = new_subject('z', true);
	struct subject *late_too = new_subject('y', true);
	struct subject *first = new_subject('a', false);
	struct subject *second = new_subject('b', false);
	turn(0);
	assert_int_equal(strlen(history), 4);
	assert_true(memchr(history, 'a', 2) != NULL);
	assert_true(memchr(history, 'b', 2) != NULL);
	end_subject(late);
	end_subject(late_too);
	end_subject(first);
	end_subject(second);
}

/* Whichever of the two comes first ends the other, which is freed after its stale event. */
static void stale_event_finds_its_source(void **state)
{
	(void)state;
	struct subject *first = new_subject('a', false);
	struct subject *second = new_subject('a', false);
	first->victim = second;
	second->victim = first;
	turn(0);
	assert_string_equal(history, "asf");
	turn(0);
	assert_string_equal(history, "a");
	/* The one that is left: its victim, the one freed, was forgotten when it acted. */
	loop_wait(&loop, 0);
	assert_int_equal(loop.event_count, 1);
	end_subject(LIST_OWNER(loop.events[0].data.ptr, struct subject, source));
}

/* Work that defers itself again, for as long as `again` says. */
struct work {
	struct loop_deferred deferred;
	char name;
	int again;
};

static void run_work(struct loop_deferred *deferred)
{
	struct work *work = LIST_OWNER(deferred, struct work, deferred);
	assert_false(list_is_linked(&deferred->link));
	note(work->name);
	if (work->again-- > 0)
		loop_defer(&loop, deferred, run_work);
}

static void deferred_work_runs_once_in_order(void **state)
{
	(void)state;
	struct work a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
	loop_defer(&loop, &b.deferred, run_work);
	loop_defer(&loop, &a.deferred, run_work);
	loop_defer(&loop, &b.deferred, run_work);
	loop_defer(&loop, &c.deferred, run_work);
	turn(0);
	assert_string_equal(history, "bac");
	turn(0);
	assert_string_equal(history, "");
}

static void work_deferred_meanwhile_runs_in_the_same_call(void **state)
{
	(void)state;
	struct work a = { .name = 'a', .again = 2 }, b = { .name = 'b' };
	loop_defer(&loop, &a.deferred, run_work);
	loop_defer(&loop, &b.deferred, run_work);
	turn(0);
	assert_string_equal(history, "abaa");
}

static void waits_and_reads_the_clock(void **state)
{
	(void)state;
	uint64_t before_ms = clock_monotonic_ms();
	turn(30);
	assert_in_range(loop.now_ms, before_ms + 29, clock_monotonic_ms());
	assert_int_equal(loop.now_ms, loop.now_ns / CLOCK_NS_PER_MS);
}

static void ignore_alarm(int signal_number)
{
	(void)signal_number;
}

static void interrupted_wait_brings_nothing(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = ignore_alarm };
	/* Again and again: the first may come before the wait. */
	struct itimerval soon = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 };
	struct itimerval never = { 0 };
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	uint64_t before_ms = clock_monotonic_ms();
	turn(5000);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(loop.now_ms - before_ms < 4000);
	assert_string_equal(history, "");
}

#define loop_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_unit_test(hands_out_what_happened),
		loop_unit_test(closing_unregisters),
		loop_unit_test(tells_errors),
		loop_unit_test(late_sources_come_last),
		loop_unit_test(stale_event_finds_its_source),
		loop_unit_test(deferred_work_runs_once_in_order),
		loop_unit_test(work_deferred_meanwhile_runs_in_the_same_call),
		loop_unit_test(waits_and_reads_the_clock),
		loop_unit_test(interrupted_wait_brings_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
