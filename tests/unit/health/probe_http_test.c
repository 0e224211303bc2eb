/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP checks against scripted servers on loopback. How answers are read is tested in net/http_response_test.c. */
#include "health/probe.h"

#include "base/fd.h"
#include "base/version.h"
#include "health/probe_fixture.h"
#include "net/http_response.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD        "HTTP/1.1 200 OK\r\n"
#define REQUEST_END "User-Agent: strait/" STRAIT_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n"

static struct probe_request http_request(const struct addr *addr, const char *expect_text)
{
	struct probe_request request = probe_request_to(&probe_kind_http, addr, "", expect_text);
	request.http.method = "GET";
	request.http.path = "/";
	http_statuses_add(&request.http.statuses, 200, 399);
	return request;
}

static void end_server(struct stream_server *server)
{
	fixture_run_for(&fixture, 30);
	stream_server_stop(server);
	fixture_run_for(&fixture, 1);
}

static const struct probe_outcome *ask_for(struct stream_server *server, const char *expect_text, uint64_t timeout_ms)
{
	stream_server_start(server, &fixture, AF_INET);
	struct probe_request request = http_request(&server->addr, expect_text);
	request.timeout_ms = timeout_ms;
	const struct probe_outcome *outcome = probe_run(&request);
	end_server(server);
	return outcome;
}

static const struct probe_outcome *ask(const char *answer, const char *expect_text)
{
	struct stream_server server = { .parts = { answer }, .closes = true };
	return ask_for(&server, expect_text, 3000);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static void the_request_is_what_a_server_expects(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { HEAD "Content-Length: 0\r\n\r\n" } };
	stream_server_start(&server, &fixture, AF_INET);
	struct probe_request request = http_request(&server.addr, "");
	char expected[300];
	assert_good(probe_run(&request));
	snprintf(expected, sizeof(expected), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" REQUEST_END,
		 addr_port(&server.addr));
	assert_string_equal(server.received, expected);
	request.http.method = "HEAD";
	request.http.path = "/health?full=1";
	request.http.host = "www.example.com";
	assert_good(probe_run(&request));
	assert_string_equal(server.received, "HEAD /health?full=1 HTTP/1.1\r\nHost: www.example.com\r\n" REQUEST_END);
	request.http.method = "POST";
	assert_good(probe_run(&request));
	assert_non_null(strstr(server.received, "Connection: close\r\nContent-Length: 0\r\n\r\n"));
	/* Whole exchanges end as those of any client. */
	fixture_run_until_count(&fixture, &server.fin_count, 3);
	assert_int_equal(server.reset_count, 0);
	end_server(&server);
}

static void hosts_of_other_families(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { HEAD "\r\n" } };
	stream_server_start(&server, &fixture, AF_UNIX);
	struct probe_request request = http_request(&server.addr, "");
	assert_good(probe_run(&request));
	assert_non_null(strstr(server.received, "\r\nHost: localhost\r\n"));
	end_server(&server);
	if (!has_family(AF_INET6))
		return;
	struct stream_server v6 = { .parts = { HEAD "\r\n" } };
	char expected[64];
	stream_server_start(&v6, &fixture, AF_INET6);
	request = http_request(&v6.addr, "");
	assert_good(probe_run(&request));
	snprintf(expected, sizeof(expected), "\r\nHost: [::1]:%u\r\n", addr_port(&v6.addr));
	assert_non_null(strstr(v6.received, expected));
	end_server(&v6);
}

/* A path and a host as long as the configuration allows. */
static void long_requests_fit(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { HEAD "\r\n" } };
	char path[1025], host[262];
	memset(path, '/', sizeof(path) - 1);
	memset(host, 'a', sizeof(host) - 1);
	path[sizeof(path) - 1] = host[sizeof(host) - 1] = '\0';
	stream_server_start(&server, &fixture, AF_INET);
	struct probe_request request = http_request(&server.addr, "");
	request.http.path = path;
	request.http.host = host;
	request.http.method = "POST";
	assert_good(probe_run(&request));
	end_server(&server);
}

