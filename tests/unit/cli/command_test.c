/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/exit_code.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_nearest_command_is_suggested(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "chekc", "check" },     { "stats", "status" }, { "rum", "run" },   { "verison", "version" },
		{ "explian", "explain" }, { "demmo", "demo" },   { "hlep", "help" }, { "tpc", "tcp" },
	};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *suggestion = command_suggest(pairs[i][0]);
		assert_non_null(suggestion);
		assert_string_equal(suggestion, pairs[i][1]);
	}
	assert_null(command_suggest("balderdash"));
	assert_null(command_suggest(""));
}

/* Runs the words with both streams turned away. */
static int run(const char *first, const char *second)
{
	char words[3][64];
	char *argv[] = { strcpy(words[0], "strait"), NULL, NULL, NULL };
	int argc = 1;
	if (first != NULL)
		argv[argc++] = strcpy(words[1], first);
	if (second != NULL)
		argv[argc++] = strcpy(words[2], second);
	fflush(stdout);
	int saved[] = { dup(STDOUT_FILENO), dup(STDERR_FILENO) };
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null_fd, STDOUT_FILENO);
	dup2(null_fd, STDERR_FILENO);
	int code = command_main(argc, argv);
	dup2(saved[0], STDOUT_FILENO);
	dup2(saved[1], STDERR_FILENO);
	close(saved[0]);
	close(saved[1]);
	close(null_fd);
	return code;
}

static void exit_codes_tell_usage_from_success(void **state)
{
	(void)state;
	assert_int_equal(run(NULL, NULL), EXIT_CODE_USAGE);
	assert_int_equal(run("chekc", NULL), EXIT_CODE_USAGE);
	assert_int_equal(run("run", "--bogus"), EXIT_CODE_USAGE);
	assert_int_equal(run("tcp", ":8080"), EXIT_CODE_USAGE);
	assert_int_equal(run("version", "extra"), EXIT_CODE_USAGE);
	assert_int_equal(run("help", "chekc"), EXIT_CODE_USAGE);
	assert_int_equal(run("help", NULL), EXIT_CODE_OK);
	assert_int_equal(run("help", "check"), EXIT_CODE_OK);
	assert_int_equal(run("check", "--help"), EXIT_CODE_OK);
	assert_int_equal(run("--help", NULL), EXIT_CODE_OK);
	assert_int_equal(run("-h", NULL), EXIT_CODE_OK);
	assert_int_equal(run("--version", NULL), EXIT_CODE_OK);
	assert_int_equal(run("version", NULL), EXIT_CODE_OK);
	assert_int_equal(run("explain", "--reference"), EXIT_CODE_OK);
	assert_int_equal(run("explain", "balence"), EXIT_CODE_USAGE);
	assert_int_equal(run("check", "-cdoes-not-exist.conf"), EXIT_CODE_INVALID_CONFIGURATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_command_is_suggested),
		cmocka_unit_test(exit_codes_tell_usage_from_success),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
