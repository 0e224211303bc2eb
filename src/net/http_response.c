/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_response.h"

#include "base/http_statuses.h"

#include <string.h>
#include <strings.h>

enum { STATUS_SWITCHING_PROTOCOLS = 101, STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304 };

void http_response_init(struct http_response *response, const char *method)
{
	/* What is in the buffers does not matter. */
	memset(response, 0, offsetof(struct http_response, line));
	response->is_answer_to_head = strcmp(method, "HEAD") == 0;
}

static void refuse(struct http_response *response, const char *problem)
{
	response->progress = HTTP_MALFORMED;
	response->problem = problem;
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* RFC 9110, section 5.6.2 */
static bool is_token_byte(char byte)
{
	return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static int hex_value(char byte)
{
	if (is_digit(byte))
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct span trim(struct span text)
{
	while (text.len > 0 && is_blank(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

static bool is_same_word(struct span text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

/* Control characters have no place in a line, but for tabs (RFC 9110, section 5.5). */
static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
			return true;
	}
	return false;
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* HTTP/1.1 200 OK */
static void read_status_line(struct http_response *response, struct span line)
{
	const char *text = line.data;
	bool is_one = line.len >= 12 && memcmp(text, "HTTP/1.", 7) == 0 && (text[7] == '0' || text[7] == '1');
	bool has_code = is_one && text[8] == ' ' && is_digit(text[9]) && is_digit(text[10]) && is_digit(text[11]);
	if (!has_code || (line.len > 12 && text[12] != ' ')) {
		refuse(response, "the answer is not HTTP/1");
		return;
	}
	response->is_http_1_0 = text[7] == '0';
	response->status = (unsigned int)(text[9] - '0') * 100 + (unsigned int)(text[10] - '0') * 10 +
			   (unsigned int)(text[11] - '0');
	response->has_length = response->is_chunked = false;
	response->part = HTTP_PART_FIELDS;
	if (response->status < HTTP_STATUS_MIN || response->status > HTTP_STATUS_MAX)
		refuse(response, "there is no such status code");
	else if (response->status == STATUS_SWITCHING_PROTOCOLS)
		refuse(response, "another protocol was not asked for");
}

static void read_length(struct http_response *response, struct span value)
{
	uint64_t length = 0;
	bool is_number = value.len > 0;
	for (size_t i = 0; i < value.len && is_number; i++)
		is_number = is_digit(value.data[i]) && !__builtin_mul_overflow(length, 10u, &length) &&
			    !__builtin_add_overflow(length, (uint64_t)(value.data[i] - '0'), &length);
	if (!is_number || response->has_length || response->is_chunked) {
		refuse(response, "the length of the body is not clear");
		return;
	}
	response->has_length = true;
	response->left = length;
}

/* HTTP/1.0 has no codings, and strait asks for none (RFC 9112, section 6.1). */
static void read_coding(struct http_response *response, struct span value)
{
	if (response->has_length || response->is_chunked || response->is_http_1_0)
		refuse(response, "the length of the body is not clear");
	else if (!is_same_word(value, "chunked"))
		refuse(response, "the transfer coding was not asked for");
	else
		response->is_chunked = true;
}

/* False when it is no field at all. */
static bool split_field(struct span line, struct span *ret_name, struct span *ret_value)
{
	size_t len = 0;
	while (len < line.len && is_token_byte(line.data[len]))
		len++;
	if (len == 0 || len == line.len || line.data[len] != ':')
		return false;
	*ret_name = (struct span){ line.data, len };
	*ret_value = trim((struct span){ line.data + len + 1, line.len - len - 1 });
	return true;
}

static void begin_body(struct http_response *response)
{
	bool has_none = response->is_answer_to_head || response->status == STATUS_NO_CONTENT ||
			response->status == STATUS_NOT_MODIFIED;
	if (!response->has_length)
		response->left = UINT64_MAX;
	response->has_status = true;
	response->part = response->is_chunked ? HTTP_PART_CHUNK_SIZE : HTTP_PART_BODY;
	response->progress = has_none || response->left == 0 ? HTTP_WHOLE : HTTP_BODY;
}

static void end_fields(struct http_response *response)
{
	if (response->status < 200)
		response->part = HTTP_PART_STATUS_LINE;
	else
		begin_body(response);
}

static void read_field(struct http_response *response, struct span line)
{
	struct span name, value;
	if (line.len == 0)
		end_fields(response);
	else if (!split_field(line, &name, &value))
		refuse(response, "a line of the head is no field");
	else if (is_same_word(name, "Content-Length"))
		read_length(response, value);
	else if (is_same_word(name, "Transfer-Encoding"))
		read_coding(response, value);
}

/* 1a ; what is behind the semicolon does not matter */
static void read_chunk_size(struct http_response *response, struct span line)
{
	uint64_t size = 0;
	size_t len = 0;
	for (; len < line.len && hex_value(line.data[len]) >= 0; len++) {
		if (size >> 60 != 0) {
			refuse(response, "the size of a chunk is too large");
			return;
		}
		size = size << 4 | (uint64_t)hex_value(line.data[len]);
	}
	struct span rest = trim((struct span){ line.data + len, line.len - len });
	if (len == 0 || (rest.len > 0 && rest.data[0] != ';')) {
		refuse(response, "the size of a chunk is no number");
		return;
	}
	response->left = size;
	response->part = size > 0 ? HTTP_PART_CHUNK : HTTP_PART_TRAILERS;
}

static void read_chunk_end(struct http_response *response, struct span line)
{
	response->part = HTTP_PART_CHUNK_SIZE;
	if (line.len > 0)
		refuse(response, "a chunk is longer than its size");
}

static void read_trailer(struct http_response *response, struct span line)
{
	struct span name, value;
	if (line.len == 0)
		response->progress = HTTP_WHOLE;
	else if (!split_field(line, &name, &value))
		refuse(response, "a line behind the body is no field");
}

static void read_line(struct http_response *response, struct span line)
{
	if (has_control(line)) {
		refuse(response, "a line holds control characters");
		return;
	}
	switch (response->part) {
	case HTTP_PART_STATUS_LINE:
		read_status_line(response, line);
		break;
	case HTTP_PART_FIELDS:
		read_field(response, line);
		break;
	case HTTP_PART_CHUNK_SIZE:
		read_chunk_size(response, line);
		break;
	case HTTP_PART_CHUNK_END:
		read_chunk_end(response, line);
		break;
	case HTTP_PART_TRAILERS:
		read_trailer(response, line);
		break;
	case HTTP_PART_BODY:
	case HTTP_PART_CHUNK:
		break;
	}
}

/* Lines between chunks come as often as there are chunks; only those of heads and trailers are counted together. */
static bool is_head_too_long(struct http_response *response, size_t len)
{
	bool is_framing = response->part == HTTP_PART_CHUNK_SIZE || response->part == HTTP_PART_CHUNK_END;
	if (!is_framing)
		response->head_len += len;
	return response->head_len > HTTP_HEAD_BYTES_MAX;
}

/* Takes up to the end of the line; returns how many bytes. */
static size_t take_line(struct http_response *response, struct span bytes)
{
	const char *newline = memchr(bytes.data, '\n', bytes.len);
	size_t len = newline != NULL ? (size_t)(newline - bytes.data) + 1 : bytes.len;
	if (len > HTTP_LINE_BYTES_MAX - response->line_len || is_head_too_long(response, len)) {
		refuse(response, "the head is too long");
		return bytes.len;
	}
	memcpy(response->line + response->line_len, bytes.data, len);
	response->line_len += len;
	if (newline == NULL)
		return len;
	struct span line = { response->line, response->line_len - 1 };
	response->line_len = 0;
	if (line.len == 0 || line.data[line.len - 1] != '\r') {
		refuse(response, "a line does not end with CR LF");
		return len;
	}
	line.len--;
	read_line(response, line);
	return len;
}

/* --- body -------------------------------------------------------------------------------------------------------- */

static void keep_body(struct http_response *response, struct span bytes)
{
	size_t room = HTTP_BODY_BYTES_MAX - response->body_len;
	size_t len = bytes.len < room ? bytes.len : room;
	memcpy(response->body + response->body_len, bytes.data, len);
	response->body_len += len;
}

static size_t take_body(struct http_response *response, struct span bytes)
{
	size_t len = bytes.len < response->left ? bytes.len : (size_t)response->left;
	bool is_bounded = response->has_length || response->is_chunked;
	keep_body(response, (struct span){ bytes.data, len });
	if (is_bounded)
		response->left -= len;
	if (response->left > 0)
		return len;
	if (response->part == HTTP_PART_CHUNK)
		response->part = HTTP_PART_CHUNK_END;
	else
		response->progress = HTTP_WHOLE;
	return len;
}

enum http_progress http_response_feed(struct http_response *response, struct span bytes)
{
	while (bytes.len > 0 && (response->progress == HTTP_HEAD || response->progress == HTTP_BODY)) {
		bool is_body = response->part == HTTP_PART_BODY || response->part == HTTP_PART_CHUNK;
		size_t len = is_body ? take_body(response, bytes) : take_line(response, bytes);
		bytes.data += len;
		bytes.len -= len;
	}
	return response->progress;
}

enum http_progress http_response_finish(struct http_response *response)
{
	if (response->progress == HTTP_HEAD)
		refuse(response, "the answer ended within its head");
	else if (response->progress == HTTP_BODY && (response->has_length || response->is_chunked))
		refuse(response, "the answer ended within its body");
	else if (response->progress == HTTP_BODY)
		response->progress = HTTP_WHOLE;
	return response->progress;
}
