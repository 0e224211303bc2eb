/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CONFIG, STRICT, OUTPUT, SPEC_COUNT };

static const char *const words[] = { "text", "json", NULL };
static const struct option_spec specs[SPEC_COUNT] = {
	[CONFIG] = { 'c', "config", "FILE", NULL, "" },
	[STRICT] = { 0, "strict", NULL, NULL, "" },
	[OUTPUT] = { 'o', "output", "text|json", words, "" },
};

enum { WORDS_MAX = 8 };

static struct options options;
static char problem[OPTIONS_PROBLEM_BYTES];

/* The words, NULL at the end. */
static int parse(const char *const *given)
{
	static char copies[WORDS_MAX][64];
	static char *argv[WORDS_MAX];
	int argc = 0;
	problem[0] = '\0';
	for (; given[argc] != NULL; argc++)
		argv[argc] = strcpy(copies[argc], given[argc]);
	return options_parse(specs, SPEC_COUNT, argc, argv, &options, problem);
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void nothing_is_fine(void **state)
{
	(void)state;
	assert_int_equal(PARSE(), 0);
	assert_null(options.values[CONFIG]);
	assert_int_equal(options.argument_count, 0);
}

static void values_may_be_attached(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-c", "a.conf"), 0);
	assert_string_equal(options.values[CONFIG], "a.conf");
	assert_int_equal(PARSE("-ca.conf"), 0);
	assert_string_equal(options.values[CONFIG], "a.conf");
	assert_int_equal(PARSE("--config", "a.conf"), 0);
	assert_string_equal(options.values[CONFIG], "a.conf");
	assert_int_equal(PARSE("--config=a=b"), 0);
	assert_string_equal(options.values[CONFIG], "a=b");
	assert_int_equal(PARSE("--config="), 0);
	assert_string_equal(options.values[CONFIG], "");
}

static void options_and_arguments_mix(void **state)
{
	(void)state;
	assert_int_equal(PARSE("first", "--strict", "second", "-o", "json", "-", "third"), 0);
	assert_non_null(options.values[STRICT]);
	assert_string_equal(options.values[OUTPUT], "json");
	assert_int_equal(options.argument_count, 4);
	assert_string_equal(options.arguments[0], "first");
	assert_string_equal(options.arguments[1], "second");
	assert_string_equal(options.arguments[2], "-");
	assert_string_equal(options.arguments[3], "third");
}

static void behind_two_dashes_all_are_arguments(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--strict", "--", "--config", "--"), 0);
	assert_int_equal(options.argument_count, 2);
	assert_string_equal(options.arguments[0], "--config");
	assert_string_equal(options.arguments[1], "--");
	assert_null(options.values[CONFIG]);
}

static void help_wins(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--strict", "-h", "--bogus"), 0);
	assert_true(options.wants_help);
	assert_int_equal(PARSE("--help"), 0);
	assert_true(options.wants_help);
}

static void mistakes_are_explained(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--stict"), -EINVAL);
	assert_string_equal(problem, "unknown option --stict; did you mean --strict?");
	assert_int_equal(PARSE("--bogus"), -EINVAL);
	assert_string_equal(problem, "unknown option --bogus");
	assert_int_equal(PARSE("-x"), -EINVAL);
	assert_string_equal(problem, "unknown option -x");
	assert_int_equal(PARSE("-c"), -EINVAL);
	assert_string_equal(problem, "--config needs a value: --config FILE");
	assert_int_equal(PARSE("--strict=yes"), -EINVAL);
	assert_string_equal(problem, "--strict takes no value");
	assert_int_equal(PARSE("-o", "xml"), -EINVAL);
	assert_string_equal(problem, "--output cannot be \"xml\"; accepted: text json");
	assert_int_equal(PARSE("-c", "a", "--config=b"), -EINVAL);
	assert_string_equal(problem, "--config is given twice");
}

static void long_words_do_not_overflow(void **state)
{
	(void)state;
	char word[1024];
	char *argv[] = { word };
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	word[0] = word[1] = '-';
	assert_int_equal(options_parse(specs, SPEC_COUNT, 1, argv, &options, problem), -EINVAL);
	assert_in_range(strlen(problem), 1, OPTIONS_PROBLEM_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(values_may_be_attached),
		cmocka_unit_test(options_and_arguments_mix),
		cmocka_unit_test(behind_two_dashes_all_are_arguments),
		cmocka_unit_test(help_wins),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(long_words_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
