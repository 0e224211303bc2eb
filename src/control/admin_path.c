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

/* Returns false for what is not well encoded. */
static bool decode(const char *part, size_t part_len, char ret_name[ADMIN_NAME_BYTES])
{
	size_t len = 0;
	for (size_t i = 0; i < part_len; i++) {
		int byte = (unsigned char)part[i];
		if (byte == '%') {
			int high = part_len - i > 2 ? hex_value(part[i + 1]) : -1;
			int low = part_len - i > 2 ? hex_value(part[i + 2]) : -1;
			byte = high < 0 || low < 0 ? 0 : high << 4 | low;
			i += 2;
		}
		if (byte == 0 || len == ADMIN_NAME_BYTES - 1)
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
		if (pattern_len == 1 && *pattern == '*') {
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
