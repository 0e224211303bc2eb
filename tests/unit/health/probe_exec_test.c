/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that run programs. How programs are run and reaped is tested in programs_test.c. */
#include "health/probe.h"

#include "base/fd.h"
#include "health/probe_fixture.h"
#include "health/program_fixture.h"
#include "health/programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static struct programs *programs;

static void note_room(void *owner)
{
	(void)owner;
}

static int set_up(void **state)
{
	probe_fixture_set_up(state);
	program_fixture_init();
	programs = programs_new(&fixture.loop, 4, note_room, NULL);
	return 0;
}

static int tear_down(void **state)
{
	programs_free(&programs);
	assert_int_equal(program_count_children(), 0);
	program_fixture_done();
	return probe_fixture_tear_down(state);
}

static struct probe_request request_for(const char *path, const char *address)
{
	struct addr addr;
	const char *problem = "";
	assert_int_equal(addr_parse(span_from_text(address), &addr, &problem), 0);
	struct probe_request request = probe_request_to(&probe_kind_exec, &addr, "", "");
	request.exec.programs = programs;
	request.exec.program = path;
	request.exec.pool = "web";
	request.exec.server = "blue";
	return request;
}

static const struct probe_outcome *run_at(const char *script, const char *address, uint64_t timeout_ms)
{
	char path[PROGRAM_PATH_BYTES];
	struct probe_request request = request_for(program_write("program", script, path), address);
	request.timeout_ms = timeout_ms;
	return probe_run(&request);
}

static const struct probe_outcome *run(const char *script)
{
	return run_at(script, "10.0.0.1:80", 3000);
}

static void exit_status_decides(void **state)
{
	(void)state;
	assert_good(run("exit 0"));
	assert_good(run("echo warning >&2; exit 0"));
	assert_bad(run("exit 1"), "exit status 1");
	assert_bad(run("echo 'disk is full' >&2; exit 2"), "exit status 2: disk is full");
	assert_bad(run("kill -KILL $$"), "killed by signal 9");
}

static void what_cannot_be_run_is_a_failure(void **state)
{
	(void)state;
	char path[PROGRAM_PATH_BYTES];
	struct probe_request request = request_for(program_path("nothing", path), "10.0.0.1:80");
	assert_bad(probe_run(&request), "cannot run the program: No such file or directory");
	request = request_for("/", "10.0.0.1:80");
	assert_bad(probe_run(&request), "cannot run the program: Permission denied");
}

static void a_shortage_is_no_verdict(void **state)
{
	(void)state;
	char path[PROGRAM_PATH_BYTES];
	struct probe_request request = request_for(program_write("program", "exit 0", path), "unix:/run/x.sock");
	struct rlimit before, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	probe_start(&probe, &request);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	fixture_run_until(&fixture, &probe_has_ended);
	assert_int_equal(probe.outcome.result, PROBE_UNDECIDED);
	assert_string_equal(probe.outcome.cause, "cannot run the program: Too many open files");
}

static void time_is_limited(void **state)
{
	(void)state;
	const struct probe_outcome *outcome = run_at("sleep 1000", "10.0.0.1:80", 500);
	assert_bad(outcome, "the program did not end within 500ms");
	assert_took(outcome, 500);
}

/* Starts a check whose program writes a pid into a file, and returns that when it is there. */
static pid_t start_until_known(const char *script, const char *pid_file)
{
	char path[PROGRAM_PATH_BYTES];
	struct probe_request request = request_for(program_write("program", script, path), "10.0.0.1:80");
	probe_start(&probe, &request);
	pid_t pid = 0;
	for (int i = 0; i < 1000 && pid == 0; i++) {
		fixture_turn(&fixture);
		pid = program_read_pid(pid_file);
	}
	assert_true(program_is_alive(pid));
	return pid;
}

static void children_of_a_late_program_end_with_it(void **state)
{
	(void)state;
	pid_t child = start_until_known("sleep 1000 & echo $! > %s/child; wait", "child");
	timer_arm(&fixture.wheel, &probe.deadline, 0);
	fixture_run_until(&fixture, &probe_has_ended);
	for (int i = 0; i < 1000 && program_is_alive(child); i++)
		fixture_turn(&fixture);
	assert_false(program_is_alive(child));
	assert_good(run("exit 0"));
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The environment that a program saw, one variable a line, in the order of names. */
static const char *environment_at(const char *address)
{
	static char sorted[4096];
	char *lines[32];
	size_t count = 0;
	/* The shell adds PWD and the like by itself, so the kernel is asked what it was given. */
	assert_good(run_at("tr '\\0' '\\n' < /proc/$$/environ > %s/environment", address, 3000));
	char *text = strdup(program_read_file("environment"));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		assert_true(count < 32);
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(lines[0]), compare_lines);
	sorted[0] = '\0';
	for (size_t i = 0; i < count; i++)
		strcat(strcat(sorted, lines[i]), "\n");
	free(text);
	return sorted;
}

#define SYSTEM_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"

static void the_environment_is_the_documented_one(void **state)
{
	(void)state;
	setenv("STRAIT_SECRET", "x", 1);
	assert_string_equal(environment_at("10.0.0.1:80"),
			    SYSTEM_PATH "STRAIT_ADDRESS=10.0.0.1:80\nSTRAIT_FAMILY=ipv4\nSTRAIT_HOST=10.0.0.1\n"
					"STRAIT_POOL=web\nSTRAIT_PORT=80\nSTRAIT_SERVER=blue\n");
	assert_string_equal(environment_at("[fe80::1%2]:8443"),
			    SYSTEM_PATH "STRAIT_ADDRESS=[fe80::1%2]:8443\nSTRAIT_FAMILY=ipv6\n"
					"STRAIT_HOST=fe80::1%2\nSTRAIT_POOL=web\nSTRAIT_PORT=8443\n"
					"STRAIT_SERVER=blue\n");
	assert_string_equal(environment_at("unix:/run/a:b]c.sock"),
			    SYSTEM_PATH "STRAIT_ADDRESS=unix:/run/a:b]c.sock\nSTRAIT_FAMILY=unix\n"
					"STRAIT_HOST=/run/a:b]c.sock\nSTRAIT_POOL=web\nSTRAIT_PORT=\n"
					"STRAIT_SERVER=blue\n");
}

static void stops_while_running(void **state)
{
	(void)state;
	pid_t pid = start_until_known("echo $$ > %s/pid; sleep 1000", "pid");
	probe_stop(&probe);
	probe_stop(&probe);
	for (int i = 0; i < 1000 && program_is_alive(pid); i++)
		fixture_turn(&fixture);
	assert_false(program_is_alive(pid));
	assert_int_equal(probe_ended_count, 0);
}

#define exec_unit_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		exec_unit_test(exit_status_decides),
		exec_unit_test(what_cannot_be_run_is_a_failure),
		exec_unit_test(a_shortage_is_no_verdict),
		exec_unit_test(time_is_limited),
		exec_unit_test(children_of_a_late_program_end_with_it),
		exec_unit_test(the_environment_is_the_documented_one),
		exec_unit_test(stops_while_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
