/* SPDX-License-Identifier: Apache-2.0 */
#include "health/health_fixture.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000, TURN_MS = 10 };

/* What the linker puts in the place of clock_gettime (tests/meson.build), and what it had. */
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __real_clock_gettime(clockid_t id, struct timespec *time);

static uint64_t machine_ns, steady_ns; /* the two clocks when they were read last */

int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	int result = __real_clock_gettime(id, time);
	if (id != CLOCK_MONOTONIC)
		return result;
	uint64_t now_ns = (uint64_t)time->tv_sec * CLOCK_NS_PER_S + (uint64_t)time->tv_nsec;
	uint64_t passed_ns = now_ns - machine_ns;
	uint64_t passed_ns_max = (TURN_MS + 1) * CLOCK_NS_PER_MS;
	steady_ns += passed_ns < passed_ns_max ? passed_ns : passed_ns_max;
	machine_ns = now_ns;
	time->tv_sec = (time_t)(steady_ns / CLOCK_NS_PER_S);
	time->tv_nsec = (long)(steady_ns % CLOCK_NS_PER_S);
	return result;
}

void fixture_pass(uint64_t ms)
{
	steady_ns += ms * CLOCK_NS_PER_MS;
}

void fixture_init(struct fixture *fixture)
{
	assert_int_equal(loop_init(&fixture->loop), 0);
	timer_wheel_init(&fixture->wheel, fixture->loop.now_ms);
	fixture->closed_count = 0;
}

void fixture_done(struct fixture *fixture)
{
	assert_int_equal(fixture->wheel.armed_count, 0);
	while (fixture->closed_count > 0)
		fd_close(&fixture->closed_fds[--fixture->closed_count]);
	loop_end_turn(&fixture->loop);
	loop_done(&fixture->loop);
}

void fixture_turn(struct fixture *fixture)
{
	loop_wait(&fixture->loop, timer_wheel_wait_ms(&fixture->wheel, fixture->loop.now_ms, TURN_MS));
	loop_dispatch(&fixture->loop);
	timer_wheel_advance(&fixture->wheel, fixture->loop.now_ms, UINT32_MAX);
	loop_end_turn(&fixture->loop);
}

void fixture_run_for(struct fixture *fixture, uint64_t ms)
{
	uint64_t end_ms = clock_monotonic_ms() + ms;
	while (clock_monotonic_ms() < end_ms)
		fixture_turn(fixture);
}

void fixture_run_until(struct fixture *fixture, const bool *flag)
{
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (!*flag) {
		assert_true(clock_monotonic_ms() < end_ms);
		fixture_turn(fixture);
	}
}

void fixture_run_until_count(struct fixture *fixture, const unsigned int *count, unsigned int wanted)
{
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (*count < wanted) {
		assert_true(clock_monotonic_ms() < end_ms);
		fixture_turn(fixture);
	}
}

struct addr fixture_addr(int family, uint16_t port)
{
	static unsigned int unix_count;
	char text[ADDR_TEXT_BYTES];
	struct addr addr;
	const char *problem = "";
	if (family == AF_UNIX)
		snprintf(text, sizeof(text), "unix:@strait-test-%d-%u", (int)getpid(), unix_count++);
	else
		snprintf(text, sizeof(text), "%s:1", family == AF_INET6 ? "[::1]" : "127.0.0.1");
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	if (family != AF_UNIX)
		addr_set_port(&addr, port);
	return addr;
}

int fixture_listen(struct addr *addr, int type, int backlog)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	assert_true(fd >= 0);
	/* Of datagram sockets, two that may use an address again can be given the same free port. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, &addr->sa, addr->len), 0);
	if (!addr_is_unix(addr))
		assert_int_equal(getsockname(fd, &addr->sa, &addr->len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* A stream socket refuses while it does not listen, a datagram socket what does not come from its peer, here itself. */
struct addr fixture_closed_addr(struct fixture *fixture, int family, int type)
{
	struct addr addr = fixture_addr(family, 0);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_true(fixture->closed_count < FIXTURE_CLOSED_MAX);
	fixture->closed_fds[fixture->closed_count++] = fd;
	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &addr.len), 0);
	if (type == SOCK_DGRAM)
		assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	return addr;
}

/* --- stream servers ---------------------------------------------------------------------------------------------- */

struct stream_connection {
	struct loop_source source;
	struct timer timer;
	struct list link;
	struct loop_deferred removal;
	struct stream_server *server;
	unsigned int part_index;
	bool has_begun;
};

