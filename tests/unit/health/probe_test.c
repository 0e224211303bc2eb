/* SPDX-License-Identifier: Apache-2.0 */
/* Single checks against real sockets on loopback. */
#include "health/probe.h"

#include "base/clock.h"
#include "base/fd.h"
#include "health/probe_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* A TCP check of a server that plays the parts, until the server has seen its end. */
static const struct probe_outcome *ask_tcp(struct stream_server *server, const char *send_text, const char *expect_text,
					   uint64_t timeout_ms)
{
	stream_server_start(server, &fixture, AF_INET);
	struct probe_request request = probe_request_to(&probe_kind_tcp, &server->addr, send_text, expect_text);
	request.timeout_ms = timeout_ms;
	const struct probe_outcome *outcome = probe_run(&request);
	for (int i = 0; i < 1000 && !server->closes && server->fin_count + server->reset_count == 0; i++)
		fixture_turn(&fixture);
	stream_server_stop(server);
	fixture_run_for(&fixture, 1);
	return outcome;
}

/* --- TCP --------------------------------------------------------------------------------------------------------- */

static void tcp_handshake_is_enough(void **state)
{
	(void)state;
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	for (int i = 0; i < 3; i++) {
		if (!has_family(families[i]))
			continue;
		struct stream_server server = { 0 };
		stream_server_start(&server, &fixture, families[i]);
		struct probe_request request = probe_request_to(&probe_kind_tcp, &server.addr, "", "");
		assert_good(probe_run(&request));
		/* No TIME_WAIT is left; a unix socket knows no reset. */
		bool is_reset = families[i] != AF_UNIX;
		fixture_run_until_count(&fixture, is_reset ? &server.reset_count : &server.fin_count, 1);
		assert_int_equal(server.accepted_count, 1);
		assert_int_equal(is_reset ? server.fin_count : server.reset_count, 0);
		stream_server_stop(&server);
		fixture_run_for(&fixture, 1);
	}
}

static void tcp_refused(void **state)
{
	(void)state;
	static const int families[] = { AF_INET, AF_INET6 };
	for (int i = 0; i < 2; i++) {
		if (!has_family(families[i]))
			continue;
		struct addr addr = fixture_closed_addr(&fixture, families[i], SOCK_STREAM);
		struct probe_request request = probe_request_to(&probe_kind_tcp, &addr, "", "");
		const struct probe_outcome *outcome = probe_run(&request);
		assert_bad(outcome, "connection refused");
		assert_took(outcome, 0);
	}
}

static void unix_socket_that_is_not_there(void **state)
{
	(void)state;
	struct addr addr;
	const char *problem = "";
	addr_parse(span_from_text("unix:/nowhere/at/all.sock"), &addr, &problem);
	struct probe_request request = probe_request_to(&probe_kind_tcp, &addr, "", "");
	assert_bad(probe_run(&request), "no such file or directory");
	addr = fixture_addr(AF_UNIX, 0);
	request = probe_request_to(&probe_kind_tcp, &addr, "", "");
	assert_bad(probe_run(&request), "connection refused");
}

/* Sockets that fill a backlog of 0 until nobody gets in any more. */
enum { FILLERS = 8 };

static void fill_backlog(const struct addr *addr, int fillers[FILLERS])
{
	for (int i = 0; i < FILLERS; i++) {
		fillers[i] = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fillers[i], &addr->sa, addr->len) == 0)
			continue;
		assert_true(errno == EINPROGRESS || errno == EAGAIN);
	}
	usleep(20000);
}

static void full_backlog(void **state)
{
	(void)state;
	static const int families[] = { AF_INET, AF_UNIX };
	static const char *const causes[] = { "no connection within 150ms", "the backlog is full" };
	for (int i = 0; i < 2; i++) {
		int fillers[FILLERS];
		struct addr addr = fixture_addr(families[i], 0);
		int listener = fixture_listen(&addr, SOCK_STREAM, 0);
		fill_backlog(&addr, fillers);
		struct probe_request request = probe_request_to(&probe_kind_tcp, &addr, "", "");
		request.timeout_ms = 150;
		assert_bad(probe_run(&request), causes[i]);
		for (int j = 0; j < FILLERS; j++)
			fd_close(&fillers[j]);
		fd_close(&listener);
	}
}

static void tcp_expected_answer(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { "+PONG\r\n" } };
	assert_good(ask_tcp(&server, "PING\r\n", "+PONG", 3000));
	assert_string_equal(server.received, "PING\r\n");
	assert_int_equal(server.fin_count, 1);
	assert_int_equal(server.reset_count, 0);
}

static void tcp_expected_answer_in_the_middle(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { "HTTP/1.1 200 OK\r\n\r\nall is well\n" }, .closes = true };
	assert_good(ask_tcp(&server, "GET / HTTP/1.0\r\n\r\n", "200 OK", 3000));
}

