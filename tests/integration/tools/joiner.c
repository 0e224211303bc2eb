/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy that does nothing but relay connections and join each of them at a random moment (relay/tcp_join.h): what
 * joining is proved with, without the rest of strait.
 *
 * usage: joiner LISTEN SERVER SEED BYTES_MAX TIME_MAX_MS [PAUSE_MS PAUSE_MS]
 * A connection is to be joined after a random number of bytes or a random time, whichever comes first. PAUSE_MS: it falls
 * asleep for so long before and after it begins a flow, as on a machine that is busy with something else. Ends on SIGTERM and
 * says what it did.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/random.h"
#include "kernel/flow_table.h"
#include "kernel/route.h"
#include "net/socket.h"
#include "relay/tcp_join.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	BUFFER_BYTES = 65536,
	QUIET_MS = 100,   /* of not reading, until both connections have come to rest */
	AGAIN_MS = 50,    /* until the next try */
	LINGER_MS = 3000, /* of a flow that has ended */
	FLOWS_MAX = 16384,
	PORT_FIRST = 10240,
	PORT_LAST = 32700,
	TURN_MS = 2,
};

enum state { CONNECTING, RELAYING, QUIET, TAIL, JOINED };

struct buffer {
	uint8_t *data;
	size_t from;
	size_t to;
	bool has_ended; /* the source has, and so will the sink */
	bool is_shut;
};

struct connection {
	struct list link;
	enum state state;
	int fds[2]; /* towards the client, towards the server */
	struct buffer buffers[2];
	uint64_t bytes;
	uint64_t join_bytes;
	uint64_t join_ms; /* try then */
	uint64_t quiet_until_ms;
	uint64_t ended_ms;
	uint32_t slot_number;
	uint16_t port;
	struct flow_slot *slot;
	struct tcp_join join;
	bool fin_through_socket[2];
};

static struct {
	uint64_t accepted, relayed, joined, failed, tails, tail_bytes, fins_in_tail, no_slot;
	uint64_t obstacles[TCP_OBSTACLE_COUNT];
} counts;

static struct flow_table *table;
static struct route_finder routes;
static struct random random_numbers;
static struct list all = { &all, &all };
static struct addr server_addr;
static uint64_t bytes_max, time_max_ms;
static uint32_t pause_before_ms, pause_after_ms;
static int epoll_fd;
static uint8_t scratch[BUFFER_BYTES];
static bool ports[65536];
static volatile sig_atomic_t is_stopping;

static void fail(const char *what, int error)
{
	fprintf(stderr, "joiner: %s: %s\n", what, strerror(error));
	exit(2);
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static void watch(int fd, struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl", errno);
}

static void free_connection(struct connection *connection)
{
	for (int i = 0; i < 2; i++) {
		if (connection->fds[i] >= 0)
			close(connection->fds[i]);
		free(connection->buffers[i].data);
	}
	ports[connection->port] = false;
	list_remove(&connection->link);
	free(connection);
}

static int connect_server(uint16_t *ret_port)
{
	static uint16_t next = PORT_FIRST;
	for (int i = 0; i < PORT_LAST - PORT_FIRST; i++) {
		next = next >= PORT_LAST ? PORT_FIRST : next + 1;
		if (ports[next])
			continue;
		struct addr any = server_addr;
		if (any.sa.sa_family == AF_INET)
			any.in.sin_addr.s_addr = 0;
		else
			any.in6.sin6_addr = in6addr_any;
		addr_set_port(&any, next);
		struct socket_source source = { .addr = any };
		int fd = socket_open_from(server_addr.sa.sa_family, SOCK_STREAM, &source);
		if (fd < 0)
			continue;
		socket_send_at_once(fd);
		int result = socket_connect(fd, &server_addr);
		if (result == 0 || result == -EINPROGRESS) {
			*ret_port = next;
			ports[next] = true;
			return fd;
		}
		close(fd);
	}
	return -EADDRNOTAVAIL;
}

static void accept_all(int listener, uint64_t now_ms)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));
		connection->fds[0] = fd;
		connection->fds[1] = connect_server(&connection->port);
		if (connection->fds[1] < 0)
			fail("connect", -connection->fds[1]);
		for (int i = 0; i < 2; i++)
			connection->buffers[i].data = malloc(BUFFER_BYTES);
		connection->join_bytes = random_below(&random_numbers, 2)
						 ? random_below(&random_numbers, (uint32_t)bytes_max + 1)
						 : UINT64_MAX;
		connection->join_ms = now_ms + random_below(&random_numbers, (uint32_t)time_max_ms + 1);
		list_add_last(&all, &connection->link);
		watch(connection->fds[0], connection);
		watch(connection->fds[1], connection);
		counts.accepted++;
	}
}

