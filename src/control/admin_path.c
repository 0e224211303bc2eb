/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_path.h"

#include <string.h>

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The byte that "%2f" stands for; -1 when it is none. */
static int escaped_byte(const char *text, size_t len)
{
	int high = len > 2 ? hex_value(text[1]) : -1;
	int low = len > 2 ? hex_value(text[2]) : -1;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Returns false for what is not well encoded. */
static bool decode(const char *part, size_t part_len, char ret_name[ADMIN_NAME_BYTES])
{
	size_t len = 0;
	for (size_t i = 0; i < part_len; i++) {
		int byte = (unsigned char)part[i];
		if (byte == '%') {
			byte = escaped_byte(part + i, part_len - i);
			i += 2;
		}
		if (byte <= 0 || len == ADMIN_NAME_BYTES - 1)
			return false;
		ret_name[len++] = (char)byte;
	}
	ret_name[len] = '\0';
	return len > 0;
}

bool admin_path_matches(const char *pattern, const char *path, char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES])
{
	char name[ADMIN_NAME_BYTES];
	size_t name_count = 0;
	while (*pattern == '/' && *path == '/') {
		size_t pattern_len = strcspn(++pattern, "/");
		size_t len = strcspn(++path, "/");
		if (*pattern == '{') {
			if (name_count == ADMIN_NAMES_MAX || !decode(path, len, ret_names[name_count++]))
				return false;
		} else if (len > 0 && (!decode(path, len, name) || strlen(name) != pattern_len ||
				       memcmp(name, pattern, pattern_len) != 0)) {
			return false;
		} else if (len == 0 && pattern_len > 0) {
			return false;
		}
		pattern += pattern_len;
		path += len;
	}
	return *pattern == '\0' && *path == '\0';
}

/* Decodes in place. Returns false for what is not well encoded. */
static bool decode_argument(char *text)
{
	char *to = text;
	for (const char *at = text; *at != '\0'; at++) {
		int byte = *at == '+' ? ' ' : (unsigned char)*at;
		if (byte == '%') {
			byte = escaped_byte(at, strlen(at));
			at += 2;
		}
		if (byte <= 0)
			return false;
		*to++ = (char)byte;
	}
	*to = '\0';
	return true;
}

static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);
	json_decref(string);
	return string != NULL;
}

/* Returns what is wrong, or NULL. */
static const char *read_argument(char *text, struct admin_request *request)
{
	char *value = strchr(text, '=');
	if (value != NULL)
		*value++ = '\0';
	else
		value = text + strlen(text);
	if (request->argument_count == ADMIN_ARGUMENTS_MAX)
		return "there are too many arguments";
	if (!decode_argument(text) || !decode_argument(value) || !is_utf8(text) || !is_utf8(value))
		return "an argument is not UTF-8, percent-encoded";
	request->arguments[request->argument_count++] = (struct admin_argument){ text, value };
	return NULL;
}

void admin_path_read_arguments(char *query, struct admin_request *request)
{
	while (query != NULL && request->argument_problem == NULL) {
		char *argument = strsep(&query, "&");
		if (argument[0] != '\0')
			request->argument_problem = read_argument(argument, request);
	}
}