static void tcp_expected_answer_in_two_segments(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { "+PO", "NG" }, .part_delay_ms = 60 };
	const struct probe_outcome *outcome = ask_tcp(&server, "PING", "+PONG", 3000);
	assert_good(outcome);
	assert_took(outcome, 100);
}

static void tcp_server_speaks_first(void **state)
{
	(void)state;
	struct stream_server server = { .parts = { "220 ready\r\n" }, .speaks_first = true };
	assert_good(ask_tcp(&server, "", "220", 3000));
}

static void tcp_send_alone(void **state)
{
	(void)state;
	struct stream_server server = { 0 };
	assert_good(ask_tcp(&server, "hello", "", 3000));
	assert_string_equal(server.received, "hello");
	assert_int_equal(server.fin_count, 1);
}

static void tcp_wrong_answer(void **state)
{
	(void)state;
	struct stream_server closing = { .parts = { "-ERR\r\n" }, .closes = true };
	assert_bad(ask_tcp(&closing, "PING", "+PONG", 3000), "closed without the expected answer");
	struct stream_server open = { .parts = { "-ERR\r\n" } };
	const struct probe_outcome *outcome = ask_tcp(&open, "PING", "+PONG", 150);
	assert_bad(outcome, "unexpected or incomplete answer within 150ms");
	assert_took(outcome, 150);
	assert_int_equal(open.reset_count, 1);
}

static void tcp_closed_without_answer(void **state)
{
	(void)state;
	struct stream_server server = { .closes = true };
	assert_bad(ask_tcp(&server, "PING", "+PONG", 3000), "closed without the expected answer");
}

static void tcp_endless_wrong_answer(void **state)
{
	(void)state;
	char page[PROBE_ANSWER_BYTES_MAX + 101];
	memset(page, 'x', sizeof(page) - 1);
	page[sizeof(page) - 1] = '\0';
	struct stream_server server = { .parts = { page, "+PONG" } };
	assert_bad(ask_tcp(&server, "PING", "+PONG", 3000), "the answer is not the expected one");
}

static void tcp_silence(void **state)
{
	(void)state;
	struct stream_server server = { 0 };
	const struct probe_outcome *outcome = ask_tcp(&server, "PING", "+PONG", 150);
	assert_bad(outcome, "no answer within 150ms");
	assert_took(outcome, 150);
	struct stream_server again = { 0 };
	outcome = ask_tcp(&again, "", "+PONG", 1000);
	assert_bad(outcome, "no answer within 1s");
	assert_took(outcome, 1000);
}

/* The good answer lies in the socket, but the time is over. */
static void too_late_is_a_failure(void **state)
{
	(void)state;
	struct addr addr = fixture_addr(AF_INET, 0);
	int server = fixture_listen(&addr, SOCK_DGRAM, 0);
	struct probe_request request = probe_request_to(&probe_kind_udp, &addr, "ping", "pong");
	request.timeout_ms = 40;
	probe_start(&probe, &request);
	struct addr client = { .len = sizeof(client.un) };
	char buf[16];
	assert_int_equal(recvfrom(server, buf, sizeof(buf), 0, &client.sa, &client.len), 4);
	assert_int_equal(sendto(server, "pong", 4, 0, &client.sa, client.len), 4);
	fixture_pass(60);
	loop_wait(&fixture.loop, 0);
	assert_int_equal(fixture.loop.event_count, 1);
	loop_dispatch(&fixture.loop);
	assert_true(probe_has_ended);
	assert_bad(&probe.outcome, "no answer within 40ms");
	fd_close(&server);
}

/* A socket that got the port it connects to is connected to itself. */
static void knows_itself(void **state)
{
	(void)state;
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	for (int i = 0; i < 2; i++) {
		struct addr addr = fixture_addr(AF_INET, 0);
		int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
		assert_int_equal(getsockname(fd, &addr.sa, &addr.len), 0);
		assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
		probe.request.addr = addr;
		probe.source.fd = fd;
		assert_true(probe_meets_itself(&probe));
		fd_close(&probe.source.fd);
	}
}

/* --- UDP --------------------------------------------------------------------------------------------------------- */

static const struct probe_outcome *ask_udp(const char *script, const char *expect_text, uint64_t timeout_ms)
{
	struct datagram_server server = { .script = script };
	datagram_server_start(&server, &fixture, AF_INET);
	struct probe_request request = probe_request_to(&probe_kind_udp, &server.addr, "ping", expect_text);
	request.timeout_ms = timeout_ms;
	const struct probe_outcome *outcome = probe_run(&request);
	assert_int_equal(server.received_count, 1);
	datagram_server_stop(&server);
	return outcome;
}

