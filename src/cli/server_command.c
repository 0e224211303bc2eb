/* SPDX-License-Identifier: Apache-2.0 */
/* drain, ready, maint, weight, add and remove: changes of one server of a running strait. */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/exit_code.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLL_US = 200 * 1000, SHOWN_MAX = 10 };

/* Parts of "POOL/SERVER". */
struct name {
	char *pool;
	char *server;
};

static bool read_name(const char *text, struct name *ret_name)
{
	const char *slash = strchr(text, '/');
	if (slash == NULL || slash == text || slash[1] == '\0') {
		fprintf(stderr, "strait: \"%s\" is not POOL/SERVER; strait pools lists all\n", text);
		return false;
	}
	ret_name->pool = memory_copy_span((struct span){ text, (size_t)(slash - text) });
	ret_name->server = memory_copy_text(slash + 1);
	return true;
}

static void free_name(struct name *name)
{
	free(name->pool);
	free(name->server);
}

static char *server_path(const struct name *name, const char *arguments)
{
	char *pool = ask_encode(name->pool);
	char *server = ask_encode(name->server);
	char *path;
	int len = asprintf(&path, "/v1/pools/%s/servers/%s%s", pool, server, arguments);
	CHECK(len >= 0);
	free(pool);
	free(server);
	return path;
}

/* --- waiting for the last flow ----------------------------------------------------------------------------------- */

static json_int_t count_flows(const json_t *server)
{
	return json_integer_value(json_object_get(server, "flows_active"));
}

/* Those that are left, on stderr. */
static void tell_who_is_left(const struct options *options, const struct name *name)
{
	char *server = ask_encode(name->server);
	char *pool = ask_encode(name->pool);
	char *path;
	json_t *document;
	size_t index;
	const json_t *flow;
	int len = asprintf(&path, "/v1/flows?server=%s%%2F%s&limit=%d", pool, server, SHOWN_MAX);
	CHECK(len >= 0);
	const struct admin_client_request request = { .method = "GET", .path = path };
	if (ask(options, &request, &document) == EXIT_CODE_OK) {
		json_int_t count = json_integer_value(json_object_get(document, "matched_count"));
		fprintf(stderr, "%lld left:\n", (long long)count);
		json_array_foreach(json_object_get(document, "flows"), index, flow) fprintf(
			stderr, "  %s %s of service %s, id %s\n", document_text(flow, "protocol"),
			document_text(flow, "client"), document_text(flow, "service"), document_text(flow, "id"));
		if (count > SHOWN_MAX)
			fprintf(stderr, "  and %lld more: strait connections --server %s/%s\n",
				(long long)count - SHOWN_MAX, name->pool, name->server);
		json_decref(document);
	}
	free(path);
	free(pool);
	free(server);
}

/* timeout_ms 0: for ever. */
static int wait_until_idle(const struct options *options, const struct name *name, uint64_t timeout_ms)
{
	uint64_t start_ns = clock_monotonic_ns();
	char *path = server_path(name, "");
	const struct admin_client_request request = { .method = "GET", .path = path };
	int code = EXIT_CODE_OK;
	for (;;) {
		json_t *server;
		code = ask(options, &request, &server);
		json_int_t count = count_flows(server);
		json_decref(server);
		if (code != EXIT_CODE_OK || count == 0)
			break;
		if (timeout_ms > 0 && (clock_monotonic_ns() - start_ns) / 1000000 >= timeout_ms) {
			tell_who_is_left(options, name);
			code = EXIT_CODE_TIMED_OUT;
			break;
		}
		usleep(POLL_US);
	}
	free(path);
	return code;
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

/* Sends the change; prints the server as it is then. The document is taken. */
static int change(const struct options *options, const struct name *name, json_t *document)
{
	char *path = server_path(name, "");
	char *body = json_dumps(document, JSON_COMPACT);
	const struct admin_client_request request = { .method = "PATCH", .path = path, .body = body };
	json_t *server;
	int code = ask(options, &request, &server);
	free(body);
	free(path);
	json_decref(document);
	if (code != EXIT_CODE_OK)
		return code;
	if (ask_wants_json(options)) {
		ask_print_json(server);
		return code;
	}
	printf("%s/%s: %s, weight %lld, %lld flows\n", name->pool, name->server, document_text(server, "state"),
	       (long long)json_integer_value(json_object_get(server, "weight")), (long long)count_flows(server));
	json_decref(server);
	return code;
}

enum { OPTION_WAIT = ASK_OPTION_COUNT, OPTION_TIMEOUT, OPTION_CLOSE };

static bool read_timeout(const struct options *options, uint64_t *ret_ms)
{
	struct value_hint hint;
	const char *text = options->values[OPTION_TIMEOUT];
	*ret_ms = 0;
	if (text == NULL || (value_parse_time(span_from_text(text), ret_ms, &hint) == 0 && *ret_ms > 0))
		return true;
	fprintf(stderr, "strait: \"%s\" is not a time such as 5m\n", text);
	return false;
}

static int set_state(const struct options *options, const char *state)
{
	struct name name;
	uint64_t timeout_ms;
	if (!read_timeout(options, &timeout_ms) || !read_name(options->arguments[0], &name))
		return EXIT_CODE_USAGE;
	json_t *document = json_pack("{s:s}", "state", state);
	if (options->values[OPTION_CLOSE] != NULL)
		json_object_set_new(document, "flows", json_string("close"));
	int code = change(options, &name, document);
	if (code == EXIT_CODE_OK && (options->values[OPTION_WAIT] != NULL || timeout_ms > 0))
		code = wait_until_idle(options, &name, timeout_ms);
	free_name(&name);
	return code;
}

static int run_drain(const struct options *options)
{
	return set_state(options, "drain");
}

static int run_maint(const struct options *options)
{
	return set_state(options, "maint");
}

static int run_ready(const struct options *options)
{
	struct name name;
	if (!read_name(options->arguments[0], &name))
		return EXIT_CODE_USAGE;
	int code = change(options, &name, json_pack("{s:s}", "state", "up"));
	free_name(&name);
	return code;
}

static int run_weight(const struct options *options)
{
	struct name name;
	char *end;
	const char *text = options->arguments[1];
	unsigned long weight = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 9) {
		fprintf(stderr, "strait: \"%s\" is not a weight, which is a number from 1 to 1000\n", text);
		return EXIT_CODE_USAGE;
	}
	if (!read_name(options->arguments[0], &name))
		return EXIT_CODE_USAGE;
	int code = change(options, &name, json_pack("{s:I}", "weight", (json_int_t)weight));
	free_name(&name);
	return code;
}