static void free_connection(struct loop_deferred *deferred)
{
	free(LIST_OWNER(deferred, struct stream_connection, removal));
}

static void end_connection(struct stream_connection *connection)
{
	timer_disarm(&connection->server->fixture->wheel, &connection->timer);
	fd_close(&connection->source.fd);
	list_remove(&connection->link);
	loop_defer(&connection->server->fixture->loop, &connection->removal, free_connection);
}

static void play(struct timer *timer, uint64_t now_ms)
{
	struct stream_connection *connection = LIST_OWNER(timer, struct stream_connection, timer);
	struct stream_server *server = connection->server;
	const char *part = server->parts[connection->part_index];
	if (part != NULL) {
		connection->part_index++;
		send(connection->source.fd, part, strlen(part), MSG_NOSIGNAL);
		timer_arm(&server->fixture->wheel, timer, now_ms + server->part_delay_ms);
	} else if (server->closes) {
		end_connection(connection);
	}
}

static void begin(struct stream_connection *connection)
{
	struct stream_server *server = connection->server;
	if (connection->has_begun)
		return;
	connection->has_begun = true;
	timer_arm(&server->fixture->wheel, &connection->timer, server->fixture->loop.now_ms + server->part_delay_ms);
}

static void on_stream(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct stream_connection *connection = LIST_OWNER(source, struct stream_connection, source);
	struct stream_server *server = connection->server;
	if (source->fd < 0)
		return;
	ssize_t len = recv(source->fd, server->received, sizeof(server->received) - 1, 0);
	if (len > 0) {
		server->received[len] = '\0';
		begin(connection);
	} else if (len == 0 || errno != EAGAIN) {
		*(len == 0 ? &server->fin_count : &server->reset_count) += 1;
		end_connection(connection);
	}
}

static void on_accept(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct stream_server *server = LIST_OWNER(source, struct stream_server, source);
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct stream_connection *connection = calloc(1, sizeof(*connection));
	assert_non_null(connection);
	connection->source = (struct loop_source){ .on_event = on_stream, .fd = fd };
	connection->timer.on_expiry = play;
	connection->server = server;
	list_add_last(&server->connections, &connection->link);
	assert_int_equal(loop_add(&server->fixture->loop, &connection->source, EPOLLIN), 0);
	server->accepted_count++;
	if (server->speaks_first)
		begin(connection);
}

void stream_server_start(struct stream_server *server, struct fixture *fixture, int family)
{
	server->fixture = fixture;
	server->addr = fixture_addr(family, 0);
	list_init(&server->connections);
	server->source = (struct loop_source){
		.on_event = on_accept,
		.fd = fixture_listen(&server->addr, SOCK_STREAM, 4096),
	};
	assert_int_equal(loop_add(&fixture->loop, &server->source, EPOLLIN), 0);
}

void stream_server_stop(struct stream_server *server)
{
	fd_close(&server->source.fd);
	while (!list_is_empty(&server->connections))
		end_connection(LIST_OWNER(server->connections.next, struct stream_connection, link));
}

/* --- datagram servers -------------------------------------------------------------------------------------------- */

static void on_datagram(struct loop_source *source, uint32_t events)
{
	(void)events;
	struct datagram_server *server = LIST_OWNER(source, struct datagram_server, source);
	struct addr client = { .len = sizeof(client.un) };
	char buf[64];
	while (recvfrom(source->fd, buf, sizeof(buf), 0, &client.sa, &client.len) >= 0) {
		size_t last = strlen(server->script) - 1;
		char act = server->script[server->received_count < last ? server->received_count : last];
		const char *answer = act == 'y' ? "pong" : act == 'n' ? "nope" : "";
		server->received_count++;
		if (act != '-')
			sendto(source->fd, answer, strlen(answer), 0, &client.sa, client.len);
		if (server->on_datagram != NULL)
			server->on_datagram(server);
		client.len = sizeof(client.un);
	}
}

void datagram_server_start(struct datagram_server *server, struct fixture *fixture, int family)
{
	server->fixture = fixture;
	server->addr = fixture_addr(family, 0);
	server->source = (struct loop_source){
		.on_event = on_datagram,
		.fd = fixture_listen(&server->addr, SOCK_DGRAM, 0),
	};
	assert_int_equal(loop_add(&fixture->loop, &server->source, EPOLLIN), 0);
}

void datagram_server_stop(struct datagram_server *server)
{
	fd_close(&server->source.fd);
}
