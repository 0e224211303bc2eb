/* SPDX-License-Identifier: Apache-2.0 */
#include "control/record_format.h"

#include "base/check.h"
#include "base/clock.h"

#include <assert.h>
#include <string.h>

/* Kept free while fields are added: the mark of a cut record in its longer form, the brace and the newline. */
#define CUT_JSON ",\"cut\":true"
#define CUT_TEXT " cut=true"
enum { END_BYTES = sizeof(CUT_JSON "}\n") };

struct writer {
	struct record_line *line;
	enum record_form form;
	bool is_full; /* something did not fit since the field began */
};

static void put_bytes(struct writer *writer, const char *bytes, size_t len)
{
	struct record_line *line = writer->line;
	if (writer->is_full || len > RECORD_LINE_BYTES - END_BYTES - line->len) {
		writer->is_full = true;
		return;
	}
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

static void put_byte(struct writer *writer, char byte)
{
	put_bytes(writer, &byte, 1);
}

static void put_text(struct writer *writer, const char *text)
{
	put_bytes(writer, text, strlen(text));
}

static void put_number(struct writer *writer, uint64_t number)
{
	char digits[20];
	size_t first = sizeof(digits);
	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put_bytes(writer, digits + first, sizeof(digits) - first);
}

/* JSON knows neither infinity nor what is no number. */
static void put_decimal(struct writer *writer, double decimal)
{
	enum { PARTS = 1000 };
	bool is_written = decimal > 0 && decimal < 1e15;
	uint64_t thousandths = is_written ? (uint64_t)(decimal * PARTS + 0.5) : 0;
	char fraction[] = { '.', (char)('0' + thousandths / 100 % 10), (char)('0' + thousandths / 10 % 10),
			    (char)('0' + thousandths % 10) };
	put_number(writer, thousandths / PARTS);
	put_bytes(writer, fraction, sizeof(fraction));
}

static char hex_digit(unsigned int value)
{
	return "0123456789abcdef"[value & 15];
}

static void put_escape(struct writer *writer, unsigned int value)
{
	char escape[] = { '\\', 'u', '0', '0', hex_digit(value >> 4), hex_digit(value) };
	put_bytes(writer, escape, sizeof(escape));
}

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 sequence of two to four bytes that begins here (RFC 3629, section 4); 0 when it is not valid. */
static size_t utf8_sequence(const uint8_t *text, size_t left)
{
	uint8_t first = text[0];
	if (first >= 0xc2 && first <= 0xdf)
		return left >= 2 && is_continuation(text[1]) ? 2 : 0;
	if (left < 3 || !is_continuation(text[1]) || !is_continuation(text[2]))
		return 0;
	if ((first & 0xf0) == 0xe0) {
		bool is_overlong = first == 0xe0 && text[1] < 0xa0;
		bool is_surrogate = first == 0xed && text[1] > 0x9f;
		return is_overlong || is_surrogate ? 0 : 3;
	}
	if (left < 4 || !is_continuation(text[3]))
		return 0;
	bool is_in_range = (first == 0xf0 && text[1] >= 0x90) || (first >= 0xf1 && first <= 0xf3) ||
			   (first == 0xf4 && text[1] <= 0x8f);
	return is_in_range ? 4 : 0;
}

static void put_ascii(struct writer *writer, uint8_t byte)
{
	static const char shorthands[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	char escape[2] = { '\\', (char)byte };
	if (byte == '"' || byte == '\\') {
		put_bytes(writer, escape, sizeof(escape));
	} else if (byte < sizeof(shorthands) && shorthands[byte] != '\0') {
		escape[1] = shorthands[byte];
		put_bytes(writer, escape, sizeof(escape));
	} else if (byte < 0x20 || byte == 0x7f) {
		put_escape(writer, byte);
	} else {
		put_byte(writer, (char)byte);
	}
}

/* Writes one character and returns how many bytes of the text it took. */
static size_t put_character(struct writer *writer, const uint8_t *text, size_t left)
{
	if (text[0] < 0x80) {
		put_ascii(writer, text[0]);
		return 1;
	}
	size_t len = utf8_sequence(text, left);
	if (len == 0) {
		put_escape(writer, text[0]);
		return 1;
	}
	/* U+0080 to U+009F steer terminals as the C0 characters do. */
	if (text[0] == 0xc2 && text[1] < 0xa0)
		put_escape(writer, text[1]);
	else
		put_bytes(writer, (const char *)text, len);
	return len;
}

static void put_quoted(struct writer *writer, struct span text)
{
	size_t at = 0;
	put_byte(writer, '"');
	while (at < text.len && at < RECORD_TEXT_BYTES_MAX)
		at += put_character(writer, (const uint8_t *)text.data + at, text.len - at);
	put_text(writer, at < text.len ? "...\"" : "\"");
}

static bool is_bare(struct span text)
{
	static const char accepted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/@%+*[]";
	if (text.len == 0 || text.len > RECORD_TEXT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\0' || strchr(accepted, text.data[i]) == NULL)
			return false;
	}
	return true;
}

/*
 * A value of the journal's form ends at the newline, so control characters are escaped as everywhere; quotes and
 * backslashes stand as they are, but one that would begin an escape.
 */
static void put_plain(struct writer *writer, struct span text)
{
	size_t at = 0;
	while (at < text.len && at < RECORD_TEXT_BYTES_MAX) {
		if (text.data[at] == '"') {
			put_byte(writer, '"');
			at++;
		} else {
			at += put_character(writer, (const uint8_t *)text.data + at, text.len - at);
		}
	}
	put_text(writer, at < text.len ? "..." : "");
}

static void put_value(struct writer *writer, struct span text)
{
	if (writer->form == RECORD_FORM_JOURNAL) {
		put_plain(writer, text);
		return;
	}
	if (writer->form == RECORD_FORM_TEXT && is_bare(text))
		put_bytes(writer, text.data, text.len);
	else
		put_quoted(writer, text);
}

/* JSON: ["a","b"]; text: a,b, which no single name can be, because a comma has to be quoted. */
static void put_names(struct writer *writer, const struct record_field *field)
{
	bool is_json = writer->form == RECORD_FORM_JSON;
	if (is_json)
		put_byte(writer, '[');
	else if (field->name_count == 0 && writer->form == RECORD_FORM_TEXT)
		put_text(writer, "\"\"");
	for (uint32_t i = 0; i < field->name_count; i++) {
		if (i > 0)
			put_byte(writer, ',');
		put_value(writer, (struct span){ field->names[i], strnlen(field->names[i], FLOW_NAME_BYTES) });
	}
	if (is_json)
		put_byte(writer, ']');
}

/* In upper case, as the journal wants it. */
static void put_journal_key(struct writer *writer, const char *key)
{
	put_text(writer, "STRAIT_");
	for (; *key != '\0'; key++)
		put_byte(writer, *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key);
	put_byte(writer, '=');
}

static void put_key(struct writer *writer, const char *key)
{
	if (writer->form == RECORD_FORM_JOURNAL) {
		put_journal_key(writer, key);
		return;
	}
	bool is_json = writer->form == RECORD_FORM_JSON;
	put_text(writer, is_json ? ",\"" : " ");
	put_text(writer, key);
	put_text(writer, is_json ? "\":" : "=");
}

static void put_field(struct writer *writer, const struct record_field *field)
{
	put_key(writer, field->key);
	switch (field->kind) {
	case RECORD_TEXT:
		put_value(writer, span_from_text(field->text != NULL ? field->text : ""));
		break;
	case RECORD_NUMBER:
		put_number(writer, field->number);
		break;
	case RECORD_DECIMAL:
		put_decimal(writer, field->decimal);
		break;
	case RECORD_BOOLEAN:
		put_text(writer, field->boolean ? "true" : "false");
		break;
	case RECORD_NAMES:
		put_names(writer, field);
		break;
	}
	if (writer->form == RECORD_FORM_JOURNAL)
		put_byte(writer, '\n');
}

static void put_head(struct writer *writer, const struct record_event *event)
{
	char ts[CLOCK_TEXT_BYTES];
	bool is_json = writer->form == RECORD_FORM_JSON;
	if (writer->form == RECORD_FORM_JOURNAL) {
		const struct record_field name = record_text("event", event->name);
		put_field(writer, &name);
		return;
	}
	put_text(writer, is_json ? "{\"ts\":\"" : "");
	put_text(writer, clock_format_realtime(event->realtime_us, ts, sizeof(ts)));
	put_text(writer, is_json ? "\",\"event\":\"" : " ");
	put_text(writer, event->name);
	put_text(writer, is_json ? "\"" : "");
}

/* Writes into the room kept free for it. */
static void put_end(struct writer *writer, bool is_cut)
{
	bool is_json = writer->form == RECORD_FORM_JSON;
	if (writer->form == RECORD_FORM_JOURNAL)
		return; /* whoever looks for the mark finds it in the message */
	const char *parts[] = { is_cut ? (is_json ? CUT_JSON : CUT_TEXT) : "", is_json ? "}\n" : "\n" };
	struct record_line *line = writer->line;
	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(parts[i]);
		memcpy(line->text + line->len, parts[i], len);
		line->len += len;
	}
}

void record_format_event(const struct record_event *event, enum record_form form, struct record_line *ret_line)
{
	struct writer writer = { .line = ret_line, .form = form };
	ret_line->len = 0;
	put_head(&writer, event);
	for (size_t i = 0; i < event->field_count && !writer.is_full; i++) {
		size_t before = ret_line->len;
		put_field(&writer, &event->fields[i]);
		if (writer.is_full)
			ret_line->len = before;
	}
	put_end(&writer, writer.is_full);
}

static const char *protocol_word(uint8_t protocol)
{
	CHECK(protocol < FLOW_PROTOCOL_COUNT);
	return protocol == FLOW_TCP ? "tcp" : "udp";
}

static const char *path_word(uint8_t path)
{
	static const char *const words[] = {
		[FLOW_PATH_RELAY] = "relay", [FLOW_PATH_OFFLOAD] = "offload", [FLOW_PATH_NAT] = "nat"
	};
	CHECK(path < sizeof(words) / sizeof(words[0]));
	return words[path];
}

/* The path of a unix socket does not fit into an endpoint. */
static const char *address_text(const struct endpoint *endpoint, const char *unix_text, char *buf)
{
	return unix_text[0] != '\0' ? unix_text : endpoint_format(endpoint, buf, ENDPOINT_TEXT_BYTES);
}

static const char *id_format(uint64_t id, char buf[17])
{
	for (unsigned int i = 0; i < 16; i++)
		buf[i] = hex_digit((unsigned int)(id >> (60 - 4 * i)));
	buf[16] = '\0';
	return buf;
}

const char *record_flow_event(const struct flow_record *record)
{
	if (record->is_spared)
		return "flow_spared";
	return record->is_progress ? "flow_progress" : "flow_end";
}

void record_format_flow(const struct flow_record *record, enum record_form form, uint64_t sample,
			struct record_line *ret_line)
{
	char id[17];
	char client[ENDPOINT_TEXT_BYTES];
	char listen[ENDPOINT_TEXT_BYTES];
	char server[ENDPOINT_TEXT_BYTES];
	char local[ENDPOINT_TEXT_BYTES];
	const struct record_field fields[] = {
		record_text("id", id_format(record->id, id)),
		record_text("service", record->service),
		record_text("protocol", protocol_word(record->protocol)),
		record_text("client", endpoint_format(&record->client, client, sizeof(client))),
		record_text("listen", address_text(&record->listen, record->listen_unix, listen)),
		record_text("pool", record->pool),
		record_text("server", record->server_name),
		record_text("server_address", address_text(&record->server, record->server_unix, server)),
		record_text("local", endpoint_format(&record->local, local, sizeof(local))),
		record_text("path", path_word(record->path)),
		record_text("reason", reason_word(record->reason)),
		record_number("connect_us", record->connect_us),
		record_number("duration_ms", record->duration_us / 1000),
		record_number("bytes_in", record->bytes_in),
		record_number("bytes_out", record->bytes_out),
		record_number("packets_in", record->packets_in),
		record_number("packets_out", record->packets_out),
		record_number("retries", record->retries),
		{ .key = "tried", .kind = RECORD_NAMES, .name_count = record->tried_count, .names = record->tried },
		record_text("chosen_by", record->chosen_by),
		record_number("sample", sample),
	};
	/* The last one is told only where it says something. */
	size_t field_count = sizeof(fields) / sizeof(fields[0]) - (sample <= 1);
	record_format_event(&(struct record_event){ .realtime_us = record->end_realtime_us,
						    .name = record_flow_event(record),
						    .fields = fields,
						    .field_count = field_count },
			    form, ret_line);
}
