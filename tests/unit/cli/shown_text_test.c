/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shown_text.h"

#include <locale.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_shown(const char *text, const char *expected, size_t width)
{
	char buf[256];
	assert_true(strlen(text) < sizeof(buf));
	strcpy(buf, text);
	shown_text_clean(buf);
	assert_string_equal(buf, expected);
	assert_int_equal(shown_text_width(buf), width);
	assert_int_equal(shown_text_width(text), width);
}

static void what_is_harmless_passes(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_shown("", "", 0);
	assert_shown("web-1 ~/", "web-1 ~/", 8);
	assert_shown("b\xc3\xbcro", "b\xc3\xbcro", 4);
	assert_shown("\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87", 4); /* two columns each */
	assert_shown("\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c", 2);                 /* Hebrew */
	assert_shown("e\xcc\x81x", "e\xcc\x81x", 2);                             /* one mark */
	assert_shown("e\xcc\x81\xcc\x81\xcc\x81x", "e\xcc\x81\xcc\x81?x", 3);    /* the third is too many */
}

static void what_could_steer_does_not(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_shown("\x1b[2Jx", "?[2Jx", 5);
	assert_shown("a\tb\r\n\x7f", "a?b???", 6);
	assert_shown("\xc2\x9b"
		     "31m",
		     "?31m", 4); /* CSI of C1 */
	assert_shown("a\xe2\x80\xae"
		     "b",
		     "a?b", 3); /* U+202E, the other direction */
	assert_shown("a\xe2\x80\x8f\xe2\x81\xa6z", "a??z", 4);
	assert_shown("\xe2\x80\xa8", "?", 1);   /* line separator */
	assert_shown("\xcc\x81x", "?x", 2);     /* combines with nothing */
	assert_shown("x\xef\xb8\x8f", "x?", 2); /* variation selector */
}

static void what_is_no_utf8_is_a_question_mark(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_shown("a\xff\xfe"
		     "b",
		     "a??b", 4);
	assert_shown("\xc0\xaf", "??", 2);           /* too long a form */
	assert_shown("\xed\xa0\x80", "???", 3);      /* surrogate */
	assert_shown("\xf4\x90\x80\x80", "????", 4); /* above U+10FFFF */
	assert_shown("x\xe4\xb8", "x??", 3);         /* cut within a character */
}

static void elsewhere_only_ascii_passes(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_shown("b\xc3\xbcro \x1b", "b?ro ?", 6);
	assert_shown("\xe4\xb8\xad", "?", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_harmless_passes),
		cmocka_unit_test(what_could_steer_does_not),
		cmocka_unit_test(what_is_no_utf8_is_a_question_mark),
		cmocka_unit_test(elsewhere_only_ascii_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
