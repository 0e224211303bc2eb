/* SPDX-License-Identifier: Apache-2.0 */
/* Programs by themselves: what they get, how they end, and that nothing is left of them. */
#include "health/programs.h"

#include "base/clock.h"
#include "base/fd.h"
#include "health/health_fixture.h"
#include "health/program_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { COUNT_MAX = 3 };

static struct {
	struct fixture fixture;
	struct programs *programs;
	unsigned int ended_count;
	unsigned int room_count;
	struct program_end end;
	char line[PROGRAM_LINE_BYTES];
	uint64_t fd_count;
} test;

static char *no_environment[] = { NULL };

static void note_room(void *owner)
{
	assert_ptr_equal(owner, &test);
	test.room_count++;
}

static void note_end(void *owner, const struct program_end *end)
{
	assert_ptr_equal(owner, &test);
	test.ended_count++;
	test.end = *end;
	snprintf(test.line, sizeof(test.line), "%s", end->line);
}

static int set_up(void **state)
{
	(void)state;
	memset(&test, 0, sizeof(test));
	program_fixture_init();
	test.fd_count = fd_count_open();
	fixture_init(&test.fixture);
	test.programs = programs_new(&test.fixture.loop, COUNT_MAX, note_room, &test);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	programs_free(&test.programs);
	programs_free(&test.programs);
	fixture_done(&test.fixture);
	assert_int_equal(fd_count_open(), test.fd_count);
	assert_int_equal(program_count_children(), 0);
	program_fixture_done();
	return 0;
}

static int start_path(const char *path, struct program **ret_program)
{
	return program_start(test.programs, path, no_environment, note_end, &test, ret_program);
}

static struct program *start(const char *script)
{
	char path[PROGRAM_PATH_BYTES];
	struct program *program;
	assert_int_equal(start_path(program_write("program", script, path), &program), 0);
	return program;
}

static void run(const char *script)
{
	unsigned int ended_count = test.ended_count;
	start(script);
	fixture_run_until_count(&test.fixture, &test.ended_count, ended_count + 1);
}

static pid_t wait_for_pid(const char *name)
{
	pid_t pid = 0;
	for (int i = 0; i < 1000 && pid == 0; i++) {
		fixture_turn(&test.fixture);
		pid = program_read_pid(name);
	}
	assert_true(pid > 0);
	return pid;
}

static void wait_until_dead(pid_t pid)
{
	for (int i = 0; i < 1000 && program_is_alive(pid); i++)
		fixture_turn(&test.fixture);
	assert_false(program_is_alive(pid));
}

/* --- how they end ------------------------------------------------------------------------------------------------ */

static void exits_are_told(void **state)
{
	(void)state;
	run("exit 0");
	assert_int_equal(test.end.exit_status, 0);
	assert_int_equal(test.end.signal, 0);
	run("exit 7");
	assert_int_equal(test.end.exit_status, 7);
	assert_int_equal(test.end.signal, 0);
	run("kill -TERM $$");
	assert_int_equal(test.end.signal, SIGTERM);
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(test.room_count, 3);
}

static void what_cannot_be_run(void **state)
{
	(void)state;
	char path[PROGRAM_PATH_BYTES];
	struct program *program = NULL;
	assert_int_equal(start_path(program_path("nothing", path), &program), -ENOENT);
	assert_int_equal(start_path("/", &program), -EACCES);
	assert_int_equal(start_path("/dev/null/program", &program), -ENOTDIR);
	program_write("plain", "exit 0", path);
	truncate(path, 0);
	assert_int_equal(start_path(path, &program), -ENOEXEC);
	assert_null(program);
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(test.ended_count, 0);
	assert_true(programs_have_room(test.programs));
}

static void no_descriptors(void **state)
{
	(void)state;
	char path[PROGRAM_PATH_BYTES];
	struct program *program = NULL;
	struct rlimit before, few;
	uint64_t fd_count = fd_count_open();
	program_write("program", "sleep 1000", path);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* For whichever of its descriptors there is no room: all is given back. */
	for (rlim_t i = 0; program == NULL; i++) {
		few = (struct rlimit){ .rlim_cur = i, .rlim_max = before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		int result = start_path(path, &program);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_true(result == 0 || result == -EMFILE);
		assert_int_equal(fd_count_open(), fd_count + (result == 0 ? 2 : 0));
		assert_int_equal(program_count_children(), result == 0);
	}
	program_abandon(&program);
}

/* --- what they get ----------------------------------------------------------------------------------------------- */

static void descriptors_are_closed(void **state)
{
	(void)state;
	int inherited = open("/dev/null", O_RDONLY); /* without CLOEXEC */
	int far = fcntl(inherited, F_DUPFD, 200);
	assert_true(far >= 200);
	run("for i in /proc/$$/fd/*; do echo ${i##*/} $(readlink $i); done > %s/fds\n"
	    "names=$(readlink /proc/$$/fd/0 /proc/$$/fd/1); echo \"$names\" > %s/names; pwd > %s/folder; exit 0");
	fd_close(&inherited);
	fd_close(&far);
	assert_string_equal(program_read_file("names"), "/dev/null\n/dev/null\n");
	assert_string_equal(program_read_file("folder"), "/\n");
	const char *fds = program_read_file("fds");
	assert_null(strstr(fds, "\n200 "));
	assert_null(strstr(fds, "eventpoll"));
	assert_null(strstr(fds, "pidfd"));
}

static void signals_are_as_the_system_has_them(void **state)
{
	(void)state;
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	run("grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t ' > %s/signals");
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &blocked, NULL), 0);
	signal(SIGUSR2, SIG_DFL);
	unsigned long long are_blocked, are_ignored;
	assert_int_equal(sscanf(program_read_file("signals"), "SigBlk:%llx SigIgn:%llx", &are_blocked, &are_ignored),
			 2);
	assert_int_equal(are_blocked, 0);
	/* 32 and 33 are the C library's own. */
	assert_int_equal(are_ignored & ~0x180000000ull, 0);
}

