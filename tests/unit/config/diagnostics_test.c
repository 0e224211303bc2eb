/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diagnostics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct diagnostics *diagnostics)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	diagnostics_print(diagnostics, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void prints_as(const struct diagnostic *entry, const char *expected)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	diagnostics_add(&diagnostics, entry);
	char *text = printed(&diagnostics);
	assert_string_equal(text, expected);
	free(text);
	diagnostics_done(&diagnostics);
}

static void prints_the_page_s_example(void **state)
{
	(void)state;
	prints_as(&(struct diagnostic){ .file = "strait.conf",
					.line = 18,
					.column = 14,
					.len = 9,
					.source = "    balance  least-con",
					.message = "unknown balancing algorithm \"least-con\"",
					.hint = "did you mean \"least-connections\"?",
					.accepted = "round-robin random" },
		  "strait.conf:18:14: error: unknown balancing algorithm \"least-con\"\n"
		  "   18 |     balance  least-con\n"
		  "      |              ^~~~~~~~~ did you mean \"least-connections\"?\n"
		  "   accepted: round-robin random\n");
}

static void prints_less_when_there_is_less(void **state)
{
	(void)state;
	prints_as(&(struct diagnostic){ .severity = DIAGNOSTIC_WARNING,
					.file = "f",
					.line = 123456,
					.column = 1,
					.len = 1,
					.source = "x",
					.message = "m" },
		  "f:123456:1: warning: m\n123456 | x\n      | ^\n");
	prints_as(&(struct diagnostic){ .file = "f", .message = "m", .hint = "h" }, "f: error: m\n   h\n");
	prints_as(&(struct diagnostic){ .message = "m" }, "error: m\n");
}

static void keeps_the_caret_under_its_place(void **state)
{
	(void)state;
	prints_as(&(struct diagnostic){ .file = "f",
					.line = 1,
					.column = 7,
					.len = 3,
					.source = "\ta\t\xc3\xbc \xc3\xa9x",
					.message = "m" },
		  "f:1:7: error: m\n    1 | \ta\t\xc3\xbc \xc3\xa9x\n      | \t \t  ^~\n");
	/* Beyond the end of the line. */
	prints_as(&(struct diagnostic){ .file = "f", .line = 1, .column = 9, .len = 4, .source = "ab", .message = "m" },
		  "f:1:9: error: m\n    1 | ab\n      |   ^\n");
	prints_as(&(struct diagnostic){ .file = "f", .line = 1, .column = 1, .len = 1, .source = "", .message = "m" },
		  "f:1:1: error: m\n    1 | \n      | ^\n");
}

static void shows_no_control_characters(void **state)
{
	(void)state;
	prints_as(
		&(struct diagnostic){
			.file = "f", .line = 1, .column = 1, .len = 1, .source = "a\033[31m\x7f", .message = "m" },
		"f:1:1: error: m\n    1 | a?[31m?\n      | ^\n");
	prints_as(&(struct diagnostic){ .file = "f\033",
					.line = 1,
					.column = 5,
					.len = 1,
					.source = "\xc2\x9bxy\xc3\xa9",
					.message = "m\n",
					.hint = "h\x1b",
					.accepted = "a\xc2\x80" },
		  "f?:1:5: error: m?\n    1 | ?xy\xc3\xa9\n      |    ^ h?\n   accepted: a?\n");
}

static void cuts_long_lines(void **state)
{
	(void)state;
	char source[1001];
	memset(source, 'a', 1000);
	source[1000] = '\0';
	for (uint32_t column = 1; column <= 1000; column++) {
		struct diagnostics diagnostics;
		diagnostics_init(&diagnostics);
		source[column - 1] = '!';
		struct diagnostic wrong = {
			.file = "f", .line = 1, .column = column, .len = 2000, .source = source, .message = "m"
		};
		diagnostics_add(&diagnostics, &wrong);
		source[column - 1] = 'a';
		char *text = printed(&diagnostics);
		char *line = strchr(text, '\n') + 1;
		char *caret_line = strchr(line, '\n') + 1;
		assert_true(caret_line - line <= 8 + 160 + 6 + 1);
		assert_int_equal(strcspn(line, "!"), strcspn(caret_line, "^"));
		free(text);
		diagnostics_done(&diagnostics);
	}
}

