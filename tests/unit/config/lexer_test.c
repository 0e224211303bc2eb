/* SPDX-License-Identifier: Apache-2.0 */
#include "config/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A text and the lexer that reads it. */
struct reading {
	struct config_memory *memory;
	struct report report;
	struct lexer lexer;
};

static void reading_begin(struct reading *reading, const char *bytes, size_t len)
{
	struct source source = { .name = "test.conf", .text = { bytes, len } };
	reading->memory = config_memory_new();
	report_init(&reading->report, reading->memory);
	lexer_init(&reading->lexer, &reading->report, report_add_source(&reading->report, &source));
}

static size_t reading_end(struct reading *reading)
{
	size_t error_count = reading->report.found_count[DIAGNOSTIC_ERROR];
	config_memory_free(&reading->memory);
	return error_count;
}

static void append(char *out, size_t out_bytes, const struct token *token)
{
	size_t len = strlen(out);
	const char *mark = token->is_bad ? "!" : "";
	switch (token->kind) {
	case TOKEN_VALUE:
		if (token->key.len > 0)
			snprintf(out + len, out_bytes - len, "%s%.*s=<%.*s> ", mark, (int)token->key.len,
				 token->key.data, (int)token->value.len, token->value.data);
		else
			snprintf(out + len, out_bytes - len, "%s<%.*s> ", mark, (int)token->value.len,
				 token->value.data);
		break;
	case TOKEN_OPEN:
		snprintf(out + len, out_bytes - len, "{ ");
		break;
	case TOKEN_CLOSE:
		snprintf(out + len, out_bytes - len, "} ");
		break;
	case TOKEN_END:
		snprintf(out + len, out_bytes - len, "; ");
		break;
	case TOKEN_EOF:
		break;
	}
}

/* The tokens of a text in one line, bad ones with a '!'; the result is overwritten by the next call. */
static const char *tokens_of(const char *text, size_t *ret_error_count)
{
	static char out[4096];
	struct reading reading;
	struct token token;
	out[0] = '\0';
	reading_begin(&reading, text, strlen(text));
	do {
		lexer_next(&reading.lexer, &token);
		append(out, sizeof(out), &token);
	} while (token.kind != TOKEN_EOF);
	lexer_next(&reading.lexer, &token);
	assert_int_equal(token.kind, TOKEN_EOF);
	*ret_error_count = reading_end(&reading);
	return out;
}

static void tokens_are(const char *text, const char *expected)
{
	size_t error_count = 0;
	assert_string_equal(tokens_of(text, &error_count), expected);
	assert_int_equal(error_count, 0);
}

static void is_refused_as(const char *text, const char *expected)
{
	size_t error_count = 0;
	assert_string_equal(tokens_of(text, &error_count), expected);
	assert_int_equal(error_count, 1);
}

static void splits_words(void **state)
{
	(void)state;
	tokens_are("", "");
	tokens_are("\n", "; ");
	tokens_are("a b\tc", "<a> <b> <c> ");
	tokens_are("  a  \n\n b", "<a> ; ; <b> ");
	tokens_are("a;b;;", "<a> ; <b> ; ; ");
	tokens_are("a{b}c", "<a> { <b> } <c> ");
	tokens_are("a { # comment } ; \"\n}", "<a> { ; } ");
	tokens_are("#a", "");
	tokens_are("a # b", "<a> ");
	tokens_are("unix:/a=b *:80 a\\b $5 a$", "<unix:/a=b> <*:80> <a\\b> <$5> <a$> ");
}

static void splits_settings(void **state)
{
	(void)state;
	tokens_are("a=b", "a=<b> ");
	tokens_are("per-source-rate=20/s", "per-source-rate=<20/s> ");
	tokens_are("a=b=c", "a=<b=c> ");
	tokens_are("a=\"b c\"", "a=<b c> ");
	tokens_are("a=\"\"", "a=<> ");
	tokens_are("a==", "a=<=> ");
	tokens_are("\"a=b\"", "<a=b> ");
	tokens_are("1a=b", "<1a=b> ");
}

