/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that others chose (names, addresses, causes, events), made fit for a terminal. This is the one place where that is
 * done; everything that is shown goes through it, in tables as on full screens.
 *
 * A '?' stands for what could steer the terminal or break its columns: control characters (C0, DEL, C1), bytes that are
 * no UTF-8 (RFC 3629), marks of writing direction and other characters of format (Unicode category Cf), line
 * separators, variation selectors, what the C library knows no width of, and marks that combine with nothing or are the
 * third on one character. In a locale whose character set is not UTF-8 only ASCII passes. Letters of scripts that are
 * written from right to left pass: a terminal that reorders them does so within their own row.
 *
 * Pure, but for the locale, which is that of the process (LC_CTYPE).
 */
#ifndef CLI_SHOWN_TEXT_H
#define CLI_SHOWN_TEXT_H

#include <stddef.h>

enum { SHOWN_CHARACTER_BYTES = 16 }; /* one with two marks on it takes 12, and a zero */

/* What one place of the screen shows. */
struct shown_character {
	char bytes[SHOWN_CHARACTER_BYTES]; /* with a zero behind it */
	unsigned char width;               /* columns: 1 or 2 */
};

/* Takes the character set from the environment. Without it only ASCII is shown. */
void shown_text_use_locale(void);

/* Reads the character at `text`, which is not at its end, and returns the place behind it. */
const char *shown_text_next(const char *text, struct shown_character *ret_character);

/* In columns. */
size_t shown_text_width(const char *text);

/* Puts '?' for all that is not fit, in place: the text never grows. Also mends an end that was cut within a character. */
void shown_text_clean(char *text);

#endif
