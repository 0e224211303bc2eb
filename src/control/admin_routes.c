/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_routes.h"

#include "base/check.h"
#include "control/admin_config.h"
#include "control/admin_flows.h"
#include "control/admin_path.h"
#include "control/admin_servers.h"
#include "control/admin_state.h"
#include "control/admin_trace.h"

#include <stdio.h>
#include <string.h>

enum {
	SMALL_BODY_BYTES_MAX = 64 * 1024,
	CONFIGURATION_BYTES_MAX = 16 * 1024 * 1024,
};

enum body_kind {
	BODY_NONE,
	BODY_JSON,          /* an object, or nothing */
	BODY_CONFIGURATION, /* in JSON or as text */
};

struct route {
	const char *path;   /* * stands for a name */
	const char *method; /* GET includes HEAD */
	void (*handle)(struct admin_request *request, struct admin_answer *answer);
	enum body_kind body;
	const char *arguments[5]; /* the accepted ones; an endpoint without any ignores all */
	const char *help;
};

static void answer_index(struct admin_request *request, struct admin_answer *answer);

static const struct route routes[] = {
	{ "/", "GET", answer_index, BODY_NONE, { NULL }, "this list" },
	{ "/livez", "GET", admin_state_livez, BODY_NONE, { NULL }, "200 while strait lives" },
	{ "/readyz", "GET", admin_state_readyz, BODY_NONE, { "pool", "min" }, "200 when it serves, else 503" },
	{ "/v1/status", "GET", admin_state_status, BODY_NONE, { NULL }, "what there is, what it does and how it is" },
	{ "/v1/services", "GET", admin_state_services, BODY_NONE, { NULL }, "all services: state and counters" },
	{ "/v1/services/*", "GET", admin_state_service, BODY_NONE, { NULL }, "one service" },
	{ "/v1/pools", "GET", admin_state_pools, BODY_NONE, { NULL }, "all pools with their servers" },
	{ "/v1/pools/*", "GET", admin_state_pool, BODY_NONE, { NULL }, "one pool" },
	{ "/v1/pools/*/servers", "POST", admin_servers_add, BODY_JSON, { NULL }, "adds a server" },
	{ "/v1/pools/*/servers/*", "GET", admin_servers_show, BODY_NONE, { NULL }, "one server" },
	{ "/v1/pools/*/servers/*", "PATCH", admin_servers_change, BODY_JSON, { NULL }, "changes state or weight" },
	{ "/v1/pools/*/servers/*", "DELETE", admin_servers_remove, BODY_NONE, { "flows" }, "removes a server" },
	{ "/v1/flows", "GET", admin_flows_list, BODY_NONE, { "service", "client", "server", "limit" }, "live flows" },
	{ "/v1/flows/*", "DELETE", admin_flows_close, BODY_NONE, { NULL }, "closes a flow" },
	{ "/v1/trace",
	  "GET",
	  admin_trace,
	  BODY_NONE,
	  { "client", "service", "protocol" },
	  "where a client would go, and why" },
	{ "/v1/config",
	  "GET",
	  admin_config_show,
	  BODY_NONE,
	  { "format" },
	  "the running configuration; format=text|json" },
	{ "/v1/config",
	  "PUT",
	  admin_config_replace,
	  BODY_CONFIGURATION,
	  { "dry_run", "confirm" },
	  "replaces it whole" },
	{ "/v1/config/diff",
	  "GET",
	  admin_config_diff,
	  BODY_NONE,
	  { NULL },
	  "what the file says otherwise than the running configuration" },
	{ "/v1/reload",
	  "POST",
	  admin_config_reload,
	  BODY_JSON,
	  { "confirm", "dry_run" },
	  "reads the file again; with confirm=TIME the old configuration comes back unless /v1/confirm follows" },
	{ "/v1/confirm", "POST", admin_config_confirm, BODY_JSON, { NULL }, "keeps the configuration in force" },
};
enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };

static void print_route(const struct route *route, FILE *out)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "%s", route->path);
	for (size_t i = 0; route->arguments[i] != NULL; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s=", i == 0 ? "?" : "&",
				route->arguments[i]);
	fprintf(out, "%-6s %-40s %s\n", route->method, text, route->help);
}

static void answer_index(struct admin_request *request, struct admin_answer *answer)
{
	char *text = NULL;
	size_t bytes = 0;
	(void)request;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	fputs("strait admin API\n\n", out);
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		print_route(&routes[i], out);
	fclose(out);
	admin_answer_text(answer, text);
	free(text);
}

/* --- finding the endpoint ---------------------------------------------------------------------------------------- */

