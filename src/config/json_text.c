/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_text.h"

/* The last byte that was read, as a place. */
static struct config_place place_of(struct span text, uint32_t file, size_t read_bytes)
{
	struct config_place place = { .file = file, .line = 1, .column = 1, .len = 1 };
	size_t at = read_bytes > 0 ? read_bytes - 1 : 0;
	for (size_t i = 0; i < at && i < text.len; i++) {
		place.column++;
		if (text.data[i] == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return place;
}

/* jansson's own words without the bytes of the document, which the message shows anyway. */
static const char *problem_text(struct report *report, const json_error_t *error)
{
	const char *near = strstr(error->text, " near ");
	int len = near != NULL ? (int)(near - error->text) : (int)strlen(error->text);
	return report_text(report, "this is not JSON: %.*s", len, error->text);
}

static void problem_report(struct report *report, struct config_place place, const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_premature_end_of_input:
		report_error(report, place, "the JSON text ends too early");
		break;
	case json_error_invalid_utf8:
		report_error(report, place, "JSON is UTF-8, and this is not");
		break;
	case json_error_duplicate_key:
		report_error(report, place, "this key is given twice in its object");
		break;
	case json_error_null_character:
		report_error_hint(report, place, "bytes can be written {\"hex\": \"00ff\"}",
				  "a string cannot hold a zero byte");
		break;
	case json_error_numeric_overflow:
		report_error(report, place, "this number is too large");
		break;
	case json_error_stack_overflow:
		report_error(report, place, "objects and arrays are nested too deep");
		break;
	case json_error_end_of_input_expected:
		report_error(report, place, "something stands behind the end of the JSON document");
		break;
	default:
		report_error(report, place, "%s", problem_text(report, error));
		break;
	}
}

json_t *json_text_read(struct report *report, uint32_t file)
{
	struct span text = report->sources[file].text;
	json_error_t error;
	json_t *document =
		json_loadb(text.len > 0 ? text.data : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (document != NULL)
		return document;
	size_t read_bytes = error.position > 0 ? (size_t)error.position : 0;
	/* A byte that is no UTF-8 was not taken. */
	read_bytes += json_error_code(&error) == json_error_invalid_utf8;
	problem_report(report, place_of(text, file, read_bytes), &error);
	return NULL;
}
