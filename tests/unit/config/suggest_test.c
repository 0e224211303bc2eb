/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static size_t distance(const char *a, const char *b)
{
	return suggest_distance(span_from_text(a), span_from_text(b));
}

static void counts_edits(void **state)
{
	(void)state;
	assert_int_equal(distance("", ""), 0);
	assert_int_equal(distance("", "abc"), 3);
	assert_int_equal(distance("abc", ""), 3);
	assert_int_equal(distance("server", "server"), 0);
	assert_int_equal(distance("sever", "server"), 1);
	assert_int_equal(distance("serverr", "server"), 1);
	assert_int_equal(distance("sarver", "server"), 1);
	assert_int_equal(distance("sevrer", "server"), 1);
	assert_int_equal(distance("esvrer", "server"), 2);
	assert_int_equal(distance("ca", "abc"), 3); /* 2, were the stretch edited twice */
	assert_int_equal(distance("kitten", "sitting"), 3);
}

static void is_symmetric(void **state)
{
	(void)state;
	static const char *const words[] = { "limit", "timeout", "listen", "a", "ab", "ba", "least-connections" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			assert_int_equal(distance(words[i], words[j]), distance(words[j], words[i]));
	}
}

static void does_not_measure_long_words(void **state)
{
	(void)state;
	char text[SUGGEST_WORD_BYTES_MAX + 1];
	memset(text, 'x', sizeof(text));
	struct span longest = { text, SUGGEST_WORD_BYTES_MAX };
	struct span longer = { text, SUGGEST_WORD_BYTES_MAX + 1 };
	assert_int_equal(suggest_distance(longest, longest), 0);
	assert_int_equal(suggest_distance(longer, longest), SIZE_MAX);
	assert_int_equal(suggest_distance(longest, longer), SIZE_MAX);
}

static const char *guess(const char *written)
{
	static const char *const words[] = {
		"round-robin", "least-connections", "source-hash", "random", "first", "to"
	};
	struct suggestion suggestion;
	suggest_begin(&suggestion, span_from_text(written));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&suggestion, words[i]);
	return suggestion.word;
}

static void guesses_what_was_meant(void **state)
{
	(void)state;
	assert_string_equal(guess("least-con"), "least-connections");
	assert_string_equal(guess("leastconn"), "least-connections");
	assert_string_equal(guess("least_connections"), "least-connections");
	assert_string_equal(guess("Least-Connections"), "least-connections");
	assert_string_equal(guess("roundrobin"), "round-robin");
	assert_string_equal(guess("rand"), "random");
	assert_string_equal(guess("radnom"), "random");
	assert_string_equal(guess("sorce-hash"), "source-hash");
	assert_string_equal(guess("frist"), "first");
}

static void does_not_guess_wildly(void **state)
{
	(void)state;
	assert_null(guess(""));
	assert_null(guess("-"));
	assert_null(guess("maglev"));
	assert_null(guess("ok"));
	assert_null(guess("so"));
	assert_null(guess("x"));
	assert_null(guess("entirely-different-word"));
}

static void prefers_the_nearest(void **state)
{
	(void)state;
	struct suggestion suggestion;
	suggest_begin(&suggestion, span_from_text("listne"));
	suggest_offer(&suggestion, "lists");
	suggest_offer(&suggestion, "listen");
	suggest_offer(&suggestion, "lisp");
	assert_string_equal(suggestion.word, "listen");
	/* Of two equally near, the first. */
	suggest_begin(&suggestion, span_from_text("cart"));
	suggest_offer(&suggestion, "card");
	suggest_offer(&suggestion, "care");
	assert_string_equal(suggestion.word, "card");
}

static void takes_any_bytes(void **state)
{
	(void)state;
	struct suggestion suggestion;
	suggest_begin(&suggestion, (struct span){ "fi\0rst", 6 });
	suggest_offer(&suggestion, "first");
	assert_string_equal(suggestion.word, "first");
	suggest_begin(&suggestion, (struct span){ NULL, 0 });
	suggest_offer(&suggestion, "first");
	assert_null(suggestion.word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_edits),
		cmocka_unit_test(is_symmetric),
		cmocka_unit_test(does_not_measure_long_words),
		cmocka_unit_test(guesses_what_was_meant),
		cmocka_unit_test(does_not_guess_wildly),
		cmocka_unit_test(prefers_the_nearest),
		cmocka_unit_test(takes_any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
