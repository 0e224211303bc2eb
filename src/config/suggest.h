/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guesses which of the accepted words was meant: "did you mean ...?". Pure, no allocation; any thread.
 */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/span.h"

#include <stddef.h>

enum { SUGGEST_WORD_BYTES_MAX = 64 }; /* longer words are never alike */

/*
 * How many insertions, deletions, replacements and swaps of neighbours turn one word into the other (Damerau and
 * Levenshtein, restricted: no stretch is edited twice). Returns SIZE_MAX when a word is too long.
 */
size_t suggest_distance(struct span a, struct span b);

/* The best guess among words offered one after the other, for lists that are not an array of strings. */
struct suggestion {
	struct span written;
	const char *word; /* the best so far; NULL: none is near enough */
	size_t rank;
};

void suggest_begin(struct suggestion *suggestion, struct span written);
void suggest_offer(struct suggestion *suggestion, const char *word);

#endif
