/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event_line.h"

#include "cli/document.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_bare(const char *text)
{
	static const char accepted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/@%+*[]";
	return text[0] != '\0' && text[strspn(text, accepted)] == '\0';
}

/* Escaped, all but printable ASCII. */
static void print_value(const json_t *value, FILE *out)
{
	const char *text = json_string_value(value);
	if (text != NULL && is_bare(text)) {
		fputs(text, out);
		return;
	}
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT);
	for (const char *at = dump; at != NULL && *at != '\0'; at++)
		if (*at == 0x7f)
			fputs("\\u007f", out);
		else
			fputc(*at, out);
	free(dump);
}

static bool is_named(const char *key, const char *name)
{
	return strcmp(key, name) == 0;
}

void event_line_print_details(const json_t *event, FILE *out)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)event, key, value)
	{
		if (is_named(key, "ts") || is_named(key, "event") || is_named(key, "id"))
			continue;
		fprintf(out, " %s=", is_bare(key) ? key : "?");
		print_value(value, out);
	}
}

void event_line_print(const json_t *event, FILE *out)
{
	print_value(json_object_get(event, "ts"), out);
	fputc(' ', out);
	print_value(json_object_get(event, "event"), out);
	event_line_print_details(event, out);
	fputc('\n', out);
}
