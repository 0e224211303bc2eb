/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steady traffic for the tests, in which everything that goes wrong is counted.
 *
 *   steady tcp ADDRESS PORT COUNT         COUNT connections at all times, one after the other as fast as they go: each
 *                                         sends a number, gets it back from an echo server, finishes, and sees the end
 *   steady udp ADDRESS PORT COUNT RATE    COUNT sessions, RATE numbered datagrams a second over all of them, to a
 *                                         server of the mode "port"
 *
 * Prints "ready" when every session has had an answer, or the first connection has ended. USR1 makes it print "so far N"
 * (connections that ended, or datagrams received). TERM makes it finish what was begun and print one JSON line. IPv4
 * only. TCP clients of 127.0.0.0/8 come from many addresses, so that ports in TIME_WAIT do not become scarce.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	COUNT_MAX = 4096,
	SOURCES = 200,
	MESSAGE_BYTES = 16,
	DATAGRAMS_MAX = 1 << 16, /* of one session */
	STUCK_S = 20,
	EVENTS = 256,
};

static struct sockaddr_in server;
static int loop;
static volatile sig_atomic_t is_ending, is_asked;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void watch(int fd, uint32_t events, uint32_t index, int operation)
{
	struct epoll_event event = { .events = events, .data.u32 = index };
	if (epoll_ctl(loop, operation, fd, &event) < 0)
		die("epoll_ctl");
}

static void answer_question(unsigned long long count)
{
	if (!is_asked)
		return;
	is_asked = 0;
	printf("so far %llu\n", count);
}

/* --- TCP --------------------------------------------------------------------------------------------------------- */

enum connection_state { FREE, CONNECTING, ASKED, FINISHED };

struct connection {
	int fd;
	enum connection_state state;
	char question[MESSAGE_BYTES + 1];
	size_t got;
	double begun_s;
};

static struct connection connections[COUNT_MAX];
static struct {
	unsigned long long begun, done, refused, reset, cut_short, wrong, stuck, local;
} tcp;

static void end(struct connection *c, unsigned long long *counter)
{
	close(c->fd);
	c->state = FREE;
	++*counter;
}

static void fail(struct connection *c, int error)
{
	if (error == ECONNREFUSED)
		end(c, &tcp.refused);
	else if (error == ECONNRESET || error == EPIPE)
		end(c, &tcp.reset);
	else
		end(c, &tcp.local);
	if (tcp.refused + tcp.reset + tcp.local <= 10)
		fprintf(stderr, "connection %s: %s\n", c->question, strerror(error));
}

static void bind_source(int fd)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	if (ntohl(server.sin_addr.s_addr) >> 24 != 127)
		return;
	source.sin_addr.s_addr = htonl(0x7f010001 + (uint32_t)(tcp.begun % SOURCES));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
		die("bind");
}

static void begin(uint32_t index)
{
	struct connection *c = &connections[index];
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		die("socket");
	bind_source(c->fd);
	snprintf(c->question, sizeof c->question, "%016llx", ++tcp.begun);
	c->got = 0;
	c->begun_s = now_s();
	c->state = CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
		fail(c, errno);
	else
		watch(c->fd, EPOLLOUT, index, EPOLL_CTL_ADD);
}

static void ask(struct connection *c, uint32_t index)
{
	int error = 0;
	socklen_t length = sizeof error;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error == 0 && send(c->fd, c->question, MESSAGE_BYTES, MSG_NOSIGNAL) != MESSAGE_BYTES)
		error = errno;
	if (error != 0) {
		fail(c, error);
		return;
	}
	c->state = ASKED;
	watch(c->fd, EPOLLIN, index, EPOLL_CTL_MOD);
}

static void receive(struct connection *c)
{
	char answer[MESSAGE_BYTES];
	ssize_t bytes = recv(c->fd, answer, sizeof answer, 0);
	if (bytes < 0 && errno != EAGAIN)
		fail(c, errno);
	else if (bytes == 0)
		end(c, c->state == FINISHED ? &tcp.done : &tcp.cut_short);
	if (bytes <= 0)
		return;
	if (c->got + (size_t)bytes > MESSAGE_BYTES || memcmp(answer, c->question + c->got, (size_t)bytes) != 0) {
		end(c, &tcp.wrong);
		return;
	}
	c->got += (size_t)bytes;
	if (c->got == MESSAGE_BYTES) {
		c->state = FINISHED;
		shutdown(c->fd, SHUT_WR);
	}
}

/* Begins new ones in free places, unless it is the end, and gives up on those that hang. Returns how many there are. */
static uint32_t fill(uint32_t count)
{
	uint32_t open = 0;
	double now = now_s();
	for (uint32_t i = 0; i < count; i++) {
		if (connections[i].state != FREE && now > connections[i].begun_s + STUCK_S)
			end(&connections[i], &tcp.stuck);
		if (connections[i].state == FREE && !is_ending)
			begin(i);
		open += connections[i].state != FREE;
	}
	return open;
}