static void the_group_is_its_own(void **state)
{
	(void)state;
	run("cut -d ' ' -f 5 /proc/$$/stat > %s/group; echo $$ > %s/pid");
	assert_int_equal(program_read_pid("group"), program_read_pid("pid"));
	assert_int_not_equal(program_read_pid("group"), getpgrp());
}

/* --- standard error ---------------------------------------------------------------------------------------------- */

static void the_first_line_is_kept(void **state)
{
	(void)state;
	run("echo 'disk is full' >&2; echo 'and more' >&2; exit 1");
	assert_string_equal(test.line, "disk is full");
	run("printf 'no end'  >&2; exit 1");
	assert_string_equal(test.line, "no end");
	run("printf 'a\\tb\\033[1m\\303\\244\\n'  >&2; exit 1");
	assert_string_equal(test.line, "a?b?[1m??");
	run("exit 1");
	assert_string_equal(test.line, "");
	run("i=0; while [ $i -lt 50 ]; do printf 0123456789 >&2; i=$((i+1)); done");
	assert_int_equal(strlen(test.line), PROGRAM_LINE_BYTES - 1);
}

/* Standard output leads nowhere, and much on standard error keeps nobody waiting. */
static void much_output_is_no_trouble(void **state)
{
	(void)state;
	run("head -c 1000000 /dev/zero; head -c 500000 /dev/zero >&2; exit 3");
	assert_int_equal(test.end.exit_status, 3);
}

static void too_much_output_has_to_wait(void **state)
{
	(void)state;
	struct program *program = start("echo $$ > %s/pid; exec head -c 4000000 /dev/zero >&2");
	pid_t pid = wait_for_pid("pid");
	fixture_run_for(&test.fixture, 300);
	assert_int_equal(test.ended_count, 0);
	program_abandon(&program);
	wait_until_dead(pid);
}

/* --- groups, giving up, places ----------------------------------------------------------------------------------- */

static void nothing_is_left_of_the_group(void **state)
{
	(void)state;
	run("sleep 1000 & echo $! > %s/pid; exit 0");
	wait_until_dead(wait_for_pid("pid"));
	assert_int_equal(test.end.exit_status, 0);
}

static void giving_up_kills_the_group(void **state)
{
	(void)state;
	struct program *program = start("trap '' TERM HUP INT; sleep 1000 & echo $! > %s/child\n"
					"(sleep 1000 & echo $! > %s/grandchild; wait) & echo $$ > %s/pid; wait");
	pid_t child = wait_for_pid("child"), grandchild = wait_for_pid("grandchild"), pid = wait_for_pid("pid");
	program_abandon(&program);
	assert_null(program);
	program_abandon(&program);
	fixture_run_until_count(&test.fixture, &test.room_count, 1);
	wait_until_dead(child);
	wait_until_dead(grandchild);
	assert_false(program_is_alive(pid));
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(test.ended_count, 0);
}

/* A place is free only when the kernel has let the program go. */
static void places_are_counted(void **state)
{
	(void)state;
	struct program *programs[COUNT_MAX];
	for (int i = 0; i < COUNT_MAX; i++) {
		assert_true(programs_have_room(test.programs));
		programs[i] = start("sleep 1000");
	}
	assert_false(programs_have_room(test.programs));
	program_abandon(&programs[0]);
	assert_false(programs_have_room(test.programs));
	fixture_run_until_count(&test.fixture, &test.room_count, 1);
	assert_true(programs_have_room(test.programs));
}

static void the_end_of_all(void **state)
{
	(void)state;
	pid_t pids[2];
	struct program *given_up = start("echo $$ > %s/first; sleep 1000");
	pids[0] = wait_for_pid("first");
	start("trap '' TERM; echo $$ > %s/second; sleep 1000 & sleep 1000");
	pids[1] = wait_for_pid("second");
	program_abandon(&given_up);
	uint64_t start_ms = clock_monotonic_ms();
	programs_free(&test.programs);
	assert_in_range(clock_monotonic_ms() - start_ms, 0, PROGRAMS_PATIENCE_MS + 1000);
	for (int i = 0; i < 2; i++)
		assert_false(program_is_alive(pids[i]));
	assert_int_equal(program_count_children(), 0);
	assert_int_equal(test.ended_count, 0);
}

#define programs_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		programs_unit_test(exits_are_told),
		programs_unit_test(what_cannot_be_run),
		programs_unit_test(no_descriptors),
		programs_unit_test(descriptors_are_closed),
		programs_unit_test(signals_are_as_the_system_has_them),
		programs_unit_test(the_group_is_its_own),
		programs_unit_test(the_first_line_is_kept),
		programs_unit_test(much_output_is_no_trouble),
		programs_unit_test(too_much_output_has_to_wait),
		programs_unit_test(nothing_is_left_of_the_group),
		programs_unit_test(giving_up_kills_the_group),
		programs_unit_test(places_are_counted),
		programs_unit_test(the_end_of_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
