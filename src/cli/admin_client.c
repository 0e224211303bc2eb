/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin_client.h"

#include "base/check.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "config/config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- where to ask ------------------------------------------------------------------------------------------------ */

static int fail(int code, const char *what, const char *problem)
{
	fprintf(stderr, "strait: %s: %s\n", what, problem);
	return code;
}

static int read_token(const char *path, struct admin_client *client)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fail(EXIT_CODE_FAILED, path, strerror(errno));
	bool is_read = fgets(client->token, sizeof(client->token), file) != NULL;
	fclose(file);
	client->token[strcspn(client->token, "\r\n")] = '\0';
	return is_read && client->token[0] != '\0' ? 0 : fail(EXIT_CODE_FAILED, path, "there is no token in it");
}

static int parse_address(const char *text, struct admin_client *client)
{
	const char *problem;
	if (addr_parse(span_from_text(text), &client->addr, &problem) < 0)
		return fail(EXIT_CODE_USAGE, text, problem);
	return 0;
}

static int use_configuration(const struct config *config, const char *path, const char *token_path,
			     struct admin_client *client)
{
	if (config->admin_count == 0)
		return fail(EXIT_CODE_NOT_REACHABLE, path, "it has no admin directive, so the daemon cannot be asked");
	client->addr = config->admins[0].addr;
	if (token_path == NULL && config->admins[0].token_file != NULL)
		return read_token(config->admins[0].token_file, client);
	return 0;
}

static void report_invalid(const struct diagnostics *diagnostics)
{
	char summary[64];
	diagnostics_print(diagnostics, stderr);
	fprintf(stderr, "%s. The daemon was not asked; what runs goes on.\n",
		diagnostics_summarize(diagnostics, summary, sizeof(summary)));
}

static int find_in_file(const char *path, const char *token_path, struct admin_client *client)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load(path, &diagnostics);
	int code = EXIT_CODE_INVALID_CONFIGURATION;
	if (config != NULL)
		code = use_configuration(config, path, token_path, client);
	else
		report_invalid(&diagnostics);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return code;
}

int admin_client_find(const char *wanted, const char *path, const char *token_path, struct admin_client *ret_client)
{
	int code;
	*ret_client = (struct admin_client){ 0 };
	if (wanted == NULL && path == NULL && access(COMMAND_DEFAULT_FILE, R_OK) == 0)
		path = COMMAND_DEFAULT_FILE;
	if (wanted != NULL || path == NULL)
		code = parse_address(wanted != NULL ? wanted : COMMAND_DEFAULT_ADMIN, ret_client);
	else
		code = find_in_file(path, token_path, ret_client);
	if (code == 0 && token_path != NULL)
		code = read_token(token_path, ret_client);
	return code;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* One question under way. */
struct exchange {
	CURL *curl;
	const struct admin_client_request *request;
	struct admin_client_answer answer;
	bool is_enough; /* on_piece has said so */
};

static bool is_refused(struct exchange *exchange)
{
	curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &exchange->answer.status);
	return exchange->answer.status >= 300;
}

static size_t on_body(char *data, size_t item_bytes, size_t count, void *exchange_pointer)
{
	struct exchange *exchange = exchange_pointer;
	struct admin_client_answer *answer = &exchange->answer;
	size_t bytes = item_bytes * count;
	if (exchange->request->on_piece != NULL && !is_refused(exchange)) {
		exchange->is_enough =
			!exchange->request->on_piece(exchange->request->owner, (struct span){ data, bytes });
		return exchange->is_enough ? 0 : bytes;
	}
	if (bytes > ADMIN_CLIENT_BYTES_MAX - answer->body_bytes)
		return 0;
	answer->body = memory_resize(answer->body, answer->body_bytes + bytes + 1, 1);
	memcpy(answer->body + answer->body_bytes, data, bytes);
	answer->body_bytes += bytes;
	answer->body[answer->body_bytes] = '\0';
	return bytes;
}

/* A daemon that listens on all addresses is asked on loopback. */
static void set_target(CURL *curl, const struct admin_client *client, const char *path)
{
	char host[ADDR_TEXT_BYTES];
	char *url = NULL;
	struct addr addr = client->addr;
	int len;
	if (addr_is_unix(&addr)) {
		bool is_abstract = addr.un.sun_path[0] == '\0';
		len = asprintf(&url, "http://localhost%s", path);
		curl_easy_setopt(curl, is_abstract ? CURLOPT_ABSTRACT_UNIX_SOCKET : CURLOPT_UNIX_SOCKET_PATH,
				 addr.un.sun_path + is_abstract);
	} else {
		if (addr_is_any(&addr) && addr.sa.sa_family == AF_INET)
			addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		else if (addr_is_any(&addr))
			addr.in6.sin6_addr = in6addr_loopback;
		len = asprintf(&url, "http://%s%s", addr_format(&addr, host, sizeof(host)), path);
	}
	CHECK(len >= 0);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	free(url);
}

static struct curl_slist *make_headers(const struct admin_client *client, const struct admin_client_request *request)
{
	char header[ADMIN_CLIENT_TOKEN_BYTES_MAX + 64];
	struct curl_slist *headers = NULL;
	if (client->token[0] != '\0') {
		snprintf(header, sizeof(header), "Authorization: Bearer %s", client->token);
		headers = curl_slist_append(headers, header);
	}
	if (request->last_event_id != NULL) {
		snprintf(header, sizeof(header), "Last-Event-ID: %s", request->last_event_id);
		headers = curl_slist_append(headers, header);
	}
	if (strcmp(request->method, "GET") != 0)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	return headers;
}

static void set_method(CURL *curl, const struct admin_client_request *request)
{
	if (strcmp(request->method, "GET") == 0)
		return;
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body != NULL)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
}

/* Of an answer that goes on the time is not bounded, but silence is. */
static void set_time(CURL *curl, const struct admin_client_request *request)
{
	long timeout_ms = (long)(request->timeout_ms > 0 ? request->timeout_ms : ADMIN_CLIENT_MS);
	if (request->on_piece == NULL) {
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
		return;
	}
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)ADMIN_CLIENT_SILENT_MS / 1000);
}

static int perform(CURL *curl, char problem[ADMIN_CLIENT_PROBLEM_BYTES])
{
	CURLcode result = curl_easy_perform(curl);
	if (result == CURLE_OK)
		return 0;
	snprintf(problem, ADMIN_CLIENT_PROBLEM_BYTES, "%s", curl_easy_strerror(result));
	if (result == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (result != CURLE_COULDNT_CONNECT)
		return -EPROTO;
	long error = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	if (error != 0)
		snprintf(problem, ADMIN_CLIENT_PROBLEM_BYTES, "%s", strerror((int)error));
	return -ECONNREFUSED;
}

int admin_client_ask(const struct admin_client *client, const struct admin_client_request *request,
		     struct admin_client_answer *ret_answer, char ret_problem[ADMIN_CLIENT_PROBLEM_BYTES])
{
	curl_global_init(CURL_GLOBAL_NOTHING);
	CURL *curl = curl_easy_init();
	CHECK(curl != NULL);
	struct exchange exchange = { .curl = curl, .request = request, .answer.body = memory_copy_text("") };
	struct curl_slist *headers = make_headers(client, request);
	set_target(curl, client, request->path);
	set_method(curl, request);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	set_time(curl, request);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
	int error = perform(curl, ret_problem);
	if (exchange.is_enough)
		error = 0;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange.answer.status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	curl_global_cleanup();
	if (error < 0)
		free(exchange.answer.body);
	else
		*ret_answer = exchange.answer;
	return error;
}