/* --- status ------------------------------------------------------------------------------------------------------ */

static void status_decides(void **state)
{
	(void)state;
	assert_good(ask(HEAD "\r\n", ""));
	assert_good(ask("HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n", ""));
	assert_bad(ask("HTTP/1.1 404 Not Found\r\n\r\n", ""), "status 404");
	assert_bad(ask("HTTP/1.1 503 Service Unavailable\r\n\r\nok", "ok"), "status 503");
	assert_good(ask("HTTP/1.1 100 Continue\r\n\r\n" HEAD "\r\n", ""));
}

static void other_codes_may_be_good(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { "HTTP/1.1 401 Unauthorized\r\n\r\n" } };
	stream_server_start(&server, &fixture, AF_INET);
	struct probe_request request = http_request(&server.addr, "");
	request.http.statuses = (struct http_statuses){ 0 };
	http_statuses_add(&request.http.statuses, 401, 401);
	assert_good(probe_run(&request));
	http_statuses_add(&request.http.statuses, 200, 599);
	assert_good(probe_run(&request));
	end_server(&server);
}

/* Without `expect` the head is all that is waited for. */
static void no_body_is_waited_for(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { HEAD "Content-Length: 1000\r\n\r\n" } };
	const struct probe_outcome *outcome = ask_for(&server, "", 3000);
	assert_good(outcome);
	assert_in_range(outcome->duration_us, 0, 2500000);
}

/* --- body -------------------------------------------------------------------------------------------------------- */

static void expected_text_is_found(void **state)
{
	(void)state;
	assert_good(ask(HEAD "Content-Length: 13\r\n\r\nI am healthy.", "healthy"));
	assert_good(ask(HEAD "\r\nI am healthy.", "healthy."));
	assert_good(ask(HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nhea\r\n4\r\nlthy\r\n0\r\n\r\n", "healthy"));
	assert_bad(ask(HEAD "Content-Length: 3\r\n\r\nsic", "sick"), "the body does not hold the expected text");
	assert_bad(ask(HEAD "X: healthy\r\n\r\nsick", "healthy"), "the body does not hold the expected text");
	assert_bad(ask("HTTP/1.1 204 No Content\r\n\r\nok", "ok"), "the body does not hold the expected text");
}

/* Found although the connection stays open, and although the text comes in two pieces. */
static void expected_text_ends_the_check(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { HEAD "\r\nI am hea", "lthy" }, .part_delay_ms = 30 };
	const struct probe_outcome *outcome = ask_for(&server, "healthy", 3000);
	assert_good(outcome);
	assert_in_range(outcome->duration_us, 30000, 2500000);
}

static void only_the_beginning_of_a_body_is_looked_into(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		char *answer = NULL;
		bool fits = i == 0;
		assert_true(asprintf(&answer, HEAD "\r\n%*s", HTTP_BODY_BYTES_MAX + (fits ? 0 : 1), "ok") > 0);
		if (fits)
			assert_good(ask(answer, "ok"));
		else
			assert_bad(ask(answer, "ok"), "the body does not hold the expected text");
		free(answer);
	}
}

/* The same is said of an answer in one piece. */
static void what_is_decided_stays_decided(void **state)
{
	(void)state;
	static const char answer[] = HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nwrong\r\n";
	assert_good(ask(answer, ""));
	assert_good(ask(answer, "ok"));
	assert_bad(ask(answer, "fine"), "malformed answer: the size of a chunk is no number");
}

/* --- what goes wrong --------------------------------------------------------------------------------------------- */

static void refused(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&fixture, AF_INET, SOCK_STREAM);
	struct probe_request request = http_request(&addr, "");
	assert_bad(probe_run(&request), "connection refused");
}

static void malformed(void **state)
{
	(void)state;
	assert_bad(ask("220 mail.example.com ESMTP\r\n", ""), "malformed answer: the answer is not HTTP/1");
	assert_bad(ask(HEAD "Content-Length: 9\r\n\r\nok", "fine"),
		   "malformed answer: the answer ended within its body");
	assert_bad(ask(HEAD, ""), "malformed answer: the answer ended within its head");
	struct stream_server server = { .closes = true };
	assert_bad(ask_for(&server, "", 3000), "closed without an answer");
}

