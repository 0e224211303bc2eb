/* SPDX-License-Identifier: Apache-2.0 */
/* DNS checks against a server that answers as the test says. */
#include "health/probe.h"

#include "base/fd.h"
#include "health/probe_fixture.h"
#include "net/dns_message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TYPE_NS = 2, NOERROR = 1 << 0, NXDOMAIN = 1 << 3, REFUSED = 1 << 5 };

static struct addr server_addr, client_addr;
static int server_fd;
static uint8_t message[512];
static size_t message_len;

static void start_asking(uint32_t rcodes, uint64_t timeout_ms)
{
	server_addr = fixture_addr(AF_INET, 0);
	server_fd = fixture_listen(&server_addr, SOCK_DGRAM, 0);
	struct probe_request request = probe_request_to(&probe_kind_dns, &server_addr, "", "");
	request.timeout_ms = timeout_ms;
	request.dns.name = "example.test";
	request.dns.type = TYPE_NS;
	request.dns.rcodes = rcodes;
	probe_has_ended = false;
	probe_start(&probe, &request);
	client_addr.len = sizeof(client_addr.un);
	ssize_t len = recvfrom(server_fd, message, sizeof(message), 0, &client_addr.sa, &client_addr.len);
	assert_true(len > DNS_HEADER_BYTES);
	message_len = (size_t)len;
}

/* Turns the question into its answer. */
static void make_answer(unsigned int rcode)
{
	message[2] |= 0x80;
	message[3] = (uint8_t)(0x80 | rcode);
}

static void send_message(void)
{
	assert_int_equal(sendto(server_fd, message, message_len, 0, &client_addr.sa, client_addr.len),
			 (ssize_t)message_len);
}

static const struct probe_outcome *wait_for_end(void)
{
	fixture_run_until(&fixture, &probe_has_ended);
	fd_close(&server_fd);
	return &probe.outcome;
}

static const struct probe_outcome *ask(uint32_t rcodes, unsigned int rcode)
{
	start_asking(rcodes, 3000);
	make_answer(rcode);
	send_message();
	return wait_for_end();
}

static void the_question_is_the_one_configured(void **state)
{
	(void)state;
	static const uint8_t question[] = "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
					  "example\x04test\x00\x00\x02\x00\x01";
	start_asking(NOERROR, 3000);
	assert_int_equal(message_len, 2 + sizeof(question) - 1);
	assert_memory_equal(message + 2, question, sizeof(question) - 1);
	make_answer(0);
	send_message();
	assert_good(wait_for_end());
}

static void ids_differ(void **state)
{
	(void)state;
	uint16_t ids[8];
	bool have_changed = false;
	for (int i = 0; i < 8; i++) {
		start_asking(NOERROR, 3000);
		ids[i] = (uint16_t)(message[0] << 8 | message[1]);
		have_changed = have_changed || ids[i] != ids[0];
		make_answer(0);
		send_message();
		assert_good(wait_for_end());
	}
	assert_true(have_changed);
}

static void rcode_decides(void **state)
{
	(void)state;
	assert_good(ask(NOERROR, 0));
	assert_bad(ask(NOERROR, 2), "answered SERVFAIL");
	assert_bad(ask(NOERROR, 3), "answered NXDOMAIN");
	assert_good(ask(NOERROR | NXDOMAIN, 3));
	assert_good(ask(REFUSED, 5));
	assert_bad(ask(REFUSED, 0), "answered NOERROR");
	assert_bad(ask(NOERROR, 11), "answered rcode 11");
}

static void a_cut_answer_is_good(void **state)
{
	(void)state;
	start_asking(NOERROR, 3000);
	make_answer(0);
	message[2] |= 0x02;
	send_message();
	assert_good(wait_for_end());
}

/* What is no answer to the question decides nothing, and the right answer counts however much came before it. */
static void what_does_not_belong_is_passed_over(void **state)
{
	(void)state;
	start_asking(NOERROR, 3000);
	make_answer(2);
	message[0] ^= 0x40; /* another id */
	for (int i = 0; i < 100; i++)
		send_message();
	message[0] ^= 0x40;
	message[14] ^= 0x01; /* another name */
	send_message();
	message[14] ^= 0x01;
	message[2] ^= 0x80; /* a question */
	send_message();
	fixture_run_for(&fixture, 30);
	assert_false(probe_has_ended);
	make_answer(0);
	send_message();
	assert_good(wait_for_end());
}

static void a_wrong_id_alone_is_no_answer(void **state)
{
	(void)state;
	start_asking(NOERROR, 150);
	make_answer(0);
	message[1] ^= 1;
	send_message();
	const struct probe_outcome *outcome = wait_for_end();
	assert_bad(outcome, "no answer to the question within 150ms");
	assert_took(outcome, 150);
}

/* Another address, or another port of the server, is nobody. */
static void others_are_not_heard(void **state)
{
	(void)state;
	struct addr other_addr = fixture_addr(AF_INET, 0);
	int other = fixture_listen(&other_addr, SOCK_DGRAM, 0);
	start_asking(NOERROR, 150);
	make_answer(2);
	sendto(other, message, message_len, 0, &client_addr.sa, client_addr.len);
	assert_bad(wait_for_end(), "no answer within 150ms");
	fd_close(&other);
}

static void port_unreachable(void **state)
{
	(void)state;
	struct addr addr = fixture_closed_addr(&fixture, AF_INET, SOCK_DGRAM);
	struct probe_request request = probe_request_to(&probe_kind_dns, &addr, "", "");
	request.dns.name = ".";
	request.dns.rcodes = NOERROR;
	const struct probe_outcome *outcome = probe_run(&request);
	assert_bad(outcome, "connection refused");
	assert_took(outcome, 0);
}

#define dns_unit_test(f) cmocka_unit_test_setup_teardown(f, probe_fixture_set_up, probe_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		dns_unit_test(the_question_is_the_one_configured),
		dns_unit_test(ids_differ),
		dns_unit_test(rcode_decides),
		dns_unit_test(a_cut_answer_is_good),
		dns_unit_test(what_does_not_belong_is_passed_over),
		dns_unit_test(a_wrong_id_alone_is_no_answer),
		dns_unit_test(others_are_not_heard),
		dns_unit_test(port_unreachable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
