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

static void answer_index(struct admin_request *request, struct admin_answer *answer);

/* clang-format off: a table is read by its columns */
const struct admin_route admin_routes[] = {
	{ "GET", "/", answer_index, ADMIN_BODY_NONE, { NULL }, "this list", NULL },
	{ "GET", "/livez", admin_state_livez, ADMIN_BODY_NONE, { NULL }, "200 while strait lives", NULL },
	{ "GET",
	  "/readyz",
	  admin_state_readyz,
	  ADMIN_BODY_NONE,
	  { "pool", "min" },
	  "200 when it serves, else 503",
	  "Ready is: running, and every pool has a server that may receive new flows. `pool=NAME` asks for one pool "
	  "only, "
	  "`min=N` for at least N servers." },
	{ "GET",
	  "/v1/status",
	  admin_state_status,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "what there is, what it does and how it is",
	  "`version`, `uptime_seconds`, `generation`, `phase`, `is_degraded`, `reloads`, `workers`, `limits` and the "
	  "use of "
	  "each, `memory`, `log`, `services` and `pools`." },
	{ "GET",
	  "/v1/services",
	  admin_state_services,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "all services: state and counters",
	  "`{\"services\":[...]}`, each as the next endpoint tells it." },
	{ "GET", "/v1/services/{service}", admin_state_service, ADMIN_BODY_NONE, { NULL }, "one service", NULL },
	{ "GET",
	  "/v1/pools",
	  admin_state_pools,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "all pools with their servers",
	  "`{\"pools\":[...]}`, each as the next endpoint tells it." },
	{ "GET", "/v1/pools/{pool}", admin_state_pool, ADMIN_BODY_NONE, { NULL }, "one pool", NULL },
	{ "POST",
	  "/v1/pools/{pool}/servers",
	  admin_servers_add,
	  ADMIN_BODY_JSON,
	  { NULL },
	  "adds a server",
	  "The body has the settings of the directive `server`: "
	  "`{\"address\":\"10.0.0.3:80\",\"name\":\"c\",\"weight\":2,\"backup\":true,\"state\":\"drain\"}`. Answers "
	  "201 and the "
	  "server; 409 when the name is taken. It stays until strait ends, also over reloads, or until the file has a "
	  "server "
	  "of that name." },
	{ "GET",
	  "/v1/pools/{pool}/servers/{server}",
	  admin_servers_show,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "one server",
	  NULL },
	{ "PATCH",
	  "/v1/pools/{pool}/servers/{server}",
	  admin_servers_change,
	  ADMIN_BODY_JSON,
	  { NULL },
	  "changes state or weight",
	  "`{\"state\":\"up|drain|maint\",\"weight\":50,\"flows\":\"keep|close\"}`, each of them optional. A server in "
	  "`drain` "
	  "gets nothing new and keeps its flows; in `maint` it is not checked either, and its UDP sessions move. With "
	  "`on-down close` in the pool UDP sessions of a drained server move, too. `\"flows\":\"close\"` closes what "
	  "it has. A "
	  "change stays over reloads as long as the file says the same of that server." },
	{ "DELETE",
	  "/v1/pools/{pool}/servers/{server}",
	  admin_servers_remove,
	  ADMIN_BODY_NONE,
	  { "flows" },
	  "removes a server",
	  "Its flows go on; `flows=close` closes them. 409 for the last server of a pool." },
	{ "GET",
	  "/v1/flows",
	  admin_flows_list,
	  ADMIN_BODY_NONE,
	  { "service", "client", "server", "limit" },
	  "live flows",
	  "`{\"matched_count\":N,\"is_whole\":true,\"flows\":[...]}`: each flow has the keys of its access record. "
	  "`client` is "
	  "an address, ADDRESS:PORT or a network, `server` is SERVER or POOL/SERVER; at most `limit` flows are told, "
	  "100 if "
	  "not given, 10000 at most." },
	{ "DELETE",
	  "/v1/flows/{id}",
	  admin_flows_close,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "closes a flow",
	  "By its `id`; its record says `admin_closed`." },
	{ "GET",
	  "/v1/trace",
	  admin_trace,
	  ADMIN_BODY_NONE,
	  { "client", "service", "protocol" },
	  "where a client would go, and why",
	  "`verdict` (`server` or `refused`), `reason`, the access `rule` that decides, `pool`, `server`, `why` in "
	  "sentences, "
	  "and all `servers` with what is in the way of each. Changes nothing." },
	{ "GET",
	  "/v1/config",
	  admin_config_show,
	  ADMIN_BODY_NONE,
	  { "format" },
	  "the running configuration",
	  "Run-time changes included; `format=text` (the default) is a file that can be saved, `format=json` the same "
	  "in JSON "
	  "(configuration-json.md)." },
	{ "PUT",
	  "/v1/config",
	  admin_config_replace,
	  ADMIN_BODY_CONFIGURATION,
	  { "dry_run", "confirm" },
	  "replaces the configuration whole",
	  "The body is the JSON form, or `{\"text\":\"...\"}` with the text of a file, or that text as text/plain; it "
	  "cannot "
	  "include files. The same way as a reload, with the same answer. Run-time changes of servers are dropped; the "
	  "file "
	  "stays as it is, and the next reload reads it." },
	{ "GET",
	  "/v1/config/diff",
	  admin_config_diff,
	  ADMIN_BODY_NONE,
	  { NULL },
	  "how the running configuration differs from the file",
	  "`{\"generation\":N,\"changes\":[...]}`, in words." },
	{ "POST",
	  "/v1/reload",
	  admin_config_reload,
	  ADMIN_BODY_JSON,
	  { "confirm", "dry_run" },
	  "reads the file again",
	  "In force when it answers: `{\"generation\":N,\"changes\":[...],\"warnings\":[...]}`. 422 with `errors` when "
	  "the file is "
	  "not valid, 409 when it cannot be taken now; then nothing was changed. With `confirm=60s` the old "
	  "configuration "
	  "comes back after that time unless `/v1/confirm` follows; meanwhile other reloads are refused. `dry_run=1` "
	  "tries "
	  "all that can fail and changes nothing." },
	{ "POST",
	  "/v1/confirm",
	  admin_config_confirm,
	  ADMIN_BODY_JSON,
	  { NULL },
	  "keeps the configuration in force",
	  "409 when none waits for being confirmed." },
};
/* clang-format on */
const size_t admin_route_count = sizeof(admin_routes) / sizeof(admin_routes[0]);

static void print_route(const struct admin_route *route, FILE *out)
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
	for (size_t i = 0; i < admin_route_count; i++)
		print_route(&admin_routes[i], out);
	fclose(out);
	admin_answer_text(answer, text);
	free(text);
}

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
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is nothing here; GET / lists the endpoints");
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
	for (const char *const *accepted = route->arguments; *accepted != NULL; accepted++)
		if (strcmp(*accepted, name) == 0)
			return true;
	return false;
}

/* A misspelled argument must not change the question in silence. */
static bool accepts_arguments(const struct admin_route *route, const struct admin_request *request)
{
	if (route->arguments[0] == NULL && route->body == ADMIN_BODY_NONE && strcmp(route->method, "GET") == 0)
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
			     "an argument is unknown or given twice; GET / tells which there are");
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
