/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include "base/check.h"
#include "base/memory.h"
#include "control/status.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_JSON    "application/json"
#define TYPE_PROBLEM "application/problem+json"

enum { DETAIL_BYTES = 256 };

struct route {
	const char *path;
	const char *method; /* GET includes HEAD */
	void (*handle)(const struct admin_request *request, struct admin_answer *answer);
	const char *arguments[3]; /* the accepted ones; an endpoint without any ignores all */
	const char *help;
};

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void answer_text(struct admin_answer *answer, const char *text)
{
	*answer = (struct admin_answer){
		.status = ADMIN_OK,
		.type = TYPE_TEXT,
		.body = memory_copy_text(text),
		.body_bytes = strlen(text),
	};
}

/* Takes the reference. */
static void answer_json(struct admin_answer *answer, enum admin_status status, const char *type, json_t *document)
{
	char *body = json_dumps(document, JSON_COMPACT);
	CHECK(body != NULL);
	json_decref(document);
	size_t bytes = strlen(body);
	body = memory_resize(body, bytes + 1, 1);
	body[bytes] = '\n'; /* for terminals; there is no zero behind it */
	*answer = (struct admin_answer){ .status = status, .type = type, .body = body, .body_bytes = bytes + 1 };
}

static const char *title_of(enum admin_status status)
{
	switch (status) {
	case ADMIN_OK:
		return "OK";
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
	case ADMIN_CONTENT_TOO_LARGE:
		return "Content Too Large";
	case ADMIN_UNAVAILABLE:
		return "Service Unavailable";
	}
	return "";
}

void admin_routes_refuse(enum admin_status status, const char *detail, struct admin_answer *ret_answer)
{
	json_t *problem = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title_of(status), "status",
				    (int)status, "detail", detail);
	CHECK(problem != NULL);
	answer_json(ret_answer, status, TYPE_PROBLEM, problem);
}

static const char *find_argument(const struct admin_request *request, const char *name)
{
	for (size_t i = 0; i < request->argument_count; i++) {
		if (strcmp(request->arguments[i].name, name) == 0)
			return request->arguments[i].value;
	}
	return NULL;
}

/* --- endpoints --------------------------------------------------------------------------------------------------- */

static void handle_livez(const struct admin_request *request, struct admin_answer *answer)
{
	(void)request;
	answer_text(answer, "ok\n");
}

static const struct pool *find_pool(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		if (strcmp(snapshot->pools[i]->name, name) == 0)
			return snapshot->pools[i];
	}
	return NULL;
}

/* Digits only, at least 1. Returns 0 for anything else. */
static size_t read_minimum(const char *text)
{
	char *end;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return 0;
	return strtoul(text, &end, 10);
}

/* Returns false, and refuses, when the pool has too few servers. */
static bool check_pool(const struct pool *pool, size_t minimum, struct admin_answer *answer)
{
	char detail[DETAIL_BYTES];
	size_t available = status_available_count(pool);
	if (available >= minimum)
		return true;
	snprintf(detail, sizeof(detail), "pool %s has %zu of %zu servers available, %zu wanted", pool->name, available,
		 pool->server_count, minimum);
	admin_routes_refuse(ADMIN_UNAVAILABLE, detail, answer);
	return false;
}

static bool check_all_pools(const struct snapshot *snapshot, size_t minimum, struct admin_answer *answer)
{
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		if (!check_pool(snapshot->pools[i], minimum, answer))
			return false;
	}
	return true;
}

