/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of names in a loop, against a name server of this program itself: a UDP socket that answers every question
 * with the addresses that the test has set, or with an error, or not at all.
 */
#include "control/names.h"

#include "base/fd.h"
#include "control/dns_client.h"

#include <arpa/nameser.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGE_BYTES = 512, ADDRESSES_MAX = 4 };

static struct {
	struct loop loop;
	struct timer_wheel wheel;
	struct loop_source server; /* the name server */
	uint16_t port;
	unsigned int question_count;
	/* What it says. */
	uint8_t last_bytes[ADDRESSES_MAX]; /* of addresses 10.0.0.x */
	size_t address_count;
	uint8_t rcode;
	uint8_t aaaa_rcode;
	struct names *names;
	unsigned int change_count;
	size_t changed_pool;
} test;

static size_t put16(uint8_t *message, size_t at, unsigned int value)
{
	message[at] = (uint8_t)(value >> 8);
	message[at + 1] = (uint8_t)value;
	return at + 2;
}

static size_t put_address(uint8_t *message, size_t at, uint8_t last_byte)
{
	at = put16(message, at, 0xc00c); /* the name of the question */
	at = put16(message, at, ns_t_a);
	at = put16(message, at, ns_c_in);
	at = put16(message, at, 0);
	at = put16(message, at, 60);
	at = put16(message, at, 4);
	const uint8_t ip[4] = { 10, 0, 0, last_byte };
	memcpy(message + at, ip, sizeof(ip));
	return at + 4;
}

static void answer(struct loop_source *source, uint32_t events)
{
	uint8_t message[MESSAGE_BYTES];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	(void)events;
	ssize_t bytes = recvfrom(source->fd, message, sizeof(message), 0, (struct sockaddr *)&from, &from_len);
	if (bytes < 17)
		return;
	size_t at = (size_t)bytes;
	unsigned int type = (unsigned int)message[at - 4] << 8 | message[at - 3];
	size_t count = type == ns_t_a ? test.address_count : 0;
	test.question_count++;
	message[2] |= 0x84;
	message[3] = type == ns_t_a ? test.rcode : test.aaaa_rcode;
	put16(message, 6, (unsigned int)count);
	for (size_t i = 0; i < count; i++)
		at = put_address(message, at, test.last_bytes[i]);
	sendto(source->fd, message, at, 0, (struct sockaddr *)&from, from_len);
}

static void note_change(void *owner, size_t pool_number)
{
	assert_ptr_equal(owner, &test);
	test.change_count++;
	test.changed_pool = pool_number;
}