static void udp_answers(void **state)
{
	(void)state;
	assert_good(ask_udp("y", "pong", 3000));
	assert_good(ask_udp("y", "on", 3000));
	assert_good(ask_udp("n", "", 3000));
	assert_good(ask_udp("e", "", 3000));
	assert_bad(ask_udp("n", "pong", 3000), "the answer is not the expected one");
	assert_bad(ask_udp("e", "pong", 3000), "the answer is not the expected one");
}

static void udp_silence(void **state)
{
	(void)state;
	const struct probe_outcome *outcome = ask_udp("-", "", 150);
	assert_bad(outcome, "no answer within 150ms");
	assert_took(outcome, 150);
}

static void udp_port_unreachable(void **state)
{
	(void)state;
	static const int families[] = { AF_INET, AF_INET6 };
	for (int i = 0; i < 2; i++) {
		if (!has_family(families[i]))
			continue;
		struct addr addr = fixture_closed_addr(&fixture, families[i], SOCK_DGRAM);
		struct probe_request request = probe_request_to(&probe_kind_udp, &addr, "ping", "");
		assert_bad(probe_run(&request), "connection refused");
	}
}

/* --- strait's own troubles, and stopping ------------------------------------------------------------------------- */

static void no_descriptor_is_no_verdict(void **state)
{
	(void)state;
	struct stream_server server = { 0 };
	struct rlimit before, none;
	stream_server_start(&server, &fixture, AF_INET);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	struct probe_request request = probe_request_to(&probe_kind_tcp, &server.addr, "", "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	probe_start(&probe, &request);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(probe_is_running(&probe));
	uint64_t start_ms = clock_monotonic_ms();
	fixture_run_until(&fixture, &probe_has_ended);
	assert_in_range(clock_monotonic_ms() - start_ms, 0, 1500); /* not only with the time-out */
	assert_int_equal(probe.outcome.result, PROBE_UNDECIDED);
	assert_string_equal(probe.outcome.cause, "too many open files");
	assert_good(probe_run(&request));
	stream_server_stop(&server);
}

static void stops_while_running(void **state)
{
	(void)state;
	struct datagram_server silent = { .script = "-" };
	datagram_server_start(&silent, &fixture, AF_INET);
	uint64_t fd_count = fd_count_open();
	struct probe_request request = probe_request_to(&probe_kind_udp, &silent.addr, "ping", "");
	request.timeout_ms = 50;
	probe_start(&probe, &request);
	assert_int_equal(fd_count_open(), fd_count + 1);
	probe_stop(&probe);
	probe_stop(&probe);
	assert_int_equal(fd_count_open(), fd_count);
	fixture_run_for(&fixture, 100);
	assert_int_equal(probe_ended_count, 0);
	datagram_server_stop(&silent);
}

/* An event that was handed out before the check ended, but comes after the next has begun, decides nothing. */
static void ignores_events_of_an_earlier_check(void **state)
{
	(void)state;
	int fillers[FILLERS];
	struct addr addr = fixture_addr(AF_INET, 0);
	int listener = fixture_listen(&addr, SOCK_STREAM, 0);
	fill_backlog(&addr, fillers);
	struct probe_request request = probe_request_to(&probe_kind_tcp, &addr, "", "");
	request.timeout_ms = 100;
	probe_start(&probe, &request);
	probe.source.on_event(&probe.source, EPOLLOUT);
	assert_false(probe_has_ended);
	fixture_run_until(&fixture, &probe_has_ended);
	assert_bad(&probe.outcome, "no connection within 100ms");
	probe.source.on_event(&probe.source, EPOLLOUT);
	assert_int_equal(probe_ended_count, 1);
	for (int i = 0; i < FILLERS; i++)
		fd_close(&fillers[i]);
	fd_close(&listener);
}

#define probe_unit_test(f) cmocka_unit_test_setup_teardown(f, probe_fixture_set_up, probe_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		probe_unit_test(tcp_handshake_is_enough),
		probe_unit_test(tcp_refused),
		probe_unit_test(unix_socket_that_is_not_there),
		probe_unit_test(full_backlog),
		probe_unit_test(tcp_expected_answer),
		probe_unit_test(tcp_expected_answer_in_the_middle),
		probe_unit_test(tcp_expected_answer_in_two_segments),
		probe_unit_test(tcp_server_speaks_first),
		probe_unit_test(tcp_send_alone),
		probe_unit_test(tcp_wrong_answer),
		probe_unit_test(tcp_closed_without_answer),
		probe_unit_test(tcp_endless_wrong_answer),
		probe_unit_test(tcp_silence),
		probe_unit_test(too_late_is_a_failure),
		probe_unit_test(knows_itself),
		probe_unit_test(udp_answers),
		probe_unit_test(udp_silence),
		probe_unit_test(udp_port_unreachable),
		probe_unit_test(no_descriptor_is_no_verdict),
		probe_unit_test(stops_while_running),
		probe_unit_test(ignores_events_of_an_earlier_check),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