static void handle_readyz(const struct admin_request *request, struct admin_answer *answer)
{
	const struct daemon *daemon = request->daemon;
	const char *name = find_argument(request, "pool");
	const char *minimum_text = find_argument(request, "min");
	size_t minimum = minimum_text != NULL ? read_minimum(minimum_text) : 1;
	const struct pool *pool = name != NULL ? find_pool(daemon->snapshot, name) : NULL;
	bool is_ready = false;
	if (minimum == 0)
		admin_routes_refuse(ADMIN_BAD_REQUEST, "min is a number, at least 1", answer);
	else if (name != NULL && pool == NULL)
		admin_routes_refuse(ADMIN_NOT_FOUND, "there is no pool of that name; /v1/status lists all", answer);
	else if (daemon->phase != DAEMON_RUNNING)
		admin_routes_refuse(ADMIN_UNAVAILABLE,
				    daemon->phase == DAEMON_DRAINING ? "strait is draining" : "strait is starting",
				    answer);
	else if (pool != NULL)
		is_ready = check_pool(pool, minimum, answer);
	else
		is_ready = check_all_pools(daemon->snapshot, minimum, answer);
	if (is_ready)
		answer_text(answer, "ready\n");
}

static void handle_status(const struct admin_request *request, struct admin_answer *answer)
{
	answer_json(answer, ADMIN_OK, TYPE_JSON, status_build(request->daemon));
}

static void handle_index(const struct admin_request *request, struct admin_answer *answer);

static const struct route routes[] = {
	{ "/", "GET", handle_index, { NULL }, "this list" },
	{ "/livez", "GET", handle_livez, { NULL }, "200 while strait lives" },
	{ "/readyz", "GET", handle_readyz, { "pool", "min" }, "200 when it serves, else 503; ?pool=NAME&min=N" },
	{ "/v1/status", "GET", handle_status, { NULL }, "what there is, what it does and how it is (JSON)" },
};
enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };

static void handle_index(const struct admin_request *request, struct admin_answer *answer)
{
	char *text = NULL;
	size_t bytes = 0;
	(void)request;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	fputs("strait admin API\n\n", out);
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		fprintf(out, "%-6s %-12s %s\n", routes[i].method, routes[i].path, routes[i].help);
	fclose(out);
	*answer = (struct admin_answer){ .status = ADMIN_OK, .type = TYPE_TEXT, .body = text, .body_bytes = bytes };
}

/* --- finding the endpoint ---------------------------------------------------------------------------------------- */

static bool method_matches(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void refuse_method(const struct route *route, struct admin_answer *answer)
{
	admin_routes_refuse(ADMIN_METHOD_NOT_ALLOWED, "this endpoint is only for reading", answer);
	answer->allow = strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
}

static bool accepts_argument(const struct route *route, const struct admin_request *request, size_t index)
{
	const char *name = request->arguments[index].name;
	for (size_t i = 0; i < index; i++) {
		if (strcmp(request->arguments[i].name, name) == 0)
			return false;
	}
	for (const char *const *accepted = route->arguments; *accepted != NULL; accepted++) {
		if (strcmp(*accepted, name) == 0)
			return true;
	}
	return false;
}

/* A misspelled argument must not change the question in silence. */
static bool accepts_arguments(const struct route *route, const struct admin_request *request)
{
	if (route->arguments[0] == NULL)
		return true;
	for (size_t i = 0; i < request->argument_count; i++) {
		if (!accepts_argument(route, request, i))
			return false;
	}
	return !request->has_too_many_arguments;
}

void admin_routes_answer(const struct admin_request *request, struct admin_answer *ret_answer)
{
	const struct route *route = NULL;
	bool is_method_right = false;
	for (size_t i = 0; i < ROUTE_COUNT && !is_method_right; i++) {
		if (strcmp(routes[i].path, request->path) != 0)
			continue;
		route = &routes[i];
		is_method_right = method_matches(route, request->method);
	}
	if (route == NULL)
		admin_routes_refuse(ADMIN_NOT_FOUND, "there is nothing here; GET / lists the endpoints", ret_answer);
	else if (!is_method_right)
		refuse_method(route, ret_answer);
	else if (request->has_body)
		admin_routes_refuse(ADMIN_CONTENT_TOO_LARGE, "this endpoint takes no body", ret_answer);
	else if (!accepts_arguments(route, request))
		admin_routes_refuse(ADMIN_BAD_REQUEST,
				    "an argument is unknown or given twice; GET / tells which there are", ret_answer);
	else
		route->handle(request, ret_answer);
}