static int set_up(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	(void)state;
	memset(&test, 0, sizeof(test));
	assert_int_equal(loop_init(&test.loop), 0);
	timer_wheel_init(&test.wheel, test.loop.now_ms);
	test.server = (struct loop_source){ .on_event = answer, .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(test.server.fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(test.server.fd, (struct sockaddr *)&address, &len), 0);
	test.port = ntohs(address.sin_port);
	assert_int_equal(loop_add(&test.loop, &test.server, EPOLLIN), 0);
	test.names = names_new(&test.loop, &test.wheel, NULL, note_change, &test);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	names_free(&test.names);
	names_free(&test.names);
	fd_close(&test.server.fd);
	loop_done(&test.loop);
	return 0;
}

static void turn(void)
{
	loop_wait(&test.loop, timer_wheel_wait_ms(&test.wheel, test.loop.now_ms, 20));
	loop_dispatch(&test.loop);
	timer_wheel_advance(&test.wheel, test.loop.now_ms, 1000);
	loop_end_turn(&test.loop);
}

/* more: settings of the resolver, or another server's name. */
static struct config *load(const char *resolver_more, const char *servers)
{
	char text[2048];
	struct diagnostics diagnostics;
	snprintf(text, sizeof(text),
		 "resolver 127.0.0.1:%u timeout=200ms %s\n"
		 "service one {\nlisten *:1\nto one\n}\npool one {\ncheck none\nserver 10.9.9.9:9\n}\n"
		 "service two {\nlisten *:2\nto two\n}\npool two {\ncheck none\n%s\n}\n",
		 test.port, resolver_more, servers);
	diagnostics_init(&diagnostics);
	struct config *config = config_load_text("test.conf", span_from_text(text), &diagnostics);
	assert_non_null(config);
	diagnostics_done(&diagnostics);
	return config;
}

static const struct config_server *server_of(const struct config *config)
{
	return &config->pools[1].servers[0];
}

static enum name_state state_of(const struct config *config)
{
	struct name_status status;
	assert_true(names_read(test.names, &config->pools[1], server_of(config), &status));
	return status.state;
}

static void wait_for_state(const struct config *config, enum name_state state)
{
	for (unsigned int i = 0; i < 1000 && state_of(config) != state; i++)
		turn();
	assert_int_equal(state_of(config), state);
	loop_end_turn(&test.loop);
}

static void say(size_t count, uint8_t first, uint8_t second)
{
	test.address_count = count;
	test.last_bytes[0] = first;
	test.last_bytes[1] = second;
}

static void wait_for_count(const struct config *config, size_t count)
{
	for (unsigned int i = 0; i < 1000 && server_of(config)->resolved_count != count; i++)
		turn();
	assert_int_equal(server_of(config)->resolved_count, count);
}

static void an_answer_is_filled_in_and_told_once(void **state)
{
	struct config *config = load("ttl=1s", "server db.example.com:80\nserver db.example.com:81");
	(void)state;
	say(2, 2, 1);
	names_watch(test.names, config);
	assert_int_equal(state_of(config), NAME_PENDING);
	assert_int_equal(server_of(config)->resolved_count, 0);
	wait_for_state(config, NAME_RESOLVED);
	assert_int_equal(server_of(config)->resolved_count, 2);
	assert_int_equal(server_of(config)->resolved[0].addr.in.sin_addr.s_addr, htonl(0x0a000001));
	assert_int_equal(config->pools[1].servers[1].resolved_count, 2);
	assert_int_equal(test.change_count, 1);
	assert_int_equal(test.changed_pool, 1);
	/* The same set in another order is no change; one question for each family, however many servers use it. */
	assert_int_equal(test.question_count, 2);
	say(2, 1, 2);
	for (unsigned int i = 0; i < 1000 && test.question_count < 4; i++)
		turn();
	turn();
	assert_int_equal(test.change_count, 1);
	say(1, 7, 0);
	wait_for_count(config, 1);
	assert_int_equal(test.change_count, 2);
	names_free(&test.names);
	config_free(&config);
}

static void a_failure_keeps_the_answer(void **state)
{
	struct config *config = load("ttl=1s", "server db.example.com:80");
	struct name_status status;
	(void)state;
	say(2, 1, 2);
	names_watch(test.names, config);
	wait_for_state(config, NAME_RESOLVED);
	test.rcode = test.aaaa_rcode = ns_r_servfail;
	say(0, 0, 0);
	wait_for_state(config, NAME_FAILED);
	assert_int_equal(server_of(config)->resolved_count, 2);
	test.rcode = test.aaaa_rcode = ns_r_nxdomain;
	for (unsigned int i = 0; i < 100; i++)
		turn();
	assert_int_equal(server_of(config)->resolved_count, 2);
	assert_true(names_read(test.names, &config->pools[1], server_of(config), &status));
	assert_true(status.has_answer);
	assert_non_null(status.last_error);
	assert_int_equal(test.change_count, 1);
	names_free(&test.names);
	config_free(&config);
}

static void one_family_that_cannot_be_asked_is_no_failure(void **state)
{
	struct config *config = load("", "server db.example.com:80");
	struct name_status status;
	(void)state;
	say(1, 1, 0);
	test.aaaa_rcode = ns_r_servfail;
	names_watch(test.names, config);
	wait_for_state(config, NAME_RESOLVED);
	assert_int_equal(server_of(config)->resolved_count, 1);
	assert_true(names_read(test.names, &config->pools[1], server_of(config), &status));
	assert_int_equal(status.ttl_ms, 60000);
	assert_non_null(status.last_error);
	names_free(&test.names);
	config_free(&config);
}

static void answers_survive_the_next_tree(void **state)
{
	struct config *config = load("", "server db.example.com:80");
	(void)state;
	say(2, 1, 2);
	names_watch(test.names, config);
	wait_for_state(config, NAME_RESOLVED);
	struct config *same = load("", "server 10.0.0.9:1\nserver DB.example.com:80");
	names_attach(test.names, same);
	assert_int_equal(same->pools[1].servers[1].resolved_count, 2);
	config_free(&config);
	names_watch(test.names, same);
	assert_int_equal(same->pools[1].servers[1].resolved_count, 2);
	/* From another resolver: the answer stands until there is a new one. */
	struct config *other = load("ttl=5s", "server db.example.com:80");
	names_attach(test.names, other);
	assert_int_equal(server_of(other)->resolved_count, 2);
	config_free(&same);
	say(1, 3, 0);
	names_watch(test.names, other);
	assert_int_equal(server_of(other)->resolved_count, 2);
	assert_int_equal(state_of(other), NAME_PENDING);
	wait_for_state(other, NAME_RESOLVED);
	assert_int_equal(server_of(other)->resolved_count, 1);
	/* Forgotten by a tree without it. */
	struct config *none = load("", "server 10.0.0.9:1");
	names_attach(test.names, none);
	config_free(&other);
	names_watch(test.names, none);
	loop_end_turn(&test.loop);
	struct config *again = load("", "server db.example.com:80");
	names_attach(test.names, again);
	assert_int_equal(server_of(again)->resolved_count, 0);
	config_free(&again);
	names_free(&test.names);
	config_free(&none);
}

/* Names that go while they are asked for, and names that are never answered. */
static void a_lookup_can_be_given_up(void **state)
{
	struct config *config =
		load("", "server one.example.com:80\nserver srv:_two._tcp.example.com\nserver localhost:1");
	struct config *none = load("", "server 10.0.0.9:1");
	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		names_watch(test.names, config);
		names_watch(test.names, none);
		for (unsigned int j = 0; j < i; j++)
			turn();
		names_watch(test.names, config);
	}
	names_free(&test.names);
	config_free(&config);
	config_free(&none);
}

