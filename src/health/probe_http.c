/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP check: one HTTP/1.1 request over a connection of its own. The status of the answer must be one of those that
 * are good, and the beginning of its body must contain `expect`. As soon as that is known the check ends; without
 * `expect` no body is waited for. Redirections are not followed.
 */
#include "health/probe_stream.h"

#include "base/check.h"
#include "base/version.h"
#include "net/http_response.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

enum {
	REQUEST_BYTES_MAX = 2048, /* the configuration allows 1,024 for the path and 261 for the host */
	HOST_BYTES_MAX = INET6_ADDRSTRLEN + sizeof("[]:65535"),
	HTTP_PORT = 80,
	RECEIVES_PER_STEP = 16,
};

struct http_state {
	struct http_response response;
	size_t searched_len; /* of the body */
	char request[REQUEST_BYTES_MAX];
};

/* The address as a Host field has it: without interface, and without the port that is meant when none is there. */
static const char *format_host(const struct addr *addr, char *buf)
{
	char ip[INET6_ADDRSTRLEN];
	char port[sizeof(":65535")] = "";
	bool is_v6 = addr->sa.sa_family == AF_INET6;
	if (addr_is_unix(addr))
		return "localhost";
	inet_ntop(addr->sa.sa_family, is_v6 ? (const void *)&addr->in6.sin6_addr : &addr->in.sin_addr, ip, sizeof(ip));
	if (addr_port(addr) != HTTP_PORT)
		snprintf(port, sizeof(port), ":%u", addr_port(addr));
	snprintf(buf, HOST_BYTES_MAX, is_v6 ? "[%s]%s" : "%s%s", ip, port);
	return buf;
}

static void write_request(struct probe *probe)
{
	char host[HOST_BYTES_MAX];
	struct http_state *state = probe->state;
	const struct probe_request *request = &probe->request;
	bool has_body = strcmp(request->http.method, "POST") == 0;
	int len = snprintf(state->request, sizeof(state->request),
			   "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: strait/" STRAIT_VERSION
			   "\r\nAccept: */*\r\nConnection: close\r\n%s\r\n",
			   request->http.method, request->http.path,
			   request->http.host != NULL ? request->http.host : format_host(&request->addr, host),
			   has_body ? "Content-Length: 0\r\n" : "");
	CHECK(len > 0 && (size_t)len < sizeof(state->request));
	probe->request.send = (struct span){ state->request, (size_t)len };
}

static int http_open(struct probe *probe)
{
	struct http_state *state = probe->state;
	http_response_init(&state->response, probe->request.http.method);
	write_request(probe);
	return probe_stream_open(probe);
}

/* Looks into what is new of the body, and so far back that a text in two pieces is found. */
static bool find_expected(struct probe *probe)
{
	struct http_state *state = probe->state;
	const struct span *expect = &probe->request.expect;
	size_t overlap_len = expect->len - 1;
	size_t from = state->searched_len > overlap_len ? state->searched_len - overlap_len : 0;
	state->searched_len = state->response.body_len;
	return memmem(state->response.body + from, state->response.body_len - from, expect->data, expect->len) != NULL;
}

static enum probe_next fail_malformed(struct probe *probe, const char *problem)
{
	char cause[PROBE_CAUSE_BYTES];
	snprintf(cause, sizeof(cause), "malformed answer: %s", problem);
	return probe_fail(probe, cause);
}

static enum probe_next fail_status(struct probe *probe, unsigned int status)
{
	char cause[PROBE_CAUSE_BYTES];
	snprintf(cause, sizeof(cause), "status %u", status);
	return probe_fail(probe, cause);
}

/* The status first: however the answer is cut into pieces, the same is said of it. */
static enum probe_next judge(struct probe *probe)
{
	const struct http_state *state = probe->state;
	const struct http_response *response = &state->response;
	if (response->has_status) {
		if (!http_statuses_has(&probe->request.http.statuses, response->status))
			return fail_status(probe, response->status);
		if (probe->request.expect.len == 0 || find_expected(probe))
			return probe_stream_finish(probe);
		if (response->progress == HTTP_WHOLE || response->body_len == HTTP_BODY_BYTES_MAX)
			return probe_fail(probe, "the body does not hold the expected text");
	}
	if (response->progress == HTTP_MALFORMED)
		return fail_malformed(probe, response->problem);
	return PROBE_WANT_READ;
}

static enum probe_next finish_answer(struct probe *probe)
{
	struct http_state *state = probe->state;
	if (probe->answer_len == 0)
		return probe_fail(probe, "closed without an answer");
	http_response_finish(&state->response);
	return judge(probe);
}

static enum probe_next receive_answer(struct probe *probe)
{
	struct http_state *state = probe->state;
	/* A server that sends faster than it is read is read on in the next turn. */
	for (int i = 0; i < RECEIVES_PER_STEP; i++) {
		ssize_t len = recv(probe->source.fd, probe->answer, PROBE_ANSWER_BYTES_MAX, 0);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_READ : probe_fail_errno(probe, errno);
		if (len == 0)
			return finish_answer(probe);
		probe->answer_len = (size_t)len;
		probe->lack = "no complete answer";
		http_response_feed(&state->response, (struct span){ probe->answer, (size_t)len });
		enum probe_next next = judge(probe);
		if (next != PROBE_WANT_READ)
			return next;
	}
	return PROBE_WANT_READ;
}

static enum probe_next http_step(struct probe *probe)
{
	enum probe_next next = probe_stream_send(probe);
	return next == PROBE_WANT_READ ? receive_answer(probe) : next;
}

const struct probe_kind probe_kind_http = {
	.open = http_open,
	.step = http_step,
	.first = PROBE_WANT_WRITE,
	.state_bytes = sizeof(struct http_state),
};