/* --- adding and removing ----------------------------------------------------------------------------------------- */

/* "weight=3" becomes a number, "backup" true, "drain" a state: as the directive `server` is written. */
static json_t *read_settings(const struct options *options)
{
	json_t *document = json_pack("{s:s}", "address", options->arguments[1]);
	for (size_t i = 2; i < options->argument_count; i++) {
		const char *setting = options->arguments[i];
		const char *equals = strchr(setting, '=');
		if (equals == NULL && (strcmp(setting, "drain") == 0 || strcmp(setting, "maint") == 0)) {
			json_object_set_new(document, "state", json_string(setting));
		} else if (equals == NULL) {
			json_object_set_new(document, setting, json_true());
		} else {
			char *key = memory_copy_span((struct span){ setting, (size_t)(equals - setting) });
			json_object_set_new(document, key, json_string(equals + 1));
			free(key);
		}
	}
	return document;
}

static int run_add(const struct options *options)
{
	char *pool = ask_encode(options->arguments[0]);
	json_t *document = read_settings(options);
	char *body = json_dumps(document, JSON_COMPACT);
	char *path;
	json_t *server;
	int len = asprintf(&path, "/v1/pools/%s/servers", pool);
	CHECK(len >= 0);
	const struct admin_client_request request = { .method = "POST", .path = path, .body = body };
	int code = ask(options, &request, &server);
	if (code == EXIT_CODE_OK && ask_wants_json(options))
		ask_print_json(json_incref(server));
	else if (code == EXIT_CODE_OK)
		printf("added %s/%s\n", options->arguments[0], document_text(server, "name"));
	json_decref(server);
	json_decref(document);
	free(body);
	free(path);
	free(pool);
	return code;
}

static int run_remove(const struct options *options)
{
	struct name name;
	json_t *answer;
	if (!read_name(options->arguments[0], &name))
		return EXIT_CODE_USAGE;
	char *path = server_path(&name, options->values[OPTION_CLOSE] != NULL ? "?flows=close" : "");
	const struct admin_client_request request = { .method = "DELETE", .path = path };
	int code = ask(options, &request, &answer);
	if (code == EXIT_CODE_OK && ask_wants_json(options))
		ask_print_json(json_incref(answer));
	else if (code == EXIT_CODE_OK)
		printf("removed %s/%s; %lld flows go on\n", name.pool, name.server, (long long)count_flows(answer));
	json_decref(answer);
	free(path);
	free_name(&name);
	return code;
}

/* --- the commands ------------------------------------------------------------------------------------------------ */

#define WAIT_OPTIONS                                                                                                   \
	[OPTION_WAIT] = { 0, "wait", NULL, NULL, "return when the last flow has ended" },                              \
	[OPTION_TIMEOUT] = { 0, "timeout", "TIME", NULL, "wait no longer; exit code 4, and says who is left" },        \
	[OPTION_CLOSE] = { 0, "close", NULL, NULL, "close the flows it has; UDP clients go on with another server" }

const struct command command_drain = {
	.name = "drain",
	.arguments = "POOL/SERVER",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "give a server no new flows; those it has go on",
	.options = { ASK_OPTIONS, WAIT_OPTIONS },
	.run = run_drain,
};

const struct command command_maint = {
	.name = "maint",
	.arguments = "POOL/SERVER",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "as drain, and do not check it; UDP sessions move to others",
	.options = { ASK_OPTIONS, WAIT_OPTIONS },
	.run = run_maint,
};

const struct command command_ready = {
	.name = "ready",
	.arguments = "POOL/SERVER",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "use a server again that was drained or in maint",
	.options = { ASK_OPTIONS },
	.run = run_ready,
};

const struct command command_weight = {
	.name = "weight",
	.arguments = "POOL/SERVER WEIGHT",
	.arguments_min = 2,
	.arguments_max = 2,
	.summary = "set the weight of a server, 1 to 1000",
	.options = { ASK_OPTIONS },
	.run = run_weight,
};

const struct command command_add = {
	.name = "add",
	.arguments = "POOL ADDRESS [SETTING...]",
	.arguments_min = 2,
	.arguments_max = 12,
	.summary = "add a server to a pool: strait add web 10.0.0.3:80 name=c weight=2",
	.details = "The settings are those of the directive server: strait explain server. It stays until strait ends "
		   "or the\n"
		   "file has a server of that name; GET /v1/config tells the configuration with it.",
	.options = { ASK_OPTIONS },
	.run = run_add,
};

const struct command command_remove = {
	.name = "remove",
	.arguments = "POOL/SERVER",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "remove a server from its pool; the flows it has go on",
	.options = {
		ASK_OPTIONS,
		[OPTION_CLOSE] = { 0, "close", NULL, NULL, "close the flows it has" },
	},
	.run = run_remove,
};