static void cuts_between_characters(void **state)
{
	(void)state;
	char source[601];
	for (size_t i = 0; i < 600; i += 3)
		memcpy(source + i, "\xe2\x82\xac", 4);
	for (uint32_t column = 1; column <= 600; column += 3) {
		struct diagnostics diagnostics;
		diagnostics_init(&diagnostics);
		diagnostics_add(
			&diagnostics,
			&(struct diagnostic){
				.file = "f", .line = 1, .column = column, .len = 3, .source = source, .message = "m" });
		char *text = printed(&diagnostics);
		const char *line = strchr(text, '\n') + 1 + strlen("    1 | ");
		line += strncmp(line, "...", 3) == 0 ? 3 : 0;
		size_t shown_bytes = strspn(line, "\xe2\x82\xac");
		assert_int_equal(shown_bytes % 3, 0);
		assert_memory_equal(line, "\xe2\x82\xac", 3);
		free(text);
		diagnostics_done(&diagnostics);
	}
}

static void keeps_a_hundred_and_counts_all(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	char summary[64];
	diagnostics_init(&diagnostics);
	for (size_t i = 0; i < 130; i++)
		diagnostics_add(&diagnostics, &(struct diagnostic){ .severity = DIAGNOSTIC_ERROR, .message = "m" });
	diagnostics_add(&diagnostics, &(struct diagnostic){ .severity = DIAGNOSTIC_WARNING, .message = "w" });
	assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX);
	assert_int_equal(diagnostics.error_count, 130);
	assert_string_equal(diagnostics_summarize(&diagnostics, summary, sizeof(summary)), "130 errors, 1 warning");
	char *text = printed(&diagnostics);
	assert_non_null(strstr(text, "and 31 more, not shown\n"));
	free(text);
	diagnostics_done(&diagnostics);
	assert_int_equal(diagnostics.count, 0);
}

static void puts_counts_into_words(void **state)
{
	(void)state;
	static const struct {
		size_t error_count;
		size_t warning_count;
		const char *words;
	} cases[] = {
		{ 0, 0, "no errors" },
		{ 1, 0, "1 error" },
		{ 2, 0, "2 errors" },
		{ 0, 1, "1 warning" },
		{ 0, 3, "3 warnings" },
		{ 1, 1, "1 error, 1 warning" },
		{ 2, 2, "2 errors, 2 warnings" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diagnostics diagnostics = { .error_count = cases[i].error_count,
						   .warning_count = cases[i].warning_count };
		char summary[64];
		diagnostics_summarize(&diagnostics, summary, sizeof(summary));
		assert_string_equal(summary, cases[i].words);
	}
}

static void copies_what_it_is_given(void **state)
{
	(void)state;
	struct diagnostics diagnostics;
	char message[] = "before";
	diagnostics_init(&diagnostics);
	diagnostics_add(&diagnostics, &(struct diagnostic){ .message = message });
	strcpy(message, "after");
	assert_string_equal(diagnostics.entries[0].message, "before");
	assert_null(diagnostics.entries[0].file);
	diagnostics_done(&diagnostics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_the_page_s_example),
		cmocka_unit_test(prints_less_when_there_is_less),
		cmocka_unit_test(keeps_the_caret_under_its_place),
		cmocka_unit_test(shows_no_control_characters),
		cmocka_unit_test(cuts_long_lines),
		cmocka_unit_test(cuts_between_characters),
		cmocka_unit_test(keeps_a_hundred_and_counts_all),
		cmocka_unit_test(puts_counts_into_words),
		cmocka_unit_test(copies_what_it_is_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