static void decodes_strings(void **state)
{
	(void)state;
	tokens_are("\"a b\"", "<a b> ");
	tokens_are("\"\"", "<> ");
	tokens_are("\"a\";\"b\"{\"c\"}", "<a> ; <b> { <c> } ");
	tokens_are("\"# { } ;\"", "<# { } ;> ");
	tokens_are("\"\\n\\r\\t\\\\\\\"\"", "<\n\r\t\\\"> ");
	tokens_are("\"\\x41\\x7a\\xE9\"", "<Az\xe9> ");
	tokens_are("\"tab\there\"", "<tab\there> ");
}

static void keeps_zero_bytes_in_strings(void **state)
{
	(void)state;
	const char *text = "send=\"\\x00a\\x00\"";
	struct reading reading;
	struct token token;
	reading_begin(&reading, text, strlen(text));
	lexer_next(&reading.lexer, &token);
	assert_int_equal(token.value.len, 3);
	assert_memory_equal(token.value.data, "\0a\0", 3);
	assert_int_equal(reading_end(&reading), 0);
}

static void expands_variables(void **state)
{
	(void)state;
	setenv("STRAIT_TEST_A", "one two; }", 1);
	setenv("STRAIT_TEST_EMPTY", "", 1);
	unsetenv("STRAIT_TEST_NONE");
	tokens_are("${STRAIT_TEST_A}", "<one two; }> ");
	tokens_are("a=${STRAIT_TEST_A}", "a=<one two; }> ");
	tokens_are("\"<${STRAIT_TEST_A}>\"", "<<one two; }>> ");
	tokens_are("x${STRAIT_TEST_NONE:-d}y${STRAIT_TEST_NONE:-}z", "<xdyz> ");
	tokens_are("${STRAIT_TEST_EMPTY}", "<> ");
	tokens_are("${STRAIT_TEST_EMPTY:-d}", "<d> ");
	tokens_are("\"${STRAIT_TEST_NONE:-a b\\x41}\"", "<a bA> ");
	tokens_are("\"\\x24{STRAIT_TEST_NONE}\"", "<${STRAIT_TEST_NONE}> ");
	tokens_are("\"${STRAIT_TEST_NONE:-\\x24{A}\"", "<${A> ");
	setenv("STRAIT_TEST_B", "${STRAIT_TEST_A}", 1);
	tokens_are("${STRAIT_TEST_B}", "<${STRAIT_TEST_A}> ");
	tokens_are("${STRAIT_TEST_NONE:-a}${STRAIT_TEST_NONE:-b}{", "<ab> { ");
}

static void refuses_and_goes_on(void **state)
{
	(void)state;
	is_refused_as("a \"b\nc", "<a> !<> ; <c> ");
	is_refused_as("\"a\"b c", "!<a> <c> ");
	is_refused_as("\"a\\qb\" c", "!<ab> <c> ");
	is_refused_as("\"\\x4\" c", "!<4> <c> ");
	is_refused_as("a= b", "!a=<> <b> ");
	is_refused_as("= b", "!<=> <b> ");
	is_refused_as("a\"b\" c", "!<a\"b\"> <c> ");
	is_refused_as("a#b c", "!<a#b> <c> ");
	is_refused_as("a \\\nb\nc", "<a> !<\\> <b> ; <c> ");
	is_refused_as("${STRAIT_TEST_NONE} c", "!<> <c> ");
	is_refused_as("${1} c", "!<> <c> ");
	is_refused_as("${A c", "!<> <c> ");
	is_refused_as("a\x01"
		      "b c",
		      "!<a\x01"
		      "b> <c> ");
	is_refused_as("a # \x7f\nb", "<a> ; <b> ");
	is_refused_as("a\rb\nc", "!<a\rb> ; <c> ");
}

