/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <stdint.h>

/* Ranks below any distance: the same but for case and dashes, the beginning of the word. */
enum { RANK_SAME, RANK_PREFIX, RANK_DISTANCE };

enum { PREFIX_LEN_MIN = 3 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

size_t suggest_distance(struct span a, struct span b)
{
	/* The rows of the table for the byte before last, the last, and the current byte of a. */
	size_t rows[3][SUGGEST_WORD_BYTES_MAX + 1];
	if (a.len > SUGGEST_WORD_BYTES_MAX || b.len > SUGGEST_WORD_BYTES_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3];
		const size_t *before_last = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t replaced = last[j - 1] + (a.data[i - 1] != b.data[j - 1]);
			row[j] = min3(last[j] + 1, row[j - 1] + 1, replaced);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1] &&
			    before_last[j - 2] + 1 < row[j])
				row[j] = before_last[j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

/* Lower case without dashes and underscores: "Least_Conn" -> "leastconn". */
static struct span word_fold(struct span word, char buf[SUGGEST_WORD_BYTES_MAX])
{
	size_t len = 0;
	for (size_t i = 0; i < word.len && i < SUGGEST_WORD_BYTES_MAX; i++) {
		char byte = word.data[i];
		if (byte == '-' || byte == '_')
			continue;
		buf[len++] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
	}
	return (struct span){ buf, len };
}

/* A third of the letters may differ, so that "to" is not taken for "ok". */
static size_t distance_max(size_t len)
{
	return len < 3 ? 0 : len < 6 ? 1 : len / 3;
}

void suggest_begin(struct suggestion *suggestion, struct span written)
{
	*suggestion = (struct suggestion){ .written = written, .rank = SIZE_MAX };
}

void suggest_offer(struct suggestion *suggestion, const char *word)
{
	char written_buf[SUGGEST_WORD_BYTES_MAX];
	char word_buf[SUGGEST_WORD_BYTES_MAX];
	size_t rank = SIZE_MAX;
	if (suggestion->written.len > SUGGEST_WORD_BYTES_MAX || strlen(word) > SUGGEST_WORD_BYTES_MAX)
		return;
	struct span written = word_fold(suggestion->written, written_buf);
	struct span candidate = word_fold(span_from_text(word), word_buf);
	size_t distance = suggest_distance(written, candidate);
	if (written.len == 0)
		return;
	if (distance == 0)
		rank = RANK_SAME;
	else if (written.len >= PREFIX_LEN_MIN && written.len < candidate.len &&
		 memcmp(written.data, candidate.data, written.len) == 0)
		rank = RANK_PREFIX;
	else if (distance <= distance_max(written.len > candidate.len ? written.len : candidate.len))
		rank = RANK_DISTANCE + distance;
	if (rank < suggestion->rank) {
		suggestion->rank = rank;
		suggestion->word = word;
	}
}
