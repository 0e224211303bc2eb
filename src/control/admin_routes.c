/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include "control/admin_path.h"

#include <stdio.h>
#include <string.h>

enum {
	SMALL_BODY_BYTES_MAX = 64 * 1024,
	CONFIGURATION_BYTES_MAX = 16 * 1024 * 1024,
};

/* --- finding the endpoint ---------------------------------------------------------------------------------------- */

static bool method_matches(const struct admin_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool path_matches(const struct admin_route *route, const struct admin_request *request,
			 char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES])
{
	return admin_path_matches(route->path, request->path, ret_names);
}

/* NULL when there is none of that path and method. */
static const struct admin_route *find_route(const struct admin_request *request,
					    char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES])
{
	for (size_t i = 0; i < admin_route_count; i++)
		if (method_matches(&admin_routes[i], request->method) &&
		    path_matches(&admin_routes[i], request, ret_names))
			return &admin_routes[i];
	return NULL;
}

size_t admin_routes_body_max(const struct admin_request *request)
{
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	const struct admin_route *route = find_route(request, names);
	if (route == NULL || route->body == ADMIN_BODY_NONE)
		return 0;
	return route->body == ADMIN_BODY_CONFIGURATION ? CONFIGURATION_BYTES_MAX : SMALL_BODY_BYTES_MAX;
}

/* "GET, HEAD, DELETE": constant texts, because an answer only borrows it. */
static const char *allowed_methods(const struct admin_request *request)
{
	static const char *const words[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
	static char texts[1 << 5][48];
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	unsigned int set = 0;
	for (size_t i = 0; i < admin_route_count; i++)
		for (size_t word = 0; word < 5; word++)
			if (strcmp(admin_routes[i].method, words[word]) == 0 &&
			    path_matches(&admin_routes[i], request, names))
				set |= 1U << word;
	if (set == 0)
		return NULL;
	char *text = texts[set];
	size_t len = 0;
	for (size_t word = 0; word < 5; word++)
		if ((set & 1U << word) != 0)
			len += (size_t)snprintf(text + len, sizeof(texts[0]) - len, "%s%s%s", len > 0 ? ", " : "",
						words[word], word == 0 ? ", HEAD" : "");
	return text;
}

static void refuse_unknown(const struct admin_request *request, struct admin_answer *answer)
{
	const char *allowed = allowed_methods(request);
	if (allowed == NULL) {
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is nothing here; GET /v1 lists the endpoints");
		return;
	}
	admin_refuse(answer, ADMIN_METHOD_NOT_ALLOWED, "this endpoint has no such method; Allow tells which it has");
	answer->allow = allowed;
}

/* --- what came with the request ---------------------------------------------------------------------------------- */

static bool accepts_argument(const struct admin_route *route, const struct admin_request *request, size_t index)
{
	const char *name = request->arguments[index].name;
	for (size_t i = 0; i < index; i++)
		if (strcmp(request->arguments[i].name, name) == 0)
			return false;
	for (const struct admin_parameter *accepted = route->arguments; accepted->name != NULL; accepted++)
		if (strcmp(accepted->name, name) == 0)
			return true;
	return false;
}

/* A misspelled argument must not change the question in silence. */
static bool accepts_arguments(const struct admin_route *route, const struct admin_request *request)
{
	if (route->arguments[0].name == NULL && route->body == ADMIN_BODY_NONE && strcmp(route->method, "GET") == 0)
		return true;
	for (size_t i = 0; i < request->argument_count; i++)
		if (!accepts_argument(route, request, i))
			return false;
	return true;
}

static bool is_type(const char *content_type, const char *type)
{
	size_t len = strlen(type);
	return content_type != NULL && strncasecmp(content_type, type, len) == 0 &&
	       (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

/* A DELETE says all in its path, and no web page can send one unasked. */
static bool accepts_type(const struct admin_route *route, const struct admin_request *request)
{
	if (strcmp(route->method, "GET") == 0)
		return true;
	if (request->content_type == NULL)
		return strcmp(route->method, "DELETE") == 0;
	return is_type(request->content_type, "application/json") ||
	       (route->body == ADMIN_BODY_CONFIGURATION && is_type(request->content_type, "text/plain"));
}

bool admin_routes_accept_type(const struct admin_request *request)
{
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	const struct admin_route *route = find_route(request, names);
	return route == NULL || accepts_type(route, request);
}

/* Returns false, and refuses, when the body is not an object. */
static bool read_document(const struct admin_route *route, struct admin_request *request, struct admin_answer *answer)
{
	char detail[160 + sizeof(((json_error_t *)NULL)->text)];
	json_error_t error;
	if (route->body != ADMIN_BODY_JSON || request->body.len == 0)
		return true;
	request->document = json_loadb(request->body.data, request->body.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request->document))
		return true;
	if (request->document != NULL)
		snprintf(detail, sizeof(detail), "the body has to be a JSON object");
	else
		snprintf(detail, sizeof(detail), "the body is not JSON, see line %d, column %d", error.line,
			 error.column);
	json_decref(request->document);
	request->document = NULL;
	admin_refuse(answer, ADMIN_BAD_REQUEST, detail);
	return false;
}

static void answer(const struct admin_route *route, struct admin_request *request, struct admin_answer *ret_answer)
{
	if (route == NULL)
		refuse_unknown(request, ret_answer);
	else if (request->has_body && route->body == ADMIN_BODY_NONE)
		admin_refuse(ret_answer, ADMIN_CONTENT_TOO_LARGE, "this endpoint takes no body");
	else if (!accepts_type(route, request))
		admin_refuse(ret_answer, ADMIN_UNSUPPORTED_MEDIA_TYPE,
			     "changes are sent with Content-Type: application/json");
	else if (request->argument_problem != NULL)
		admin_refuse(ret_answer, ADMIN_BAD_REQUEST, request->argument_problem);
	else if (!accepts_arguments(route, request))
		admin_refuse(ret_answer, ADMIN_BAD_REQUEST,
			     "an argument is unknown or given twice; GET /v1 tells which there are");
	else if (read_document(route, request, ret_answer))
		route->handle(request, ret_answer);
}

void admin_routes_answer(struct admin_request *request, struct admin_answer *ret_answer)
{
	const struct admin_route *route = find_route(request, request->names);
	request->document = NULL;
	answer(route, request, ret_answer);
	json_decref(request->document);
	request->document = NULL;
}