/* --- SRV records ------------------------------------------------------------------------------------------------- */

static const uint8_t srv_message[] = {
	0,    1,   0x84, 0,  0,  1, 0, 2,   0, 0, 0, 0,  /* one question, two answers */
	1,    'a', 0,    0,  33, 0, 1,                   /* a. SRV IN */
	0xc0, 12,  0,    33, 0,  1, 0, 0,   0, 9, 0, 10, /* TTL 9 */
	0,    5,   0,    6,  0,  7, 1, 'B', 0, 0,        /* 5 6 7 b. and a byte too many */
	0xc0, 12,  0,    33, 0,  1, 0, 0,   0, 4, 0, 7,  /* TTL 4 */
	0,    1,   0,    2,  0,  3, 0,                   /* 1 2 3 . */
};

static void srv_records_are_read_with_their_ttl(void **state)
{
	struct dns_question question = { .kind = DNS_SRV };
	(void)state;
	dns_question_read_srv(&question, srv_message, sizeof(srv_message));
	assert_int_equal(question.result, DNS_FOUND);
	assert_int_equal(question.count, 2);
	assert_int_equal(question.ttl_s, 4);
	assert_string_equal(question.srvs[0].target, "b");
	assert_int_equal(question.srvs[0].priority, 5);
	assert_int_equal(question.srvs[0].weight, 6);
	assert_int_equal(question.srvs[0].port, 7);
	assert_string_equal(question.srvs[1].target, "");
	dns_question_done(&question);
}

static void any_bytes_can_be_read(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(srv_message); len++) {
		struct dns_question question = { .kind = DNS_SRV };
		/* A block of its own, so that a sanitizer sees a byte too far. */
		uint8_t *message = malloc(len > 0 ? len : 1);
		memcpy(message, srv_message, len);
		dns_question_read_srv(&question, message, len);
		assert_int_equal(question.result, DNS_FAILED);
		dns_question_done(&question);
		free(message);
	}
	for (size_t i = 0; i < sizeof(srv_message) * 256; i++) {
		struct dns_question question = { .kind = DNS_SRV };
		uint8_t *message = malloc(sizeof(srv_message));
		memcpy(message, srv_message, sizeof(srv_message));
		message[i / 256] = (uint8_t)i;
		dns_question_read_srv(&question, message, sizeof(srv_message));
		dns_question_done(&question);
		free(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_filled_in_and_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failure_keeps_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_family_that_cannot_be_asked_is_no_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_survive_the_next_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lookup_can_be_given_up, set_up, tear_down),
		cmocka_unit_test(srv_records_are_read_with_their_ttl),
		cmocka_unit_test(any_bytes_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