static void run_tcp(uint32_t count)
{
	bool is_ready = false;
	while (fill(count) > 0 || !is_ending) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(loop, events, EVENTS, 100);
		for (int i = 0; i < ready; i++) {
			struct connection *c = &connections[events[i].data.u32];
			if (c->state == CONNECTING)
				ask(c, events[i].data.u32);
			else if (c->state != FREE)
				receive(c);
		}
		if (!is_ready && tcp.done > 0)
			is_ready = puts("ready") >= 0;
		answer_question(tcp.done);
	}
	printf("{\"begun\": %llu, \"done\": %llu, \"refused\": %llu, \"reset\": %llu, \"short\": %llu, \"wrong\": "
	       "%llu, "
	       "\"stuck\": %llu, \"local\": %llu}\n",
	       tcp.begun, tcp.done, tcp.refused, tcp.reset, tcp.cut_short, tcp.wrong, tcp.stuck, tcp.local);
}

/* --- UDP --------------------------------------------------------------------------------------------------------- */

struct session {
	int fd;
	int port; /* that the server saw first; 0: no answer yet */
	unsigned int sent, highest;
	uint8_t seen[DATAGRAMS_MAX / 8];
};

static struct session sessions[COUNT_MAX];
static uint32_t answered;
static struct {
	unsigned long long sent, received, duplicated, reordered, moved, wrong, errors;
} udp;

static void open_session(uint32_t index)
{
	struct session *s = &sessions[index];
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&server, sizeof server) < 0)
		die("session");
	watch(s->fd, EPOLLIN, index, EPOLL_CTL_ADD);
}

static void send_next(struct session *s)
{
	char message[MESSAGE_BYTES];
	if (s->sent + 1 >= DATAGRAMS_MAX)
		die("too many datagrams");
	int len = snprintf(message, sizeof message, "%u", ++s->sent);
	if (send(s->fd, message, (size_t)len, 0) == len)
		udp.sent++;
	else
		udp.errors++;
}

static void judge(struct session *s, unsigned int number, int port)
{
	uint8_t bit = (uint8_t)(1 << number % 8);
	if (number == 0 || number > s->sent) {
		udp.wrong++;
		return;
	}
	udp.received++;
	if (s->seen[number / 8] & bit)
		udp.duplicated++;
	else if (number < s->highest)
		udp.reordered++;
	s->seen[number / 8] |= bit;
	s->highest = number > s->highest ? number : s->highest;
	if (s->port == 0)
		answered++;
	else if (s->port != port)
		udp.moved++;
	s->port = port;
}

static void receive_all(struct session *s)
{
	char answer[64];
	ssize_t bytes;
	while ((bytes = recv(s->fd, answer, sizeof answer - 1, 0)) > 0) {
		unsigned int number;
		int port;
		answer[bytes] = '\0';
		if (sscanf(answer, "%u %d", &number, &port) == 2)
			judge(s, number, port);
		else
			udp.wrong++;
	}
	if (bytes == 0 || errno != EAGAIN)
		udp.errors++;
}

static void receive_for(int wait_ms)
{
	struct epoll_event events[EVENTS];
	int ready = epoll_wait(loop, events, EVENTS, wait_ms);
	for (int i = 0; i < ready; i++)
		receive_all(&sessions[events[i].data.u32]);
}

/* Sends as many as are due by now. After a pause, of this program itself, what was missed is not made up for. */
static void send_due(uint32_t count, double rate, double *due_s)
{
	static uint32_t turn;
	double now = now_s();
	if (*due_s < now - 0.01)
		*due_s = now - 0.01;
	for (; *due_s < now; *due_s += 1 / rate)
		send_next(&sessions[turn++ % count]);
}

static void run_udp(uint32_t count, double rate)
{
	bool is_ready = false;
	double due_s = now_s();
	for (uint32_t i = 0; i < count; i++)
		open_session(i);
	while (!is_ending) {
		send_due(count, rate, &due_s);
		receive_for(1);
		if (!is_ready && answered == count)
			is_ready = puts("ready") >= 0;
		answer_question(udp.received);
	}
	for (double deadline = now_s() + 5; udp.received - udp.duplicated < udp.sent && now_s() < deadline;)
		receive_for(10);
	/* A duplicate would come about now. */
	for (double deadline = now_s() + 0.3; now_s() < deadline;)
		receive_for(10);
	printf("{\"sent\": %llu, \"received\": %llu, \"lost\": %lld, \"duplicated\": %llu, \"reordered\": %llu, "
	       "\"moved\": %llu, \"wrong\": %llu, \"errors\": %llu}\n",
	       udp.sent, udp.received, (long long)(udp.sent - (udp.received - udp.duplicated)), udp.duplicated,
	       udp.reordered, udp.moved, udp.wrong, udp.errors);
}

static void on_signal(int number)
{
	if (number == SIGUSR1)
		is_asked = 1;
	else
		is_ending = 1;
}

int main(int argc, char **argv)
{
	bool is_tcp = argc == 5 && strcmp(argv[1], "tcp") == 0;
	bool is_udp = argc == 6 && strcmp(argv[1], "udp") == 0;
	uint32_t count = is_tcp || is_udp ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
	if (count == 0 || count > COUNT_MAX) {
		fprintf(stderr, "usage: steady tcp ADDRESS PORT COUNT | udp ADDRESS PORT COUNT RATE\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)atoi(argv[3]));
	if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
		die("address");
	loop = epoll_create1(0);
	if (is_tcp)
		run_tcp(count);
	else
		run_udp(count, strtod(argv[5], NULL));
	return 0;
}
