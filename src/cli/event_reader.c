/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event_reader.h"

#include "base/memory.h"

#include <stdlib.h>

static bool append(struct event_reader_text *text, struct span span)
{
	if (span.len > EVENT_READER_BYTES_MAX - text->len)
		return false;
	if (text->capacity <= text->len + span.len) {
		text->capacity = 2 * (text->len + span.len) + 1;
		text->data = memory_resize(text->data, text->capacity, 1);
	}
	if (span.len > 0)
		memcpy(text->data + text->len, span.data, span.len);
	text->len += span.len;
	text->data[text->len] = '\0';
	return true;
}

static bool set(struct event_reader_text *text, struct span span)
{
	text->len = 0;
	return append(text, span);
}

static const char *text_of(const struct event_reader_text *text)
{
	return text->len > 0 ? text->data : "";
}

static void dispatch(struct event_reader *reader)
{
	const struct server_event event = {
		.kind = reader->kind.len > 0 ? reader->kind.data : "message",
		.id = text_of(&reader->id),
		.data = { text_of(&reader->data), reader->data.len },
	};
	if (reader->has_data)
		reader->on_event(reader->owner, &event);
	reader->has_data = false;
	reader->kind.len = reader->data.len = 0;
}

static bool take_data(struct event_reader *reader, struct span value)
{
	bool fits = !reader->has_data || append(&reader->data, span_from_text("\n"));
	reader->has_data = true;
	return fits && append(&reader->data, value);
}

/* "name: value"; a line that begins with a colon is a comment, and unknown names are passed over. */
static bool take_field(struct event_reader *reader, struct span line)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct span name = { line.data, colon != NULL ? (size_t)(colon - line.data) : line.len };
	struct span value = { name.data + name.len, line.len - name.len };
	size_t skipped = value.len > 1 && value.data[1] == ' ' ? 2 : value.len > 0 ? 1 : 0;
	value = (struct span){ value.data + skipped, value.len - skipped };
	if (span_equals(name, "data"))
		return take_data(reader, value);
	if (span_equals(name, "event"))
		return set(&reader->kind, value);
	if (span_equals(name, "id") && memchr(value.data, '\0', value.len) == NULL)
		return set(&reader->id, value);
	return true;
}

/* The line is there whole. */
static bool end_line(struct event_reader *reader)
{
	struct span line = { text_of(&reader->line), reader->line.len };
	bool is_sound = true;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		dispatch(reader);
	else
		is_sound = take_field(reader, line);
	reader->line.len = 0;
	return is_sound;
}

bool event_reader_take(struct event_reader *reader, struct span piece)
{
	while (piece.len > 0) {
		const char *end = memchr(piece.data, '\n', piece.len);
		size_t len = end != NULL ? (size_t)(end - piece.data) : piece.len;
		size_t taken = end != NULL ? len + 1 : len;
		if (!append(&reader->line, (struct span){ piece.data, len }) || (end != NULL && !end_line(reader)))
			return false;
		piece = (struct span){ piece.data + taken, piece.len - taken };
	}
	return true;
}

void event_reader_done(struct event_reader *reader)
{
	free(reader->line.data);
	free(reader->data.data);
	free(reader->kind.data);
	free(reader->id.data);
}
