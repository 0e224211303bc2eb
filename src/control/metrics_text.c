/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics_text.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_CAPACITY = 64 * 1024,
	NUMBER_BYTES = 32,
};

static char *reserve(struct metrics_text *text, size_t bytes)
{
	if (text->capacity - text->len < bytes) {
		size_t wanted = text->capacity > 0 ? text->capacity : FIRST_CAPACITY;
		while (wanted - text->len < bytes)
			wanted *= 2;
		text->data = memory_resize(text->data, wanted, 1);
		text->capacity = wanted;
	}
	return text->data + text->len;
}

static void put_bytes(struct metrics_text *text, const char *bytes, size_t len)
{
	memcpy(reserve(text, len), bytes, len);
	text->len += len;
}

static void put_text(struct metrics_text *text, const char *more)
{
	put_bytes(text, more, strlen(more));
}

/* --- labels ------------------------------------------------------------------------------------------------------ */

/* Bytes of the UTF-8 character that begins here (RFC 3629), or 0 when none does. */
static size_t character_len(const unsigned char *at)
{
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
	bool is_outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
	return is_overlong || is_outside ? 0 : len;
}

/* Writes the character at *at as it stands in a label's value, and moves *at behind it. */
static size_t escape(const unsigned char **at, char to[4])
{
	size_t len = character_len(*at);
	if (len == 0) {
		(*at)++;
		to[0] = '?';
		return 1;
	}
	unsigned char first = **at;
	if (first == '\n' || first == '"' || first == '\\') {
		(*at)++;
		to[0] = '\\';
		to[1] = (char)(first == '\n' ? 'n' : first);
		return 2;
	}
	memcpy(to, *at, len);
	*at += len;
	return len;
}

static bool labels_put(struct metrics_labels *labels, const char *bytes, size_t len, size_t reserved)
{
	if (sizeof(labels->text) - labels->len < len + reserved)
		return false;
	memcpy(labels->text + labels->len, bytes, len);
	labels->len += len;
	return true;
}

void metrics_labels_add(struct metrics_labels *labels, const char *name, const char *value)
{
	size_t name_len = strlen(name);
	size_t begin = labels->len;
	bool fits = (begin == 0 || labels_put(labels, ",", 1, 0)) && labels_put(labels, name, name_len, 0) &&
		    labels_put(labels, "=\"", 2, 1);
	if (!fits) {
		labels->len = begin;
		return;
	}
	for (const unsigned char *at = (const unsigned char *)value; *at != '\0' && fits;) {
		char character[4];
		size_t len = escape(&at, character);
		fits = labels_put(labels, character, len, 1);
	}
	labels_put(labels, "\"", 1, 0);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

void metrics_text_header(struct metrics_text *text, const char *name, const char *type, const char *help)
{
	put_text(text, "# HELP ");
	put_text(text, name);
	put_text(text, " ");
	put_text(text, help);
	put_text(text, "\n# TYPE ");
	put_text(text, name);
	put_text(text, " ");
	put_text(text, type);
	put_text(text, "\n");
}

static void put_name(struct metrics_text *text, const struct metrics_series *series, const char *le)
{
	put_text(text, series->name);
	put_text(text, series->suffix);
	size_t label_len = series->labels != NULL ? series->labels->len : 0;
	size_t more_len = strlen(series->more);
	if (label_len + more_len == 0 && le == NULL) {
		put_text(text, " ");
		return;
	}
	put_text(text, "{");
	if (label_len > 0)
		put_bytes(text, series->labels->text, label_len);
	if (label_len > 0 && more_len > 0)
		put_text(text, ",");
	put_bytes(text, series->more, more_len);
	if (le != NULL) {
		put_text(text, label_len + more_len > 0 ? ",le=\"" : "le=\"");
		put_text(text, le);
		put_text(text, "\"");
	}
	put_text(text, "} ");
}

/* Returns where the digits begin; they end at end. */
static char *write_digits(uint64_t value, char *end)
{
	char *at = end;
	do
		*--at = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	return at;
}

static void put_number(struct metrics_text *text, uint64_t value)
{
	char digits[NUMBER_BYTES];
	char *begin = write_digits(value, digits + sizeof(digits));
	put_bytes(text, begin, (size_t)(digits + sizeof(digits) - begin));
}

/* "0.0025" for 2500: without zeros at the end. buf takes NUMBER_BYTES; returns the length. */
static size_t format_seconds(uint64_t value_us, char *buf)
{
	char digits[NUMBER_BYTES];
	char *end = digits + sizeof(digits);
	char *begin = write_digits(value_us / 1000000, end);
	size_t len = (size_t)(end - begin);
	memcpy(buf, begin, len);
	uint64_t rest = value_us % 1000000;
	if (rest == 0)
		return len;
	buf[len++] = '.';
	for (uint64_t unit = 100000; rest > 0; unit /= 10) {
		buf[len++] = (char)('0' + rest / unit);
		rest %= unit;
	}
	return len;
}

static void put_seconds(struct metrics_text *text, uint64_t value_us)
{
	char seconds[2 * NUMBER_BYTES];
	put_bytes(text, seconds, format_seconds(value_us, seconds));
}

void metrics_text_number(struct metrics_text *text, const struct metrics_series *series, uint64_t value)
{
	put_name(text, series, NULL);
	put_number(text, value);
	put_text(text, "\n");
}

void metrics_text_microseconds(struct metrics_text *text, const struct metrics_series *series, uint64_t value_us)
{
	put_name(text, series, NULL);
	put_seconds(text, value_us);
	put_text(text, "\n");
}

void metrics_text_histogram(struct metrics_text *text, const struct metrics_series *series,
			    const struct histogram_scale *scale, const struct histogram_total *total)
{
	struct metrics_series line = *series;
	uint64_t count = 0;
	line.suffix = "_bucket";
	for (size_t i = 0; i <= scale->count; i++) {
		char le[2 * NUMBER_BYTES] = "+Inf";
		if (i < scale->count)
			le[format_seconds(scale->bounds_us[i], le)] = '\0';
		count += total->buckets[i];
		put_name(text, &line, le);
		put_number(text, count);
		put_text(text, "\n");
	}
	line.suffix = "_sum";
	metrics_text_microseconds(text, &line, total->sum_us);
	line.suffix = "_count";
	metrics_text_number(text, &line, count);
}

void metrics_text_done(struct metrics_text *text)
{
	free(text->data);
	*text = (struct metrics_text){ 0 };
}
