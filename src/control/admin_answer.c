/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_answer.h"

#include "base/check.h"
#include "base/memory.h"
#include "control/json_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { SOURCE_BYTES_MAX = 1000 };

#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_JSON    "application/json"
#define TYPE_PROBLEM "application/problem+json"

const char *admin_argument(const struct admin_request *request, const char *name)
{
	for (size_t i = 0; i < request->argument_count; i++)
		if (strcmp(request->arguments[i].name, name) == 0)
			return request->arguments[i].value;
	return NULL;
}

bool admin_read_limit(const struct admin_request *request, size_t fallback, size_t max, size_t *ret_limit)
{
	enum { DIGITS_MAX = 6 };
	const char *text = admin_argument(request, "limit");
	*ret_limit = fallback;
	if (text == NULL)
		return true;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > DIGITS_MAX || text[digits] != '\0')
		return false;
	*ret_limit = strtoul(text, NULL, 10);
	return *ret_limit <= max;
}

void admin_answer_text(struct admin_answer *answer, const char *text)
{
	*answer = (struct admin_answer){
		.status = ADMIN_OK,
		.type = TYPE_TEXT,
		.body = memory_copy_text(text),
		.body_bytes = strlen(text),
	};
}

/* Takes the reference. */
static void answer_document(struct admin_answer *answer, enum admin_status status, const char *type, json_t *document)
{
	char *body = json_dumps(document, JSON_COMPACT);
	CHECK(body != NULL);
	json_decref(document);
	size_t bytes = strlen(body);
	body = memory_resize(body, bytes + 1, 1);
	body[bytes] = '\n'; /* for terminals; there is no zero behind it */
	*answer = (struct admin_answer){ .status = status, .type = type, .body = body, .body_bytes = bytes + 1 };
}

void admin_answer_json(struct admin_answer *answer, enum admin_status status, json_t *document)
{
	answer_document(answer, status, TYPE_JSON, document);
}

static const char *title_of(enum admin_status status)
{
	switch (status) {
	case ADMIN_OK:
		return "OK";
	case ADMIN_CREATED:
		return "Created";
	case ADMIN_NOT_MODIFIED:
		return "Not Modified";
	case ADMIN_BAD_REQUEST:
		return "Bad Request";
	case ADMIN_UNAUTHORIZED:
		return "Unauthorized";
	case ADMIN_FORBIDDEN:
		return "Forbidden";
	case ADMIN_NOT_FOUND:
		return "Not Found";
	case ADMIN_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case ADMIN_CONFLICT:
		return "Conflict";
	case ADMIN_CONTENT_TOO_LARGE:
		return "Content Too Large";
	case ADMIN_UNSUPPORTED_MEDIA_TYPE:
		return "Unsupported Media Type";
	case ADMIN_EXPECTATION_FAILED:
		return "Expectation Failed";
	case ADMIN_UNPROCESSABLE_CONTENT:
		return "Unprocessable Content";
	case ADMIN_UNAVAILABLE:
		return "Service Unavailable";
	}
	return "";
}

static json_t *problem_build(enum admin_status status, const char *detail)
{
	json_t *problem = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", title_of(status), "status",
				    (int)status, "detail", json_bytes(detail));
	CHECK(problem != NULL);
	return problem;
}

void admin_refuse(struct admin_answer *answer, enum admin_status status, const char *detail)
{
	answer_document(answer, status, TYPE_PROBLEM, problem_build(status, detail));
}

/* What stands in a file may be any bytes; JSON is UTF-8. */
static void put_bytes(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(object, key, json_bytes(text));
}

/* One line of megabytes may be at fault in a hundred places: only its beginning is told, if that is where. */
static void put_source(json_t *object, const struct diagnostic *entry)
{
	char source[SOURCE_BYTES_MAX + 1];
	if (entry->source == NULL || entry->column >= SOURCE_BYTES_MAX)
		return;
	size_t len = strnlen(entry->source, SOURCE_BYTES_MAX);
	while (entry->source[len] != '\0' && ((unsigned char)entry->source[len] & 0xc0) == 0x80)
		len--;
	span_copy((struct span){ entry->source, len }, source, sizeof(source));
	put_bytes(object, "source", source);
}

json_t *admin_diagnostics_json(const struct diagnostics *diagnostics)
{
	json_t *list = json_array();
	for (size_t i = 0; i < diagnostics->count; i++) {
		const struct diagnostic *entry = &diagnostics->entries[i];
		json_t *object = json_object();
		put_bytes(object, "severity", entry->severity == DIAGNOSTIC_ERROR ? "error" : "warning");
		put_bytes(object, "file", entry->file);
		json_object_set_new(object, "line", json_integer(entry->line));
		json_object_set_new(object, "column", json_integer(entry->column));
		json_object_set_new(object, "len", json_integer(entry->len));
		put_bytes(object, "pointer", entry->pointer);
		put_bytes(object, "message", entry->message);
		put_bytes(object, "hint", entry->hint);
		put_bytes(object, "accepted", entry->accepted);
		put_source(object, entry);
		json_array_append_new(list, object);
	}
	return list;
}

void admin_refuse_configuration(struct admin_answer *answer, const char *detail, const struct diagnostics *diagnostics,
				uint64_t generation)
{
	json_t *problem = problem_build(ADMIN_UNPROCESSABLE_CONTENT, detail);
	json_object_set_new(problem, "generation", json_integer((json_int_t)generation));
	json_object_set_new(problem, "errors", admin_diagnostics_json(diagnostics));
	answer_document(answer, ADMIN_UNPROCESSABLE_CONTENT, TYPE_PROBLEM, problem);
}
