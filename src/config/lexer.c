/* SPDX-License-Identifier: Apache-2.0 */
#include "config/lexer.h"

#include <stdlib.h>

/* A value while it is being decoded. */
struct decoder {
	struct lexer *lexer;
	struct token *token;
	bool is_quoted;
	size_t len;
	char bytes[LEXER_VALUE_BYTES_MAX];
};

static struct config_place place_of(const struct lexer *lexer, const char *begin, size_t len)
{
	return (struct config_place){
		.file = lexer->file,
		.line = lexer->line,
		.column = (uint32_t)(begin - lexer->line_start) + 1,
		.len = len > 0 ? (uint32_t)len : 1,
	};
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* Ends a bare word. */
static bool is_separator(char byte)
{
	return is_blank(byte) || byte == '{' || byte == '}' || byte == ';';
}

/* Control characters are refused everywhere, also in comments; once a line, for a binary file has many. */
static void line_check(struct lexer *lexer)
{
	for (const char *byte = lexer->line_start; byte < lexer->line_end; byte++) {
		if (!is_control(*byte) || *byte == '\t')
			continue;
		lexer->is_line_bad = true;
		if (*byte == '\0')
			report_error(lexer->report, place_of(lexer, byte, 1), "a NUL byte stands in the file");
		else if (*byte == '\r')
			report_error(lexer->report, place_of(lexer, byte, 1), "a carriage return stands inside a line");
		else
			report_error_hint(lexer->report, place_of(lexer, byte, 1),
					  "in a quoted string it can be written \\xHH",
					  "a control character stands in the file (0x%02x)", (unsigned char)*byte);
		return;
	}
}

static void line_begin(struct lexer *lexer, const char *start)
{
	size_t left = (size_t)(lexer->end - start);
	const char *newline = left > 0 ? memchr(start, '\n', left) : NULL;
	lexer->line++;
	lexer->line_start = start;
	lexer->cursor = start;
	lexer->line_end = newline != NULL ? newline : lexer->end;
	lexer->next_line = newline != NULL ? newline + 1 : NULL;
	lexer->is_line_bad = false;
	if (lexer->line_end > start && lexer->line_end[-1] == '\r')
		lexer->line_end--;
	if (lexer->line_end - start > LEXER_LINE_BYTES_MAX) {
		report_error(lexer->report, place_of(lexer, start, 1), "the line is longer than %d bytes",
			     LEXER_LINE_BYTES_MAX);
		lexer->cursor = lexer->line_end;
		return;
	}
	line_check(lexer);
}

void lexer_init(struct lexer *lexer, struct report *report, uint32_t file)
{
	struct span text = report->sources[file].text;
	const char *start = text.data != NULL ? text.data : "";
	*lexer = (struct lexer){ .report = report, .file = file, .end = start + text.len };
	line_begin(lexer, start);
}

static void decoder_add(struct decoder *decoder, char byte)
{
	/* One byte too many is counted, so that the end of the value can be told from an overflow. */
	if (decoder->len < sizeof(decoder->bytes))
		decoder->bytes[decoder->len] = byte;
	decoder->len++;
}

static void decoder_refuse(struct decoder *decoder, struct config_place place, const char *hint, const char *message)
{
	decoder->token->is_bad = true;
	report_error_hint(decoder->lexer->report, place, hint, "%s", message);
}

static int hex_digit(char byte)
{
	if (is_digit(byte))
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* at points to the backslash; returns what is behind the escape. */
static const char *escape_decode(struct decoder *decoder, const char *at, const char *end)
{
	static const char names[] = "nrt\\\"";
	static const char meanings[] = "\n\r\t\\\"";
	size_t left = (size_t)(end - at);
	const char *name = left > 1 && at[1] != '\0' ? strchr(names, at[1]) : NULL;
	if (name != NULL) {
		decoder_add(decoder, meanings[name - names]);
		return at + 2;
	}
	if (left > 3 && at[1] == 'x' && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
		decoder_add(decoder, (char)(hex_digit(at[2]) * 16 + hex_digit(at[3])));
		return at + 4;
	}
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = place_of(decoder->lexer, at, left > 1 ? 2 : 1),
		.message = left > 1 && at[1] == 'x' ? "\\x needs two hexadecimal digits" : "unknown escape in a string",
		.accepted = "\\n \\r \\t \\\\ \\\" \\xHH",
	};
	decoder->token->is_bad = true;
	report_add(decoder->lexer->report, &finding);
	return left > 1 ? at + 2 : end;
}

static size_t variable_name_len(const char *begin, const char *end)
{
	const char *at = begin;
	while (at < end && (is_letter(*at) || *at == '_' || (at > begin && is_digit(*at))))
		at++;
	return (size_t)(at - begin);
}

/* The value of ${NAME}, when it is set and, if there is a default, not empty. */
static const char *variable_find(struct span name, bool has_default)
{
	char buf[256];
	if (!span_copy(name, buf, sizeof(buf)))
		return NULL;
	const char *value = getenv(buf);
	return value != NULL && (*value != '\0' || !has_default) ? value : NULL;
}

/* begin and end enclose what stands between ${ and }. */
static void variable_expand(struct decoder *decoder, const char *begin, const char *end)
{
	struct config_place place = place_of(decoder->lexer, begin - 2, (size_t)(end - begin) + 3);
	struct span name = { begin, variable_name_len(begin, end) };
	const char *behind = begin + name.len;
	bool has_default = end - behind >= 2 && behind[0] == ':' && behind[1] == '-';
	if (name.len == 0 || (behind < end && !has_default)) {
		decoder_refuse(decoder, place, "write ${NAME} or ${NAME:-default}",
			       "this is not the name of a variable");
		return;
	}
	const char *value = variable_find(name, has_default);
	if (value != NULL) {
		for (; *value != '\0' && decoder->len <= sizeof(decoder->bytes); value++)
			decoder_add(decoder, *value);
	} else if (has_default) {
		for (const char *at = behind + 2; at < end;) {
			if (*at == '\\' && decoder->is_quoted)
				at = escape_decode(decoder, at, end);
			else
				decoder_add(decoder, *at++);
		}
	} else {
		struct report *report = decoder->lexer->report;
		const char *hint = report_text(report, "${%.*s:-default} gives it a default", (int)name.len, name.data);
		decoder_refuse(decoder, place, hint,
			       report_text(report, "the variable %s is not set", report_quote(report, name)));
	}
}

/* at points to "${"; returns what is behind it. */
static const char *variable_decode(struct decoder *decoder, const char *at, const char *end)
{
	const char *close = memchr(at, '}', (size_t)(end - at));
	decoder->token->has_variable = true;
	if (close == NULL) {
		decoder_refuse(decoder, place_of(decoder->lexer, at, (size_t)(end - at)), NULL,
			       "the } of a variable is missing");
		return end;
	}
	for (const char *inner = at + 2; inner < close; inner++) {
		if (inner[0] == '$' && inner[1] == '{') {
			decoder_refuse(decoder, place_of(decoder->lexer, inner, 2), NULL,
				       "a variable cannot stand inside another");
			return end;
		}
	}
	variable_expand(decoder, at + 2, close);
	return close + 1;
}

static void value_decode(struct lexer *lexer, struct token *token, const char *begin, const char *end)
{
	struct decoder decoder = { .lexer = lexer, .token = token, .is_quoted = token->is_quoted };
	for (const char *at = begin; at < end;) {
		if (*at == '\\' && decoder.is_quoted)
			at = escape_decode(&decoder, at, end);
		else if (end - at >= 2 && at[0] == '$' && at[1] == '{')
			at = variable_decode(&decoder, at, end);
		else
			decoder_add(&decoder, *at++);
	}
	if (decoder.len > sizeof(decoder.bytes)) {
		decoder_refuse(&decoder, place_of(lexer, begin, (size_t)(end - begin)), NULL,
			       report_text(lexer->report, "a value is longer than %d bytes", LEXER_VALUE_BYTES_MAX));
		return;
	}
	struct span decoded = { decoder.bytes, decoder.len };
	token->value = (struct span){ config_memory_text(lexer->report->memory, decoded), decoded.len };
}

/* Most values are the bytes of the file themselves. */
static void value_take(struct lexer *lexer, struct token *token, const char *begin, const char *end)
{
	size_t len = (size_t)(end - begin);
	token->value = (struct span){ begin, len };
	if (lexer->is_line_bad) {
		for (const char *at = begin; at < end; at++)
			token->is_bad = token->is_bad || (is_control(*at) && *at != '\t');
	}
	bool is_plain = memchr(begin, '$', len) == NULL && (!token->is_quoted || memchr(begin, '\\', len) == NULL);
	if (!token->is_bad && (!is_plain || len > LEXER_VALUE_BYTES_MAX))
		value_decode(lexer, token, begin, end);
}

static void refuse(struct lexer *lexer, struct token *token, struct finding finding)
{
	finding.severity = DIAGNOSTIC_ERROR;
	if (!token->is_bad)
		report_add(lexer->report, &finding);
	token->is_bad = true;
}

/* The cursor stands behind the closing quote, where a value has to end. */
static void quote_end_check(struct lexer *lexer, struct token *token)
{
	const char *begin = lexer->cursor;
	while (lexer->cursor < lexer->line_end && !is_separator(*lexer->cursor))
		lexer->cursor++;
	if (lexer->cursor > begin)
		refuse(lexer, token,
		       (struct finding){ .place = place_of(lexer, begin, (size_t)(lexer->cursor - begin)),
					 .message = "a space is missing behind the closing quote" });
}

/* The cursor stands on the opening quote. */
static void quoted_read(struct lexer *lexer, struct token *token)
{
	const char *open = lexer->cursor;
	const char *at = open + 1;
	while (at < lexer->line_end && *at != '"')
		at += *at == '\\' && at + 1 < lexer->line_end ? 2 : 1;
	token->is_quoted = true;
	if (at >= lexer->line_end) {
		lexer->cursor = lexer->line_end;
		refuse(lexer, token,
		       (struct finding){ .place = place_of(lexer, open, (size_t)(lexer->line_end - open)),
					 .message = "the string is not closed on its line",
					 .hint = "a line break in it is written \\n" });
		return;
	}
	value_take(lexer, token, open + 1, at);
	lexer->cursor = at + 1;
	quote_end_check(lexer, token);
}

/* Characters that look like others, as word processors and web pages put them. */
static void lookalike_check(struct lexer *lexer, struct token *token, struct span word)
{
	static const struct {
		const char *bytes;
		const char *message;
	} lookalikes[] = {
		{ "\xc2\xa0", "this is a no-break space, which does not separate" },
		{ "\xe2\x80\x8b", "this is an invisible zero-width space" },
		{ "\xef\xbb\xbf", "this is an invisible byte order mark" },
		{ "\xe2\x80\x9c", "this is a typographic quotation mark" },
		{ "\xe2\x80\x9d", "this is a typographic quotation mark" },
		{ "\xe2\x80\x98", "this is a typographic quotation mark" },
		{ "\xe2\x80\x99", "this is a typographic quotation mark" },
	};
	for (size_t i = 0; i < sizeof(lookalikes) / sizeof(lookalikes[0]); i++) {
		size_t len = strlen(lookalikes[i].bytes);
		const char *found = memmem(word.data, word.len, lookalikes[i].bytes, len);
		if (found != NULL)
			refuse(lexer, token,
			       (struct finding){ .place = place_of(lexer, found, len),
						 .message = lookalikes[i].message,
						 .hint = "retype it as a plain one" });
	}
}

/*
 * Finds the end of the ${...} at the beginning. What may stand in it would end a bare value, so one that is wrong is
 * taken as far as it was probably meant to go.
 */
static const char *variable_end_find(const struct lexer *lexer, const char *begin)
{
	const char *blank = NULL;
	size_t depth = 1;
	for (const char *at = begin + 2; at < lexer->line_end; at++) {
		if (at[0] == '$' && at + 1 < lexer->line_end && at[1] == '{')
			depth++;
		else if (*at == '}' && --depth == 0)
			return at + 1;
		else if (is_blank(*at) && blank == NULL)
			blank = at;
	}
	return blank != NULL ? blank : lexer->line_end;
}

static const char *bare_end_find(const struct lexer *lexer, const char *begin)
{
	const char *at = begin;
	while (at < lexer->line_end && !is_separator(*at)) {
		if (at[0] == '$' && at + 1 < lexer->line_end && at[1] == '{')
			at = variable_end_find(lexer, at);
		else
			at++;
	}
	return at;
}

/* A \ at the end of the line, as other languages have it. */
static bool is_continuation(const struct lexer *lexer, struct span word)
{
	return word.len == 1 && word.data[0] == '\\' && word.data + 1 == lexer->line_end;
}

/* What is wrong with a bare value; the message is NULL when nothing is. */
static struct finding bare_check(const struct lexer *lexer, struct span word, bool has_key)
{
	const char *quote = memchr(word.data, '"', word.len);
	const char *hash = memchr(word.data, '#', word.len);
	const char *blank = NULL; /* can only have come in with a variable */
	for (size_t i = 0; i < word.len && blank == NULL; i++)
		blank = is_blank(word.data[i]) ? &word.data[i] : NULL;
	if (word.data[0] == '=' && !has_key)
		return (struct finding){ .place = place_of(lexer, word.data, 1),
					 .message = "a setting is written key=value, without spaces" };
	if (blank != NULL)
		return (struct finding){ .place = place_of(lexer, word.data, word.len),
					 .message = "a variable with spaces in it stands in quotes",
					 .hint = "write \"${NAME:-a b}\"" };
	if (quote != NULL)
		return (struct finding){ .place = place_of(lexer, quote, 1),
					 .message = "a quote stands inside a word",
					 .hint = "put all of the value in quotes" };
	if (hash != NULL)
		return (struct finding){ .place = place_of(lexer, hash, 1),
					 .message = "# stands inside a word",
					 .hint = "put a space before a comment, or the value in quotes" };
	if (is_continuation(lexer, word))
		return (struct finding){ .place = place_of(lexer, word.data, 1),
					 .message = "a statement cannot go on in the next line",
					 .hint = "write all of it on one line" };
	return (struct finding){ .message = NULL };
}

static void bare_read(struct lexer *lexer, struct token *token)
{
	const char *begin = lexer->cursor;
	const char *end = bare_end_find(lexer, begin);
	struct span word = { begin, (size_t)(end - begin) };
	struct finding finding = bare_check(lexer, word, token->key.len > 0);
	lexer->cursor = end;
	lexer->is_continued = is_continuation(lexer, word);
	if (finding.message != NULL)
		refuse(lexer, token, finding);
	lookalike_check(lexer, token, word);
	value_take(lexer, token, begin, end);
}

static size_t key_len(const struct lexer *lexer)
{
	const char *at = lexer->cursor;
	if (!is_letter(*at))
		return 0;
	while (at < lexer->line_end && (is_letter(*at) || is_digit(*at) || *at == '-' || *at == '_'))
		at++;
	return at < lexer->line_end && *at == '=' ? (size_t)(at - lexer->cursor) : 0;
}

static void value_read(struct lexer *lexer, struct token *token)
{
	const char *begin = lexer->cursor;
	token->kind = TOKEN_VALUE;
	token->key = (struct span){ begin, key_len(lexer) };
	if (token->key.len > 0)
		lexer->cursor += token->key.len + 1;
	const char *value = lexer->cursor;
	if (value == lexer->line_end || is_separator(*value)) {
		refuse(lexer, token,
		       (struct finding){ .place = place_of(lexer, begin, token->key.len + 1),
					 .message = report_text(lexer->report, "\"%.*s=\" has no value",
								(int)token->key.len, begin),
					 .hint = "the value follows the = without a space" });
	} else if (*value == '"') {
		quoted_read(lexer, token);
	} else {
		bare_read(lexer, token);
	}
	token->place = place_of(lexer, begin, (size_t)(lexer->cursor - begin));
	token->value_place = place_of(lexer, value, (size_t)(lexer->cursor - value));
}

static void line_end_read(struct lexer *lexer, struct token *token)
{
	token->place = place_of(lexer, lexer->line_end, 1);
	token->kind = lexer->next_line != NULL ? TOKEN_END : TOKEN_EOF;
	if (lexer->next_line != NULL)
		line_begin(lexer, lexer->next_line);
}

void lexer_next(struct lexer *lexer, struct token *ret_token)
{
	*ret_token = (struct token){ .kind = TOKEN_END };
	if (lexer->is_continued && lexer->next_line != NULL)
		line_begin(lexer, lexer->next_line);
	lexer->is_continued = false;
	while (lexer->cursor < lexer->line_end && is_blank(*lexer->cursor))
		lexer->cursor++;
	if (lexer->cursor == lexer->line_end || *lexer->cursor == '#') {
		lexer->cursor = lexer->line_end;
		line_end_read(lexer, ret_token);
		return;
	}
	ret_token->place = place_of(lexer, lexer->cursor, 1);
	switch (*lexer->cursor) {
	case '{':
		ret_token->kind = TOKEN_OPEN;
		break;
	case '}':
		ret_token->kind = TOKEN_CLOSE;
		break;
	case ';':
		ret_token->kind = TOKEN_END;
		break;
	default:
		value_read(lexer, ret_token);
		return;
	}
	lexer->cursor++;
}
