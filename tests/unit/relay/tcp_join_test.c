/* SPDX-License-Identifier: Apache-2.0 */
/* Joining without the program: what it would do to the slot the test does itself. */
#include "relay/tcp_join.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A client, the two sockets of strait, and a server. */
struct chain {
	int client;
	int sockets[FLOW_WAY_COUNT];
	int server;
};

static void connect_pair(int *ret_near, int *ret_far)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	*ret_near = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*ret_near, (struct sockaddr *)&addr, len), 0);
	*ret_far = accept(listener, NULL, NULL);
	assert_true(*ret_far >= 0);
	close(listener);
}

static struct chain open_chain(void)
{
	struct chain chain;
	connect_pair(&chain.client, &chain.sockets[FLOW_TO_SERVER]);
	connect_pair(&chain.sockets[FLOW_TO_CLIENT], &chain.server);
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		fcntl(chain.sockets[way], F_SETFL, O_NONBLOCK);
	return chain;
}

static void close_chain(struct chain *chain)
{
	fd_close(&chain->client);
	fd_close(&chain->server);
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		fd_close(&chain->sockets[way]);
}

/* A chain whose connections are being joined, and the slot. */
struct joined {
	struct chain chain;
	struct flow_slot slot;
	struct tcp_join join;
};

enum { START_MS = 1000 };

/* Skips the test without the right to read numbers. */
static void begin(struct joined *joined)
{
	struct tcp_join_numbers numbers;
	enum tcp_obstacle obstacle;
	*joined = (struct joined){ .chain = open_chain(), .slot = { .state = FLOW_SLOT_ACTIVE } };
	const int *sockets = joined->chain.sockets;
	int result = tcp_join_read(sockets[FLOW_TO_SERVER], sockets[FLOW_TO_CLIENT], &numbers, &obstacle);
	if (result == -EPERM) {
		close_chain(&joined->chain);
		print_message("# skipped: CAP_NET_ADMIN is not there\n");
		skip();
	}
	assert_int_equal(result, 0);
	tcp_join_fill(&numbers, &joined->slot);
	assert_true(joined->slot.flags & FLOW_SLOT_TAIL_IS_UNKNOWN);
	tcp_join_start(&joined->join, &numbers, &joined->slot, sockets, START_MS);
}

static enum tcp_join_state step(struct joined *joined, uint64_t now_ms)
{
	uint8_t scratch[100];
	enum tcp_join_state state = tcp_join_step(&joined->join, now_ms, scratch, sizeof(scratch));
	assert_false(joined->slot.flags & FLOW_SLOT_TAIL_IS_UNKNOWN);
	return state;
}

static void wait_for(int fd, short events)
{
	struct pollfd poller = { .fd = fd, .events = events };
	assert_int_equal(poll(&poller, 1, 5000), 1);
}

/* The server ends. */
static void an_end_that_came_to_the_socket_is_no_byte(void **state)
{
	(void)state;
	struct joined joined;
	begin(&joined);
	struct flow_side *side = &joined.slot.sides[FLOW_TO_CLIENT];
	uint64_t first = side->first;
	assert_int_equal(side->bytes, first);
	shutdown(joined.chain.server, SHUT_WR);
	wait_for(joined.chain.sockets[FLOW_TO_CLIENT], POLLRDHUP);
	assert_int_equal(step(&joined, START_MS), TCP_JOIN_GOES_ON);
	assert_int_equal(side->tcp_flags, FLOW_TCP_FIN | FLOW_TCP_FIN_FIRST);
	assert_int_equal(side->bytes, first);
	assert_int_equal(side->first, (uint32_t)first + 1);
	joined.slot.sides[FLOW_TO_SERVER].acked = side->first + side->seq_delta;
	assert_int_equal(step(&joined, START_MS + TCP_JOIN_SETTLE_MS), TCP_JOIN_DONE);
	joined.chain.sockets[FLOW_TO_SERVER] = joined.chain.sockets[FLOW_TO_CLIENT] = -1; /* they are closed */
	assert_int_equal(side->bytes, first);
	assert_int_equal(side->first, (uint32_t)first);
	close_chain(&joined.chain);
}

/* What has come when the flow begins is known before anything is passed on. */
static void the_tail_is_known_at_the_first_step(void **state)
{
	(void)state;
	struct joined joined;
	char received[4];
	begin(&joined);
	struct flow_side *side = &joined.slot.sides[FLOW_TO_SERVER];
	uint32_t first = side->first;
	assert_int_equal(write(joined.chain.client, "late", 4), 4);
	wait_for(joined.chain.sockets[FLOW_TO_SERVER], POLLIN);
	assert_int_equal(step(&joined, START_MS), TCP_JOIN_GOES_ON);
	assert_int_equal(side->first, first + 4);
	assert_int_equal(side->bytes, first + 4);
	assert_int_equal(joined.join.tail_bytes[FLOW_TO_SERVER], 4);
	assert_int_equal(recv(joined.chain.server, received, 4, MSG_WAITALL), 4);
	assert_memory_equal(received, "late", 4);
	for (int way = 0; way < FLOW_WAY_COUNT; way++)
		tcp_repair_release(joined.chain.sockets[way]);
	close_chain(&joined.chain);
}

/* A reset that came to a socket: whose connection it was is told. */
static void the_side_that_is_broken_is_named(void **state)
{
	(void)state;
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++) {
		struct joined joined;
		begin(&joined);
		int *peer = way == FLOW_TO_SERVER ? &joined.chain.client : &joined.chain.server;
		setsockopt(*peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		fd_close(peer);
		wait_for(joined.chain.sockets[way], POLLERR);
		assert_int_equal(step(&joined, START_MS), TCP_JOIN_FAILED);
		assert_int_equal(joined.join.broken, way);
		close_chain(&joined.chain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_that_came_to_the_socket_is_no_byte),
		cmocka_unit_test(the_tail_is_known_at_the_first_step),
		cmocka_unit_test(the_side_that_is_broken_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
