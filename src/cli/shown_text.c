/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shown_text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

enum { MARKS_MAX = 2 };

void shown_text_use_locale(void)
{
	setlocale(LC_CTYPE, "");
}

static bool shows_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Returns the bytes of the sequence that begins here, at least 1; ret_code is 0 when it is not valid. */
static size_t decode(const char *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *byte = (const uint8_t *)text;
	size_t len = byte[0] < 0x80 ? 1 : byte[0] < 0xc0 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? byte[0] : len == 2 ? byte[0] & 0x1f : len == 3 ? byte[0] & 0x0f : byte[0] & 0x07;
	*ret_code = 0;
	if (len == 0 || byte[0] >= 0xf8)
		return 1;
	for (size_t i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 1;
	*ret_code = code;
	return len;
}

/* Category Cf of Unicode 15, the separators of lines and paragraphs, variation selectors: nothing to look at. */
static bool is_format(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0xad, 0xad },       { 0x34f, 0x34f },     { 0x600, 0x605 },     { 0x61c, 0x61c },
		{ 0x6dd, 0x6dd },     { 0x70f, 0x70f },     { 0x890, 0x891 },     { 0x8e2, 0x8e2 },
		{ 0x180b, 0x180f },   { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },
		{ 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },   { 0xfff0, 0xfffb },   { 0x110bd, 0x110cd },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Columns: 0 for a mark that combines with what is before it, -1 for what is not fit. */
static int width_of(uint32_t code)
{
	if (code < 0x80)
		return code >= 0x20 && code != 0x7f ? 1 : -1;
	return code < 0xa0 || !shows_utf8() || is_format(code) ? -1 : wcwidth((wchar_t)code);
}

const char *shown_text_next(const char *text, struct shown_character *ret_character)
{
	uint32_t code;
	size_t bytes = decode(text, &code);
	int width = width_of(code);
	*ret_character = (struct shown_character){ .bytes = "?", .width = 1 };
	if (width < 1)
		return text + bytes;
	ret_character->width = width > 1 ? 2 : 1;
	for (int marks = 0; marks < MARKS_MAX; marks++) {
		size_t mark_bytes = decode(text + bytes, &code);
		if (text[bytes] == '\0' || width_of(code) != 0)
			break;
		bytes += mark_bytes;
	}
	memcpy(ret_character->bytes, text, bytes);
	ret_character->bytes[bytes] = '\0';
	return text + bytes;
}

size_t shown_text_width(const char *text)
{
	size_t width = 0;
	struct shown_character character;
	while (*text != '\0') {
		text = shown_text_next(text, &character);
		width += character.width;
	}
	return width;
}

void shown_text_clean(char *text)
{
	const char *from = text;
	struct shown_character character;
	while (*from != '\0') {
		from = shown_text_next(from, &character);
		size_t bytes = strlen(character.bytes);
		memcpy(text, character.bytes, bytes);
		text += bytes;
	}
	*text = '\0';
}