static void time_is_limited(void **state)
{
	(void)state;
	struct stream_server silent = { 0 };
	const struct probe_outcome *outcome = ask_for(&silent, "", 150);
	assert_bad(outcome, "no answer within 150ms");
	assert_took(outcome, 150);
	struct stream_server half = { .parts = { HEAD } };
	assert_bad(ask_for(&half, "", 150), "no complete answer within 150ms");
	struct stream_server endless = { .parts = { HEAD "\r\n", "a", "b", "c" }, .part_delay_ms = 60 };
	outcome = ask_for(&endless, "ok", 150);
	assert_bad(outcome, "no complete answer within 150ms");
	assert_took(outcome, 150);
}

/* --- byte by byte ------------------------------------------------------------------------------------------------ */

static int accept_one(int listener)
{
	int fd = -1;
	for (int i = 0; i < 1000 && fd < 0; i++) {
		fixture_turn(&fixture);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	}
	assert_true(fd >= 0);
	return fd;
}

static void trickles_in(void **state)
{
	(void)state;
	static const char answer[] =
		"HTTP/1.1 103 Early Hints\r\n\r\n" HEAD "Transfer-Encoding: chunked\r\nServer: x\r\n"
		"\r\n3;x\r\nhea\r\n4\r\nlthy\r\n0\r\n\r\n";
	struct addr addr = fixture_addr(AF_INET, 0);
	int listener = fixture_listen(&addr, SOCK_STREAM, 1);
	struct probe_request request = http_request(&addr, "healthy");
	request.timeout_ms = 60000;
	probe_start(&probe, &request);
	int server = accept_one(listener);
	for (size_t i = 0; i < sizeof(answer) - 1 && !probe_has_ended; i++) {
		assert_int_equal(send(server, answer + i, 1, MSG_NOSIGNAL), 1);
		loop_wait(&fixture.loop, 1000);
		loop_dispatch(&fixture.loop);
		loop_end_turn(&fixture.loop);
	}
	fixture_run_until(&fixture, &probe_has_ended);
	assert_good(&probe.outcome);
	fd_close(&server);
	fd_close(&listener);
}

/* The total time holds, however alive the server looks. */
static void trickles_too_slowly(void **state)
{
	(void)state;
	struct addr addr = fixture_addr(AF_INET, 0);
	int listener = fixture_listen(&addr, SOCK_STREAM, 1);
	struct probe_request request = http_request(&addr, "healthy");
	request.timeout_ms = 300;
	probe_start(&probe, &request);
	int server = accept_one(listener);
	assert_true(send(server, HEAD "\r\n", strlen(HEAD "\r\n"), MSG_NOSIGNAL) > 0);
	while (!probe_has_ended) {
		send(server, "x", 1, MSG_NOSIGNAL);
		usleep(2000); /* far from all that is looked into */
		fixture_turn(&fixture);
	}
	assert_bad(&probe.outcome, "no complete answer within 300ms");
	assert_took(&probe.outcome, 300);
	fd_close(&server);
	fd_close(&listener);
}

#define http_unit_test(f) cmocka_unit_test_setup_teardown(f, probe_fixture_set_up, probe_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		http_unit_test(the_request_is_what_a_server_expects),
		http_unit_test(hosts_of_other_families),
		http_unit_test(long_requests_fit),
		http_unit_test(status_decides),
		http_unit_test(other_codes_may_be_good),
		http_unit_test(no_body_is_waited_for),
		http_unit_test(expected_text_is_found),
		http_unit_test(expected_text_ends_the_check),
		http_unit_test(only_the_beginning_of_a_body_is_looked_into),
		http_unit_test(what_is_decided_stays_decided),
		http_unit_test(refused),
		http_unit_test(malformed),
		http_unit_test(time_is_limited),
		http_unit_test(trickles_in),
		http_unit_test(trickles_too_slowly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
