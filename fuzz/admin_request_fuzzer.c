/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the admin API, from what the HTTP library hands over on, against a daemon without threads, sockets and
 * listeners. An input looks like HTTP: a line with method, target and version, lines of headers, an empty line, a body;
 * a line "%%" behind it begins the next request, which finds what the one before has changed.
 *
 * Whatever is asked, the answer has a known status and, where it says so, is JSON; a problem document has its keys; an
 * audit event can be written.
 */
#include "balance/view.h"
#include "base/check.h"
#include "control/admin_audit.h"
#include "control/admin_headers.h"
#include "control/admin_path.h"
#include "control/admin_policy.h"
#include "control/admin_routes.h"
#include "control/admin_stream.h"
#include "control/blocks.h"
#include "control/event_stream.h"
#include "control/ingress_guard.h"
#include "control/kernel_path.h"
#include "control/own_addresses.h"
#include "control/pool_update.h"
#include "control/server_states.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	REQUESTS_MAX = 16,
};

static const char configuration[] =
	"resolver 127.0.0.1:9\n"
	"log stderr format=json\n"
	"service web { listen 127.0.0.1:8000; listen udp 127.0.0.1:8000; deny 10.0.0.0/8; limit per-source=5; to web "
	"}\n"
	"service local { listen 127.0.0.1:8001; to local }\n"
	"pool web { balance source-hash; check tcp; server 192.0.2.1:80 name=a\n server 192.0.2.2:80 weight=3 backup "
	"}\n"
	"pool local { check none; server \"unix:/run/x\\xff\\\"<b>.sock\"\n server 192.0.2.3:80 name=c maint }\n";

static struct daemon daemon_state;
static struct admin_audit audit;
static struct addr listen_addr;
static bool has_changed;

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static struct config *load(void)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("fuzz", span_from_text(configuration), &diagnostics);
	CHECK(config != NULL);
	diagnostics_done(&diagnostics);
	return config;
}

static void on_blocks_added(void *owner)
{
	(void)owner;
}

static void daemon_begin(void)
{
	struct daemon *daemon = &daemon_state;
	daemon->config = load();
	daemon->changes = server_changes_new();
	daemon->snapshot = snapshot_build(daemon->config, 1, 1, NULL);
	daemon->retired = retired_new(&daemon->wheel, daemon->workers, 0);
	daemon->health = health_new(&daemon->loop, &daemon->wheel, server_states_on_verdict, daemon);
	daemon->names = names_new(&daemon->loop, &daemon->wheel, daemon->log, pool_update_on_names, daemon);
	daemon->blocks = blocks_new(&daemon->loop, &daemon->wheel, daemon->log, on_blocks_added, NULL);
	daemon->ingress_guard = ingress_guard_new(&daemon->loop, &daemon->wheel, daemon->log);
	const struct kernel_path_carriers carriers = { .settings = &daemon->relay_settings };
	daemon->kernel_path = kernel_path_new(&daemon->loop, &daemon->wheel, daemon->log, &carriers);
	daemon->phase = DAEMON_RUNNING;
	list_init(&daemon->ejections);
	own_addresses_mark_servers(daemon->snapshot);
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
		daemon->snapshot->pools[i]->is_view_stale = true;
	daemon->has_stale_views = true;
	server_states_publish(daemon);
	health_watch(daemon->health, daemon->snapshot);
	names_watch(daemon->names, daemon->config);
}

static void daemon_end(void)
{
	struct daemon *daemon = &daemon_state;
	names_free(&daemon->names);
	blocks_free(&daemon->blocks);
	kernel_path_free(&daemon->kernel_path);
	ingress_guard_free(&daemon->ingress_guard);
	health_free(&daemon->health);
	server_states_done(daemon);
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
		balance_view_discard(daemon->snapshot->pools[i]);
	retired_free(&daemon->retired);
	snapshot_free(&daemon->snapshot);
	server_changes_free(&daemon->changes);
	config_free(&daemon->config);
}

/* Once: what lives as long as the process. */
static void prepare(void)
{
	struct daemon *daemon = &daemon_state;
	const struct config_log *failed;
	const char *problem;
	if (daemon->log != NULL)
		return;
	struct config *config = load();
	int error = loop_init(&daemon->loop);
	CHECK(error == 0);
	timer_wheel_init(&daemon->wheel, daemon->loop.now_ms);
	error = log_writer_new(config, &daemon->log, &failed);
	CHECK(error == 0);
	error = addr_parse(span_from_text("127.0.0.1:9900"), &listen_addr, &problem);
	CHECK(error == 0);
	daemon->event_stream = event_stream_new(daemon);
	admin_audit_init(&audit, daemon);
	config_free(&config);
	daemon_begin();
}

