/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_repair.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 5000 };

/* Two ends of a connection over loopback. */
struct pair {
	int near;
	int far;
};

static int open_pair(void **state)
{
	static struct pair pair;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int one = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	pair.near = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair.near, (struct sockaddr *)&addr, len), 0);
	pair.far = accept(listener, NULL, NULL);
	assert_true(pair.far >= 0);
	setsockopt(pair.near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(pair.far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
	*state = &pair;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *pair = *state;
	fd_close(&pair->near);
	fd_close(&pair->far);
	return 0;
}

static bool is_readable(int fd, int wait_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	return poll(&poller, 1, wait_ms) > 0;
}

/* Acknowledgements take a moment, even here. Skips the test without the right to read numbers. */
static struct tcp_numbers read_numbers(int fd)
{
	struct tcp_numbers numbers;
	enum tcp_obstacle obstacle;
	int result = -EAGAIN;
	for (int i = 0; i < WAIT_MS && result == -EAGAIN; i++) {
		result = tcp_repair_read(fd, &numbers, &obstacle);
		if (result == -EAGAIN)
			poll(NULL, 0, 1);
	}
	if (result == -EPERM) {
		print_message("# skipped: CAP_NET_ADMIN is not there\n");
		skip();
	}
	assert_int_equal(result, 0);
	return numbers;
}

static void transfer(int from, int to, size_t count)
{
	char *sent = malloc(count);
	char *received = malloc(count);
	for (size_t i = 0; i < count; i++)
		sent[i] = (char)rand();
	assert_int_equal(send(from, sent, count, 0), count);
	assert_int_equal(recv(to, received, count, MSG_WAITALL), count);
	assert_memory_equal(sent, received, count);
	free(sent);
	free(received);
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

static void ends_agree(const struct tcp_numbers *one, const struct tcp_numbers *other)
{
	assert_int_equal(one->send_next, other->read_next + other->unread_bytes);
	assert_int_equal(one->peer_scale, other->own_scale);
	assert_int_equal(one->peer_window, other->own_window - other->unread_bytes);
	assert_int_equal(one->has_timestamps, other->has_timestamps);
	assert_int_equal(one->has_sack, other->has_sack);
	assert_int_equal(one->has_ecn, other->has_ecn);
	assert_int_equal(one->send_segment_bytes, other->receive_segment_bytes);
}

static void both_ends_say_the_same(void **state)
{
	struct pair *pair = *state;
	for (int i = 0; i < 20; i++) {
		struct tcp_numbers near = read_numbers(pair->near);
		struct tcp_numbers far = read_numbers(pair->far);
		ends_agree(&near, &far);
		ends_agree(&far, &near);
		transfer(pair->near, pair->far, 1 + (size_t)i * 997);
		transfer(pair->far, pair->near, 1 + (size_t)i * 499);
	}
}

static void bytes_are_counted(void **state)
{
	struct pair *pair = *state;
	struct tcp_numbers before = read_numbers(pair->near);
	struct tcp_numbers far_before = read_numbers(pair->far);
	char bytes[300];
	assert_int_equal(send(pair->near, "hello", 5, 0), 5);
	assert_true(is_readable(pair->far, WAIT_MS));
	struct tcp_numbers far = read_numbers(pair->far);
	assert_int_equal(far.unread_bytes, 5);
	assert_int_equal(far.read_next, far_before.read_next);
	assert_int_equal(recv(pair->far, bytes, 2, 0), 2);
	far = read_numbers(pair->far);
	assert_int_equal(far.unread_bytes, 3);
	assert_int_equal(far.read_next, far_before.read_next + 2);
	assert_int_equal(read_numbers(pair->near).send_next, before.send_next + 5);
	assert_int_equal(recv(pair->far, bytes, sizeof(bytes), 0), 3);
	assert_memory_equal(bytes, "llo", 3);
}

static void clock_goes_on(void **state)
{
	struct pair *pair = *state;
	for (int i = 0; i < 10; i++) {
		struct tcp_numbers before = read_numbers(pair->near);
		poll(NULL, 0, 15);
		int32_t difference = (int32_t)(read_numbers(pair->near).clock_ms - before.clock_ms);
		assert_in_range(difference + 3, 0, 6);
	}
}

struct sender {
	int fd;
	size_t count;
	atomic_bool is_done;
};

static void *send_all(void *argument)
{
	struct sender *sender = argument;
	uint8_t bytes[700];
	for (size_t sent = 0; sent < sender->count; sent += sizeof(bytes)) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((sent + i) * 31 >> 3);
		if (send(sender->fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
			break;
	}
	atomic_store(&sender->is_done, true);
	return NULL;
}

/* While bytes come in, the place of the next one to be read stays, and none is lost. */
static void numbers_are_right_while_bytes_come(void **state)
{
	struct pair *pair = *state;
	struct sender sender = { .fd = pair->far, .count = 700 * 20000 };
	struct tcp_numbers numbers = read_numbers(pair->near);
	uint32_t expected = numbers.read_next;
	pthread_t thread;
	size_t read_count = 0;
	int with_unread = 0;
	assert_int_equal(pthread_create(&thread, NULL, send_all, &sender), 0);
	while (read_count < sender.count) {
		uint8_t bytes[5000];
		numbers = read_numbers(pair->near);
		assert_int_equal(numbers.read_next, expected);
		with_unread += numbers.unread_bytes > 0;
		ssize_t count = recv(pair->near, bytes, sizeof(bytes), 0);
		assert_true(count > 0);
		for (ssize_t i = 0; i < count; i++)
			assert_int_equal(bytes[i], (uint8_t)((read_count + (size_t)i) * 31 >> 3));
		read_count += (size_t)count;
		expected += (uint32_t)count;
	}
	pthread_join(thread, NULL);
	assert_true(with_unread > 0);
}

static void nothing_is_different_afterwards(void **state)
{
	struct pair *pair = *state;
	int value = 1;
	socklen_t len = sizeof(value);
	setsockopt(pair->near, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value));
	read_numbers(pair->near);
	read_numbers(pair->far);
	assert_int_equal(getsockopt(pair->near, SOL_SOCKET, SO_REUSEADDR, &value, &len), 0);
	assert_int_equal(value, 1);
	assert_int_equal(getsockopt(pair->far, SOL_SOCKET, SO_REUSEADDR, &value, &len), 0);
	assert_int_equal(value, 0);
	assert_int_equal(getsockopt(pair->near, IPPROTO_TCP, TCP_REPAIR, &value, &len), 0);
	assert_int_equal(value, 0);
	transfer(pair->near, pair->far, 50000);
}

/* --- what is in the way ------------------------------------------------------------------------------------------ */

static void end_that_has_come_is_in_the_way(void **state)
{
	struct pair *pair = *state;
	read_numbers(pair->near);
	shutdown(pair->far, SHUT_WR);
	assert_true(is_readable(pair->near, WAIT_MS));
	struct tcp_numbers numbers;
	enum tcp_obstacle obstacle;
	assert_int_equal(tcp_repair_read(pair->near, &numbers, &obstacle), -EAGAIN);
	assert_int_equal(obstacle, TCP_OBSTACLE_STATE);
	assert_int_equal(tcp_repair_read(pair->far, &numbers, &obstacle), -EAGAIN);
	assert_int_equal(obstacle, TCP_OBSTACLE_STATE);
}

static void bytes_that_nobody_takes_are_in_the_way(void **state)
{
	struct pair *pair = *state;
	static char bytes[1 << 16];
	struct tcp_numbers numbers;
	enum tcp_obstacle obstacle;
	read_numbers(pair->near);
	fcntl(pair->near, F_SETFL, O_NONBLOCK);
	while (send(pair->near, bytes, sizeof(bytes), 0) > 0)
		;
	poll(NULL, 0, 50);
	assert_int_equal(tcp_repair_read(pair->near, &numbers, &obstacle), -EAGAIN);
	assert_int_equal(obstacle, TCP_OBSTACLE_SENDING);
}

static void urgent_data_is_in_the_way(void **state)
{
	struct pair *pair = *state;
	read_numbers(pair->near);
	assert_int_equal(send(pair->far, "!", 1, MSG_OOB), 1);
	poll(NULL, 0, 50);
	struct tcp_numbers numbers;
	enum tcp_obstacle obstacle;
	assert_int_equal(tcp_repair_read(pair->near, &numbers, &obstacle), -EAGAIN);
	assert_int_equal(obstacle, TCP_OBSTACLE_URGENT);
}

static const struct tcp_numbers usual = {
	.peer_window = 60000,
	.own_window = 60000,
	.send_segment_bytes = 1448,
	.receive_segment_bytes = 1448,
	.has_timestamps = true,
	.has_sack = true,
};

static void assert_mismatch(struct tcp_numbers other, enum tcp_obstacle expected)
{
	assert_int_equal(tcp_match(&usual, &other), expected);
	assert_int_equal(tcp_match(&other, &usual), expected);
}

static void connections_have_to_match(void **state)
{
	(void)state;
	struct tcp_numbers other = usual;
	assert_mismatch(other, TCP_NO_OBSTACLE);
	other.peer_scale = other.own_scale = 7;
	other.send_segment_bytes = 8948;
	other.peer_window = 60001;
	other.own_window = 59999;
	assert_mismatch(other, TCP_NO_OBSTACLE);
	other = usual;
	other.has_timestamps = false;
	assert_mismatch(other, TCP_OBSTACLE_TIMESTAMPS);
	other = usual;
	other.has_sack = false;
	assert_mismatch(other, TCP_OBSTACLE_SACK);
	other = usual;
	other.has_ecn = true;
	assert_mismatch(other, TCP_OBSTACLE_ECN);
	other = usual;
	other.receive_segment_bytes = 1449;
	assert_mismatch(other, TCP_OBSTACLE_SEGMENTS);
	other = usual;
	other.send_segment_bytes = 1447;
	assert_mismatch(other, TCP_OBSTACLE_SEGMENTS);
}

/* What is promised too much may be some, but neither most of it nor all. */
static void windows_have_to_match(void **state)
{
	(void)state;
	struct tcp_numbers other = usual;
	other.own_window = 120001;
	assert_mismatch(other, TCP_NO_OBSTACLE);
	other.own_window = 120002;
	assert_mismatch(other, TCP_OBSTACLE_WINDOW);
	other = usual;
	other.peer_window = 30000;
	assert_mismatch(other, TCP_NO_OBSTACLE);
	other.peer_window = 29999;
	assert_mismatch(other, TCP_OBSTACLE_WINDOW);
	other = usual;
	other.peer_window = 0;
	assert_mismatch(other, TCP_OBSTACLE_WINDOW);
	struct tcp_numbers little = usual;
	little.own_window = 5000;
	other.peer_window = 5000;
	assert_int_equal(tcp_match(&little, &other), TCP_NO_OBSTACLE);
	other.peer_window = 4999;
	assert_int_equal(tcp_match(&little, &other), TCP_OBSTACLE_WINDOW);
	little.own_window = 0;
	other.peer_window = 0;
	assert_int_equal(tcp_match(&little, &other), TCP_NO_OBSTACLE);
}

static void every_obstacle_has_a_word(void **state)
{
	(void)state;
	for (enum tcp_obstacle obstacle = TCP_NO_OBSTACLE; obstacle < TCP_OBSTACLE_COUNT; obstacle++) {
		assert_non_null(tcp_obstacle_word(obstacle));
		assert_non_null(tcp_obstacle_meaning(obstacle));
	}
}

/* The other end would wait for the timer of acknowledgements, which is at 40 ms or more. */
static void reading_sends_what_is_to_be_acknowledged(void **state)
{
	struct pair *pair = *state;
	struct tcp_numbers numbers;
	enum tcp_obstacle obstacle = TCP_NO_OBSTACLE;
	char byte;
	int late = 0;
	for (int i = 0; i < 20; i++) {
		transfer(pair->near, pair->far, 100);
		transfer(pair->far, pair->near, 100);
		read_numbers(pair->near);
		late += tcp_repair_read(pair->far, &numbers, &obstacle) != 0;
	}
	assert_true(late < 5);
	assert_int_equal(recv(pair->near, &byte, 1, MSG_DONTWAIT), -1);
}

/* --- closing ----------------------------------------------------------------------------------------------------- */

static void peer_does_not_hear_of_a_quiet_close(void **state)
{
	struct pair *pair = *state;
	read_numbers(pair->near);
	assert_int_equal(send(pair->far, "unread", 6, 0), 6);
	assert_true(is_readable(pair->near, WAIT_MS));
	assert_int_equal(tcp_repair_close(&pair->near), 0);
	assert_int_equal(pair->near, -1);
	assert_false(is_readable(pair->far, 300));
	/* Only who sends something learns that nobody is there. */
	assert_int_equal(send(pair->far, "x", 1, 0), 1);
	assert_true(is_readable(pair->far, WAIT_MS));
	assert_int_equal(recv(pair->far, &(char){ 0 }, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void peer_does_not_hear_of_a_held_socket_that_is_closed(void **state)
{
	struct pair *pair = *state;
	read_numbers(pair->near);
	static char bytes[100000];
	assert_int_equal(send(pair->near, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(tcp_repair_hold(pair->near), 0);
	/* It goes on sending what it has, and receives. */
	assert_int_equal(recv(pair->far, bytes, sizeof(bytes), MSG_WAITALL), sizeof(bytes));
	assert_int_equal(send(pair->far, bytes, 1000, 0), 1000);
	assert_true(is_readable(pair->near, WAIT_MS));
	assert_int_equal(tcp_repair_release(pair->near), 0);
	assert_int_equal(recv(pair->near, bytes, 1000, MSG_WAITALL), 1000);
	assert_int_equal(tcp_repair_hold(pair->near), 0);
	fd_close(&pair->near);
	assert_false(is_readable(pair->far, 300));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ends_say_the_same, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(bytes_are_counted, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(clock_goes_on, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(numbers_are_right_while_bytes_come, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(nothing_is_different_afterwards, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(end_that_has_come_is_in_the_way, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(bytes_that_nobody_takes_are_in_the_way, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(urgent_data_is_in_the_way, open_pair, close_pair),
		cmocka_unit_test(connections_have_to_match),
		cmocka_unit_test(windows_have_to_match),
		cmocka_unit_test(every_obstacle_has_a_word),
		cmocka_unit_test_setup_teardown(reading_sends_what_is_to_be_acknowledged, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(peer_does_not_hear_of_a_quiet_close, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(peer_does_not_hear_of_a_held_socket_that_is_closed, open_pair,
						close_pair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