static void accepts_both_line_ends(void **state)
{
	(void)state;
	tokens_are("a\r\nb c\r\n\r\n", "<a> ; <b> <c> ; ; ");
	tokens_are("a\r", "<a> ");
	tokens_are("a \"b\"\r\n", "<a> <b> ; ");
	tokens_are("a # c\r\nb", "<a> ; <b> ");
}

static void tells_places(void **state)
{
	(void)state;
	const char *text = "ab cd=\"e f\" {\n\t\xc3\xbc x";
	static const struct {
		enum token_kind kind;
		uint32_t line, column, len, value_column, value_len;
	} expected[] = {
		{ TOKEN_VALUE, 1, 1, 2, 1, 2 }, { TOKEN_VALUE, 1, 4, 8, 7, 5 }, { TOKEN_OPEN, 1, 13, 1, 0, 0 },
		{ TOKEN_END, 1, 14, 1, 0, 0 },  { TOKEN_VALUE, 2, 2, 2, 2, 2 }, { TOKEN_VALUE, 2, 5, 1, 5, 1 },
		{ TOKEN_EOF, 2, 6, 1, 0, 0 },
	};
	struct reading reading;
	reading_begin(&reading, text, strlen(text));
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct token token;
		lexer_next(&reading.lexer, &token);
		assert_int_equal(token.kind, expected[i].kind);
		assert_int_equal(token.place.line, expected[i].line);
		assert_int_equal(token.place.column, expected[i].column);
		assert_int_equal(token.place.len, expected[i].len);
		assert_int_equal(token.value_place.column, expected[i].value_column);
		assert_int_equal(token.value_place.len, expected[i].value_len);
	}
	assert_int_equal(reading_end(&reading), 0);
}

/* Reads "a" count times with the text behind it; returns the number of errors. */
static size_t errors_of_repeated(char byte, size_t count, const char *behind)
{
	size_t behind_len = strlen(behind);
	char *text = malloc(count + behind_len);
	struct reading reading;
	struct token token;
	assert_non_null(text);
	memset(text, byte, count);
	memcpy(text + count, behind, behind_len);
	reading_begin(&reading, text, count + behind_len);
	do
		lexer_next(&reading.lexer, &token);
	while (token.kind != TOKEN_EOF);
	free(text);
	return reading_end(&reading);
}

static void bounds_lengths(void **state)
{
	(void)state;
	assert_int_equal(errors_of_repeated('a', LEXER_VALUE_BYTES_MAX, "\n"), 0);
	assert_int_equal(errors_of_repeated('a', LEXER_VALUE_BYTES_MAX + 1, "\n"), 1);
	assert_int_equal(errors_of_repeated(' ', LEXER_LINE_BYTES_MAX, "\nb"), 0);
	assert_int_equal(errors_of_repeated(' ', LEXER_LINE_BYTES_MAX + 1, "\nb"), 1);
	assert_int_equal(errors_of_repeated('\0', 1000, "\n\0"), 1);
	assert_int_equal(errors_of_repeated('{', 60000, "\n"), 0);
}

static void reads_nothing_at_all(void **state)
{
	(void)state;
	struct reading reading;
	struct token token;
	reading_begin(&reading, NULL, 0);
	lexer_next(&reading.lexer, &token);
	assert_int_equal(token.kind, TOKEN_EOF);
	assert_int_equal(reading_end(&reading), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_words),           cmocka_unit_test(splits_settings),
		cmocka_unit_test(decodes_strings),        cmocka_unit_test(keeps_zero_bytes_in_strings),
		cmocka_unit_test(expands_variables),      cmocka_unit_test(refuses_and_goes_on),
		cmocka_unit_test(accepts_both_line_ends), cmocka_unit_test(tells_places),
		cmocka_unit_test(bounds_lengths),         cmocka_unit_test(reads_nothing_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
