/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_connection.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ALL = ADMIN_CONNECTIONS_MAX + 8 };

static struct timer_wheel wheel;
static struct admin_connections connections;
static struct admin_connection *opened[ALL];
static int others[ALL]; /* the clients' ends */
static size_t open_count;

static int set_up(void **state)
{
	(void)state;
	timer_wheel_init(&wheel, 1000);
	admin_connections_init(&connections);
	open_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < open_count; i++) {
		close(opened[i]->fd);
		close(others[i]);
		admin_connection_end(opened[i]);
	}
	return 0;
}

static bool was_sent_away(size_t index)
{
	char byte;
	return recv(others[index], &byte, 1, MSG_DONTWAIT) == 0;
}

static struct addr client_at(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return addr;
}

/* Returns false when it was not taken. */
static bool come(const char *text)
{
	int pair[2];
	struct addr client = client_at(text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (!admin_connections_make_room(&connections, &client, pair[0])) {
		close(pair[0]);
		close(pair[1]);
		return false;
	}
	opened[open_count] = admin_connection_begin(&connections, &wheel, &client, pair[0]);
	admin_connection_set_deadline(opened[open_count], false, 2000);
	others[open_count++] = pair[1];
	return true;
}

static void one_peer_gets_only_some(void **state)
{
	(void)state;
	for (int i = 0; i < ADMIN_PEER_CONNECTIONS_MAX; i++)
		assert_true(come("192.0.2.1:1000"));
	assert_false(was_sent_away(0));
	assert_true(come("192.0.2.1:1001"));
	assert_true(was_sent_away(0));
	assert_false(was_sent_away(1));
	assert_true(come("192.0.2.2:1000"));
	assert_false(was_sent_away(1));
}

static void busy_ones_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ADMIN_PEER_CONNECTIONS_MAX; i++) {
		assert_true(come("192.0.2.1:1000"));
		admin_connection_set_deadline(opened[i], i != 7, 2000);
	}
	assert_true(come("192.0.2.1:1000"));
	assert_true(was_sent_away(7));
	admin_connection_set_deadline(opened[open_count - 1], true, 2000);
	assert_false(come("192.0.2.1:1000"));
	assert_true(come("192.0.2.2:1000"));
}

static void a_newcomer_takes_the_place_of_the_peer_that_has_most(void **state)
{
	char text[32];
	(void)state;
	assert_true(come("198.51.100.1:80"));
	for (int i = 0; i < ADMIN_CONNECTIONS_MAX - 1; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d:1000", i < 20 ? 1 : 2 + i / 30);
		assert_true(come(text));
	}
	assert_true(come("203.0.113.1:80"));
	assert_false(was_sent_away(0));
	assert_false(was_sent_away(1));
	size_t gone_count = 0;
	for (size_t i = 0; i < open_count; i++)
		gone_count += was_sent_away(i);
	assert_int_equal(gone_count, 1);
}

static void ipv6_peers_are_networks(void **state)
{
	(void)state;
	for (int i = 0; i < ADMIN_PEER_CONNECTIONS_MAX; i++)
		assert_true(come(i % 2 == 0 ? "[2001:db8::1]:1000" : "[2001:db8::2]:1000"));
	assert_true(come("[2001:db8:0:1::1]:1000"));
	assert_false(was_sent_away(0));
	assert_true(come("[2001:db8::3]:1000"));
	assert_true(was_sent_away(0));
}

static void unix_peers_have_names(void **state)
{
	(void)state;
	assert_true(come("unix:/run/x.sock"));
	assert_string_equal(opened[0]->peer.text, "unix");
	assert_true(opened[0]->peer.has_credentials);
	assert_int_equal(opened[0]->peer.uid, getuid());
	assert_int_equal(opened[0]->peer.pid, getpid());
	assert_true(come("192.0.2.1:1000"));
	assert_string_equal(opened[1]->peer.text, "192.0.2.1:1000");
	assert_false(opened[1]->peer.has_credentials);
}

static void a_deadline_ends_it(void **state)
{
	(void)state;
	assert_true(come("192.0.2.1:1000"));
	timer_wheel_advance(&wheel, 1900, 100);
	assert_false(was_sent_away(0));
	timer_wheel_advance(&wheel, 2100, 100);
	assert_true(was_sent_away(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_peer_gets_only_some, set_up, tear_down),
		cmocka_unit_test_setup_teardown(busy_ones_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_newcomer_takes_the_place_of_the_peer_that_has_most, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ipv6_peers_are_networks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(unix_peers_have_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_deadline_ends_it, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