/* --- relaying ---------------------------------------------------------------------------------------------------- */

/* way: 0 from the client to the server. Returns false when the connection is broken. */
static bool drain(struct connection *connection, int way)
{
	struct buffer *buffer = &connection->buffers[way];
	while (buffer->from < buffer->to) {
		ssize_t sent = send(connection->fds[!way], buffer->data + buffer->from, buffer->to - buffer->from,
				    MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN;
		buffer->from += (size_t)sent;
	}
	if (buffer->has_ended && !buffer->is_shut) {
		buffer->is_shut = true;
		return shutdown(connection->fds[!way], SHUT_WR) == 0;
	}
	return true;
}

static bool pump(struct connection *connection, int way)
{
	struct buffer *buffer = &connection->buffers[way];
	for (;;) {
		if (!drain(connection, way))
			return false;
		if (buffer->from < buffer->to || buffer->has_ended || connection->state != RELAYING)
			return true;
		ssize_t count = recv(connection->fds[way], buffer->data, BUFFER_BYTES, 0);
		if (count < 0)
			return errno == EAGAIN;
		buffer->from = 0;
		buffer->to = (size_t)count;
		buffer->has_ended = count == 0;
		connection->bytes += (uint64_t)count;
	}
}

static bool is_over(const struct connection *connection)
{
	return connection->buffers[0].is_shut && connection->buffers[1].is_shut;
}

/* --- joining ----------------------------------------------------------------------------------------------------- */

static bool fill_addresses(struct connection *connection, struct flow_slot *slot)
{
	struct endpoint client = socket_peer_endpoint(connection->fds[0]);
	struct endpoint listen = socket_local_endpoint(connection->fds[0]);
	struct endpoint local = socket_local_endpoint(connection->fds[1]);
	struct endpoint server = socket_peer_endpoint(connection->fds[1]);
	struct route_answer to_client;
	struct route_answer to_server;
	if (route_find(&routes, &client, &listen, &to_client) < 0 ||
	    route_find(&routes, &server, &local, &to_server) < 0)
		return false;
	slot->version = endpoint_is_ipv4(&client) ? 4 : 6;
	slot->protocol = IPPROTO_TCP;
	flow_side_set_source(&slot->sides[FLOW_TO_SERVER], &local);
	flow_side_set_dest(&slot->sides[FLOW_TO_SERVER], &server);
	flow_side_set_source(&slot->sides[FLOW_TO_CLIENT], &listen);
	flow_side_set_dest(&slot->sides[FLOW_TO_CLIENT], &client);
	slot->sides[FLOW_TO_SERVER].way_out = flow_way_out(&to_server);
	slot->sides[FLOW_TO_CLIENT].way_out = flow_way_out(&to_client);
	return true;
}

static void fall_asleep(uint32_t ms)
{
	if (ms > 0)
		usleep(ms * 1000);
}

/* Returns false when it has to be tried again, or not at all. */
static bool try_to_join(struct connection *connection)
{
	struct tcp_join_numbers numbers;
	enum tcp_obstacle obstacle;
	for (int way = 0; way < 2; way++) {
		const struct buffer *buffer = &connection->buffers[way];
		if (buffer->from < buffer->to || buffer->has_ended)
			return false;
	}
	int result = tcp_join_read(connection->fds[0], connection->fds[1], &numbers, &obstacle);
	if (result < 0) {
		if (result != -EAGAIN)
			fail("tcp_join_read", -result);
		counts.obstacles[obstacle]++;
		return false;
	}
	connection->slot = flow_table_take(table, &connection->slot_number);
	if (connection->slot == NULL) {
		counts.no_slot++;
		return false;
	}
	fall_asleep(pause_before_ms);
	tcp_join_fill(&numbers, connection->slot);
	if (!fill_addresses(connection, connection->slot) || flow_table_begin(table, connection->slot_number) < 0) {
		counts.no_slot++;
		flow_table_give(table, connection->slot_number);
		connection->slot = NULL;
		return false;
	}
	fall_asleep(pause_after_ms);
	tcp_join_start(&connection->join, &numbers, connection->slot, connection->fds, clock_monotonic_ms());
	return true;
}

static void end_flow(struct connection *connection)
{
	flow_table_end(table, connection->slot_number);
	flow_table_give(table, connection->slot_number);
	free_connection(connection);
}

static void fail_connection(struct connection *connection, const char *why)
{
	if (connection->state >= TAIL)
		counts.failed++;
	if (getenv("JOINER_VERBOSE") != NULL)
		fprintf(stderr, "port %u: %s: %s\n", connection->port, why, strerror(errno));
	for (int i = 0; i < 2; i++)
		socket_reset_on_close(connection->fds[i]);
	if (connection->slot != NULL)
		end_flow(connection);
	else
		free_connection(connection);
}

static void step_tail(struct connection *connection, uint64_t now_ms)
{
	struct tcp_join *join = &connection->join;
	enum tcp_join_state state = tcp_join_step(join, now_ms, scratch, sizeof(scratch));
	if (state == TCP_JOIN_GOES_ON)
		return;
	if (state == TCP_JOIN_FAILED) {
		fail_connection(connection, "tail");
		return;
	}
	connection->state = JOINED;
	connection->fds[0] = connection->fds[1] = -1;
	counts.joined++;
	counts.tails += join->tail_bytes[0] > 0 || join->tail_bytes[1] > 0;
	counts.tail_bytes += join->tail_bytes[0] + join->tail_bytes[1];
	counts.fins_in_tail += join->has_ended[0] + join->has_ended[1];
}

/* Has the end that went this way been acknowledged? */
static bool is_end_acknowledged(const struct connection *connection, enum flow_way way)
{
	const struct flow_side *side = &connection->slot->sides[way];
	const struct flow_side *back = &connection->slot->sides[!way];
	if (connection->join.has_ended[way])
		return true;
	if ((side->tcp_flags & FLOW_TCP_FIN) == 0)
		return false;
	return (int32_t)(back->acked - ((uint32_t)side->bytes + side->seq_delta + 1)) >= 0;
}

static void look_at_joined(struct connection *connection, uint64_t now_ms)
{
	if ((connection->slot->sides[FLOW_TO_SERVER].tcp_flags & FLOW_TCP_SYN) != 0) {
		end_flow(connection); /* its client begins anew */
		return;
	}
	bool is_reset =
		((connection->slot->sides[0].tcp_flags | connection->slot->sides[1].tcp_flags) & FLOW_TCP_RST) != 0;
	bool has_ended = is_end_acknowledged(connection, 0) && is_end_acknowledged(connection, 1);
	if (connection->ended_ms == 0 && (has_ended || is_reset))
		connection->ended_ms = now_ms;
	if (connection->ended_ms != 0 && now_ms - connection->ended_ms >= LINGER_MS)
		end_flow(connection);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static bool is_time_to_join(const struct connection *connection, uint64_t now_ms)
{
	return now_ms >= connection->join_ms || connection->bytes >= connection->join_bytes;
}

static void go_quiet(struct connection *connection, uint64_t now_ms)
{
	connection->state = QUIET;
	connection->quiet_until_ms = now_ms + QUIET_MS;
}

static void stay_in_relay(struct connection *connection, uint64_t now_ms)
{
	connection->state = RELAYING;
	connection->join_bytes = UINT64_MAX;
	connection->join_ms = now_ms + AGAIN_MS;
}

/* Does what can be done now. The connection may be gone afterwards. */
static void step(struct connection *connection, uint64_t now_ms)
{
	if (connection->state == CONNECTING) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		if (getpeername(connection->fds[1], (struct sockaddr *)&peer, &len) < 0)
			return;
		connection->state = RELAYING;
	}
	if (connection->state == RELAYING && is_time_to_join(connection, now_ms))
		go_quiet(connection, now_ms);
	if (connection->state == QUIET) {
		if (!drain(connection, 0) || !drain(connection, 1)) {
			fail_connection(connection, "drain");
			return;
		}
		if (try_to_join(connection))
			connection->state = TAIL;
		else if (now_ms >= connection->quiet_until_ms)
			stay_in_relay(connection, now_ms);
	}
	if (connection->state == RELAYING && (!pump(connection, 0) || !pump(connection, 1))) {
		fail_connection(connection, "relay");
	} else if (connection->state == TAIL) {
		step_tail(connection, now_ms);
	} else if (connection->state == JOINED) {
		look_at_joined(connection, now_ms);
	} else if (is_over(connection)) {
		counts.relayed++;
		free_connection(connection);
	}
}

static void step_all(uint64_t now_ms)
{
	struct list *next;
	for (struct list *link = all.next; link != &all; link = next) {
		next = link->next;
		step(LIST_OWNER(link, struct connection, link), now_ms);
	}
}

static void attach_everywhere(void)
{
	struct interface_list list;
	if (interfaces_read(&list) < 0)
		fail("interfaces", EIO);
	for (size_t i = 0; i < list.count; i++) {
		if (list.interfaces[i].is_loopback)
			continue;
		int result = flow_table_attach(table, &list.interfaces[i]);
		if (result < 0)
			fail(list.interfaces[i].name, -result);
	}
	interfaces_done(&list);
}

static void report(void)
{
	struct flow_table_counts kinds;
	flow_table_read_counts(table, &kinds);
	printf("accepted %lu relayed %lu joined %lu failed %lu no_slot %lu\n", counts.accepted, counts.relayed,
	       counts.joined, counts.failed, counts.no_slot);
	printf("tails %lu bytes %lu fins %lu\n", counts.tails, counts.tail_bytes, counts.fins_in_tail);
	for (enum tcp_obstacle obstacle = TCP_NO_OBSTACLE; obstacle < TCP_OBSTACLE_COUNT; obstacle++) {
		if (counts.obstacles[obstacle] > 0)
			printf("obstacle %s %lu\n", tcp_obstacle_word(obstacle), counts.obstacles[obstacle]);
	}
	for (enum flow_count kind = 0; kind < FLOW_COUNT_COUNT; kind++)
		printf("packets %s %lu\n", flow_count_word(kind), kinds.by_kind[kind]);
	printf("flows %u\n", flow_table_flows(table));
	fflush(stdout);
}

static void stop(int number)
{
	(void)number;
	is_stopping = 1;
}

static int open_listener(const char *text)
{
	const struct socket_keepalive keepalive = { .user_timeout_ms = 60000 };
	struct addr addr;
	const char *problem;
	if (addr_parse(span_from_text(text), &addr, &problem) < 0)
		fail(problem, EINVAL);
	int fd = socket_listen_tcp(&addr, &keepalive);
	if (fd < 0)
		fail(text, -fd);
	return fd;
}

int main(int argc, char **argv)
{
	const char *problem;
	const struct flow_table_settings settings = { .flows_max = FLOWS_MAX };
	if ((argc != 6 && argc != 8) || addr_parse(span_from_text(argv[2]), &server_addr, &problem) < 0)
		fail("usage: joiner LISTEN SERVER SEED BYTES_MAX TIME_MAX_MS [PAUSE_MS PAUSE_MS]", EINVAL);
	random_init_seed(&random_numbers, strtoull(argv[3], NULL, 10));
	bytes_max = strtoull(argv[4], NULL, 10);
	time_max_ms = strtoull(argv[5], NULL, 10);
	if (argc == 8) {
		pause_before_ms = (uint32_t)strtoul(argv[6], NULL, 10);
		pause_after_ms = (uint32_t)strtoul(argv[7], NULL, 10);
	}
	signal(SIGTERM, stop);
	int result = flow_table_open(&settings, &table);
	if (result < 0)
		fail("flow_table_open", -result);
	attach_everywhere();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int listener = open_listener(argv[1]);
	puts("ready");
	fflush(stdout);
	while (!is_stopping) {
		struct epoll_event events[64];
		/* Everything is looked at in each turn: this is no program for many connections. */
		epoll_wait(epoll_fd, events, 64, TURN_MS);
		uint64_t now_ms = clock_monotonic_ms();
		accept_all(listener, now_ms);
		step_all(now_ms);
	}
	report();
	flow_table_close(&table);
	return 0;
}
