/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads every NAME.conf of the folders given and compares what is said about it with NAME.expected, byte for byte:
 *
 *   config_files_test bad FOLDER     each file must be refused
 *   config_files_test good FOLDER    each file must be accepted; without NAME.expected nothing may be said; written as
 *                                    text and as JSON it must read back as the same
 *
 * With UPDATE_EXPECTED=1 in the environment the expectations are written instead of compared; read the
 * difference before you keep it.
 */
#include "base/memory.h"
#include "config/config.h"
#include "config/tree_fixture.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_refusal_expected;

static char *text_read(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return memory_copy_text("");
	if (getdelim(&text, &len, '\0', file) < 0) {
		free(text);
		text = memory_copy_text("");
	}
	fclose(file);
	return text;
}

static void text_write(const char *path, const char *text)
{
	if (text[0] == '\0') {
		unlink(path);
		return;
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static size_t line_len(const char *text)
{
	size_t len = strcspn(text, "\n");
	return text[len] == '\n' ? len + 1 : len;
}

/* Shows the lines from the first to the last that differ. */
static void difference_print(const char *expected, const char *actual)
{
	while (*expected != '\0' && line_len(expected) == line_len(actual) &&
	       strncmp(expected, actual, line_len(expected)) == 0) {
		expected += line_len(expected);
		actual += line_len(actual);
	}
	fprintf(stderr, "--- expected, from the first line that differs\n%s", expected);
	fprintf(stderr, "+++ actual\n%s+++ end\n", actual);
}

/* Loads the file; returns what was said about it. */
static char *file_load(const char *path, bool *ret_is_accepted)
{
	struct diagnostics diagnostics;
	char *said = NULL;
	size_t said_len = 0;
	diagnostics_init(&diagnostics);
	struct config *config = config_load(path, &diagnostics);
	FILE *out = open_memstream(&said, &said_len);
	assert_non_null(out);
	diagnostics_print(&diagnostics, out);
	assert_int_equal(fclose(out), 0);
	if (config != NULL)
		tree_assert_round_trip(config);
	*ret_is_accepted = config != NULL;
	assert_int_equal(*ret_is_accepted, diagnostics.error_count == 0);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return said;
}

static void file_test(void **state)
{
	const char *path = *state;
	char expected_path[256];
	bool is_accepted = false;
	snprintf(expected_path, sizeof(expected_path), "%.*s.expected", (int)(strlen(path) - strlen(".conf")), path);
	char *said = file_load(path, &is_accepted);
	if (getenv("UPDATE_EXPECTED") != NULL)
		text_write(expected_path, said);
	char *expected = text_read(expected_path);
	bool is_same = strcmp(expected, said) == 0;
	if (!is_same)
		difference_print(expected, said);
	free(expected);
	free(said);
	assert_true(is_same);
	assert_int_equal(is_accepted, !is_refusal_expected);
}

/* What the files ask of the environment, and nothing else but what tells the test how to run. */
static void environment_set(void)
{
	static const char *const kept_names[] = { "UPDATE_EXPECTED", "CMOCKA_MESSAGE_OUTPUT" };
	char *kept[2];
	for (size_t i = 0; i < 2; i++)
		kept[i] = memory_copy_text(getenv(kept_names[i]));
	char long_text[5001];
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	clearenv();
	for (size_t i = 0; i < 2; i++) {
		if (kept[i] != NULL)
			setenv(kept_names[i], kept[i], 1);
		free(kept[i]);
	}
	setenv("STRAIT_TEST_HOST", "10.0.0.9", 1);
	setenv("STRAIT_TEST_WORDS", "format=json level=debug", 1);
	setenv("STRAIT_TEST_LONG", long_text, 1);
}

int main(int argc, char **argv)
{
	glob_t files;
	if (argc != 3 || chdir(argv[2]) != 0 || glob("*.conf", 0, NULL, &files) != 0) {
		fprintf(stderr, "usage: %s bad|good FOLDER\n", argv[0]);
		return 2;
	}
	is_refusal_expected = strcmp(argv[1], "bad") == 0;
	environment_set();
	struct CMUnitTest *tests = memory_alloc_zeroed(files.gl_pathc, sizeof(*tests));
	for (size_t i = 0; i < files.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){ files.gl_pathv[i], file_test, NULL, NULL, files.gl_pathv[i] };
	int failed_count = _cmocka_run_group_tests("config_files", tests, files.gl_pathc, NULL, NULL);
	free(tests);
	globfree(&files);
	return failed_count;
}