/* A configuration that waits to be confirmed keeps others from being taken: they could name any file and any port. */
static void hold_off_configurations(void)
{
	if (daemon_state.unconfirmed == NULL)
		daemon_state.unconfirmed = load();
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

/* Cuts off a line, without its end. NULL: there is none. */
static char *take_line(char **at)
{
	char *line = *at;
	char *end = line != NULL ? strchr(line, '\n') : NULL;
	if (end == NULL)
		return NULL;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	*at = end + 1;
	return line;
}

static void read_headers(char **at, struct admin_headers *headers)
{
	for (char *line; (line = take_line(at)) != NULL && line[0] != '\0';) {
		char *colon = strchr(line, ':');
		if (colon == NULL)
			continue;
		*colon = '\0';
		admin_headers_add(headers, line, colon + 1 + strspn(colon + 1, " \t"));
	}
}

static void answer_check(const struct admin_answer *answer)
{
	static const int statuses[] = { 200, 201, 400, 401, 403, 404, 405, 409, 413, 415, 417, 422, 503 };
	bool is_known = false;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		is_known |= (int)answer->status == statuses[i];
	CHECK(is_known);
	CHECK(answer->type != NULL);
	bool is_problem = strcmp(answer->type, "application/problem+json") == 0;
	CHECK(is_problem == (answer->status >= 400));
	CHECK((answer->status == ADMIN_METHOD_NOT_ALLOWED) == (answer->allow != NULL));
	if (!is_problem && strcmp(answer->type, "application/json") != 0)
		return;
	json_t *document = json_loadb(answer->body, answer->body_bytes, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_is_object(document));
	if (is_problem) {
		CHECK(json_integer_value(json_object_get(document, "status")) == (json_int_t)answer->status);
		CHECK(json_string_length(json_object_get(document, "detail")) > 0);
	}
	json_decref(document);
}

static bool is_admitted(const struct admin_headers *headers, const char *target, const char *version,
			struct admin_answer *answer)
{
	const char *const *values = headers->values;
	if (!admin_headers_check(headers, target, version, answer))
		return false;
	if (admin_policy_accepts_host(values[ADMIN_HEADER_HOST], &listen_addr) &&
	    admin_policy_accepts_origin(values[ADMIN_HEADER_ORIGIN], values[ADMIN_HEADER_HOST]) &&
	    admin_policy_accepts_fetch(values[ADMIN_HEADER_FETCH_SITE], values[ADMIN_HEADER_FETCH_MODE],
				       values[ADMIN_HEADER_FETCH_DEST]) &&
	    (values[ADMIN_HEADER_AUTHORIZATION] == NULL ||
	     admin_policy_accepts_token(values[ADMIN_HEADER_AUTHORIZATION], "secret")))
		return true;
	admin_refuse(answer, ADMIN_FORBIDDEN, "not admitted");
	return false;
}

/* Whatever it begins with, it is text that ends. */
static void stream_read(struct admin_stream *stream)
{
	char buf[4096];
	if (stream == NULL)
		return;
	for (size_t bytes = sizeof(buf); bytes == sizeof(buf);) {
		bytes = stream->kind->read(stream, buf, sizeof(buf));
		CHECK(bytes <= sizeof(buf));
		CHECK(memchr(buf, '\0', bytes) == NULL);
	}
	admin_stream_end(stream);
}

static void request_run(char *line, char *rest, size_t rest_bytes)
{
	struct admin_answer answer = { 0 };
	struct admin_headers headers = { 0 };
	char *end = rest + rest_bytes;
	char *method = strsep(&line, " ");
	char *target = line != NULL ? strsep(&line, " ") : NULL;
	const char *version = line != NULL ? line : "HTTP/1.0";
	if (target == NULL)
		return;
	read_headers(&rest, &headers);
	char *query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	struct admin_request request = {
		.daemon = &daemon_state,
		.method = method,
		.path = target,
		.content_type = headers.values[ADMIN_HEADER_CONTENT_TYPE],
		.last_event_id = headers.values[ADMIN_HEADER_LAST_EVENT_ID],
		.has_body = rest < end,
	};
	admin_path_read_arguments(query, &request);
	hold_off_configurations();
	if (is_admitted(&headers, target, version, &answer)) {
		size_t body_max = admin_routes_body_max(&request);
		size_t body_bytes = (size_t)(end - rest);
		request.body = (struct span){ rest, body_bytes < body_max ? body_bytes : body_max };
		admin_routes_accept_type(&request);
		admin_routes_answer(&request, &answer);
	}
	answer_check(&answer);
	admin_audit_write(&audit, &request, &answer);
	has_changed |= answer.status < 400 && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
	stream_read(answer.stream);
	free(answer.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char separator[] = "\n%%\n";
	prepare();
	char *text = malloc(len + 1);
	CHECK(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	char *at = text, *end = text + len;
	for (int i = 0; i < REQUESTS_MAX && at < end; i++) {
		char *next = memmem(at, (size_t)(end - at), separator, sizeof(separator) - 1);
		char *request_end = next != NULL ? next + 1 : end;
		*(next != NULL ? request_end : end) = '\0';
		char *line = take_line(&at);
		if (line != NULL && at <= request_end)
			request_run(line, at, (size_t)(request_end - at));
		at = next != NULL ? next + sizeof(separator) - 1 : end;
	}
	free(text);
	if (has_changed) {
		daemon_end();
		daemon_begin();
		has_changed = false;
	}
	return 0;
}
