/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check_values.h"

#include <errno.h>
#include <stdio.h>

enum {
	STATUS_FINAL_MIN = 200, /* 1xx are not the end of an answer */
	DNS_LABEL_BYTES_MAX = 63,
	PORT_MAX = 65535,
};

static int refuse(struct value_hint *ret_hint, const char *hint)
{
	snprintf(ret_hint->text, sizeof(ret_hint->text), "%s", hint);
	return -EINVAL;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static bool has_control(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (is_control(text.data[i]))
			return true;
	return false;
}

int check_value_accept_http_path(struct span text, struct value_hint *ret_hint)
{
	if (has_control(text))
		return refuse(ret_hint, "a path cannot hold control characters");
	if (text.len == 0 || text.data[0] != '/')
		return refuse(ret_hint, "a path begins with /; the server's name is host=");
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == ' ' || (unsigned char)text.data[i] >= 0x80)
			return refuse(ret_hint, "write spaces and what is not ASCII as %20 and the like");
		if (text.data[i] == '#')
			return refuse(ret_hint, "what is behind a # is never sent to a server");
	}
	return 0;
}

/* --- host -------------------------------------------------------------------------------------------------------- */

static size_t ip_literal_len(struct span text)
{
	size_t len = 1;
	while (len < text.len && (is_digit(text.data[len]) || is_letter(text.data[len]) || text.data[len] == ':' ||
				  text.data[len] == '.'))
		len++;
	return len > 1 && len < text.len && text.data[len] == ']' ? len + 1 : 0;
}

static size_t host_name_len(struct span text)
{
	size_t len = 0;
	while (len < text.len && (is_digit(text.data[len]) || is_letter(text.data[len]) || text.data[len] == '.' ||
				  text.data[len] == '-' || text.data[len] == '_'))
		len++;
	return len;
}

/* Empty, or a colon and a number. */
static bool is_port_part(struct span text)
{
	uint32_t port = 0;
	if (text.len == 0)
		return true;
	if (text.data[0] != ':' || text.len < 2 || text.len > 6)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (!is_digit(text.data[i]))
			return false;
		port = port * 10 + (uint32_t)(text.data[i] - '0');
	}
	return port > 0 && port <= PORT_MAX;
}

int check_value_accept_http_host(struct span text, struct value_hint *ret_hint)
{
	if (has_control(text))
		return refuse(ret_hint, "a host cannot hold control characters");
	if (text.len >= 7 && (memcmp(text.data, "http://", 7) == 0 || memcmp(text.data, "https:/", 7) == 0))
		return refuse(ret_hint, "write the name alone, and the path as path=");
	bool is_literal = text.len > 0 && text.data[0] == '[';
	size_t len = is_literal ? ip_literal_len(text) : host_name_len(text);
	if (len > 0 && is_port_part((struct span){ text.data + len, text.len - len }))
		return 0;
	return refuse(ret_hint, "a name or an address, and perhaps a port: www.example.com [fd00::1]:8080");
}

/* --- status codes ------------------------------------------------------------------------------------------------ */

/* Takes three digits off the text; 0 when there are none, or not three. */
static unsigned int status_take(struct span *text)
{
	unsigned int status = 0;
	size_t len = 0;
	for (; len < text->len && len < 4 && is_digit(text->data[len]); len++)
		status = status * 10 + (unsigned int)(text->data[len] - '0');
	text->data += len;
	text->len -= len;
	return len == 3 ? status : 0;
}

static bool is_next(struct span *text, char byte)
{
	if (text->len == 0 || text->data[0] != byte)
		return false;
	text->data++;
	text->len--;
	return true;
}

int check_value_parse_statuses(struct span text, struct http_statuses *ret_statuses, struct value_hint *ret_hint)
{
	struct http_statuses statuses = { 0 };
	do {
		unsigned int first = status_take(&text);
		unsigned int last = first != 0 && is_next(&text, '-') ? status_take(&text) : first;
		if (first == 0 || last == 0 || (text.len > 0 && text.data[0] != ','))
			return refuse(ret_hint, "numbers and ranges, with commas and no spaces");
		if (first < STATUS_FINAL_MIN || last > HTTP_STATUS_MAX)
			return refuse(ret_hint, "from 200 to 599: an answer of 1xx is followed by another");
		if (last < first)
			return refuse(ret_hint, "the lower number of a range comes first");
		http_statuses_add(&statuses, first, last);
	} while (is_next(&text, ','));
	*ret_statuses = statuses;
	return 0;
}

/* --- names and programs ------------------------------------------------------------------------------------------ */

static bool is_label_byte(char byte)
{
	return is_digit(byte) || is_letter(byte) || byte == '-' || byte == '_';
}

int check_value_accept_dns_name(struct span text, struct value_hint *ret_hint)
{
	size_t label_len = 0;
	if (span_equals(text, "."))
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (is_label_byte(text.data[i]) && label_len < DNS_LABEL_BYTES_MAX)
			label_len++;
		else if (is_label_byte(text.data[i]))
			return refuse(ret_hint, "no part between dots is longer than 63 bytes");
		else if (text.data[i] != '.')
			return refuse(ret_hint, "a name has letters, digits, '-' and '_', and dots between its parts");
		else if (label_len == 0)
			return refuse(ret_hint, "a part between dots is empty");
		else
			label_len = 0;
	}
	if (text.len == 0)
		return refuse(ret_hint, "the root is written \".\"");
	bool is_whole = text.data[text.len - 1] == '.';
	if (text.len - is_whole >= CHECK_DNS_NAME_BYTES_MAX)
		return refuse(ret_hint, "a name is at most 253 bytes long");
	return 0;
}

int check_value_accept_program(struct span text, struct value_hint *ret_hint)
{
	if (has_control(text))
		return refuse(ret_hint, "a path cannot hold control characters");
	if (text.len == 0 || text.data[0] != '/')
		return refuse(ret_hint, "write the whole path, from /");
	if (text.data[text.len - 1] == '/')
		return refuse(ret_hint, "this is a folder");
	return 0;
}