static bool method_matches(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool path_matches(const struct route *route, const struct admin_request *request,
			 char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES])
{
	return admin_path_matches(route->path, request->path, ret_names);
}

/* NULL when there is none of that path and method. */
static const struct route *find_route(const struct admin_request *request,
				      char ret_names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES])
{
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		if (method_matches(&routes[i], request->method) && path_matches(&routes[i], request, ret_names))
			return &routes[i];
	return NULL;
}

size_t admin_routes_body_max(const struct admin_request *request)
{
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	const struct route *route = find_route(request, names);
	if (route == NULL || route->body == BODY_NONE)
		return 0;
	return route->body == BODY_CONFIGURATION ? CONFIGURATION_BYTES_MAX : SMALL_BODY_BYTES_MAX;
}

/* "GET, HEAD, DELETE": constant texts, because an answer only borrows it. */
static const char *allowed_methods(const struct admin_request *request)
{
	static const char *const words[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
	static char texts[1 << 5][48];
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	unsigned int set = 0;
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		for (size_t word = 0; word < 5; word++)
			if (strcmp(routes[i].method, words[word]) == 0 && path_matches(&routes[i], request, names))
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
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is nothing here; GET / lists the endpoints");
		return;
	}
	admin_refuse(answer, ADMIN_METHOD_NOT_ALLOWED, "this endpoint has no such method; Allow tells which it has");
	answer->allow = allowed;
}

/* --- what came with the request ---------------------------------------------------------------------------------- */

static bool accepts_argument(const struct route *route, const struct admin_request *request, size_t index)
{
	const char *name = request->arguments[index].name;
	for (size_t i = 0; i < index; i++)
		if (strcmp(request->arguments[i].name, name) == 0)
			return false;
	for (const char *const *accepted = route->arguments; *accepted != NULL; accepted++)
		if (strcmp(*accepted, name) == 0)
			return true;
	return false;
}

/* A misspelled argument must not change the question in silence. */
static bool accepts_arguments(const struct route *route, const struct admin_request *request)
{
	if (route->arguments[0] == NULL && route->body == BODY_NONE && strcmp(route->method, "GET") == 0)
		return true;
	for (size_t i = 0; i < request->argument_count; i++)
		if (!accepts_argument(route, request, i))
			return false;
	return !request->has_too_many_arguments;
}

static bool is_type(const char *content_type, const char *type)
{
	size_t len = strlen(type);
	return content_type != NULL && strncasecmp(content_type, type, len) == 0 &&
	       (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

/* A DELETE says all in its path, and no web page can send one unasked. */
static bool accepts_type(const struct route *route, const struct admin_request *request)
{
	if (strcmp(route->method, "GET") == 0)
		return true;
	if (request->content_type == NULL)
		return strcmp(route->method, "DELETE") == 0;
	return is_type(request->content_type, "application/json") ||
	       (route->body == BODY_CONFIGURATION && is_type(request->content_type, "text/plain"));
}

/* Returns false, and refuses, when the body is not an object. */
static bool read_document(const struct route *route, struct admin_request *request, struct admin_answer *answer)
{
	char detail[160 + sizeof(((json_error_t *)NULL)->text)];
	json_error_t error;
	if (route->body != BODY_JSON || request->body.len == 0)
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

static void answer(const struct route *route, struct admin_request *request, struct admin_answer *ret_answer)
{
	if (route == NULL)
		refuse_unknown(request, ret_answer);
	else if (request->has_body && route->body == BODY_NONE)
		admin_refuse(ret_answer, ADMIN_CONTENT_TOO_LARGE, "this endpoint takes no body");
	else if (!accepts_type(route, request))
		admin_refuse(ret_answer, ADMIN_UNSUPPORTED_MEDIA_TYPE,
			     "changes are sent with Content-Type: application/json");
	else if (!accepts_arguments(route, request))
		admin_refuse(ret_answer, ADMIN_BAD_REQUEST,
			     "an argument is unknown or given twice; GET / tells which there are");
	else if (read_document(route, request, ret_answer))
		route->handle(request, ret_answer);
}

static void write_audit_event(const struct admin_request *request, const struct admin_answer *answer)
{
	log_event(request->daemon->log, CONFIG_LEVEL_INFO, "audit", record_text("method", request->method),
		  record_text("path", request->path), record_number("status", answer->status));
}

void admin_routes_answer(struct admin_request *request, struct admin_answer *ret_answer)
{
	const struct route *route = find_route(request, request->names);
	request->document = NULL;
	answer(route, request, ret_answer);
	json_decref(request->document);
	request->document = NULL;
	if (route != NULL && strcmp(route->method, "GET") != 0)
		write_audit_event(request, ret_answer);
}
