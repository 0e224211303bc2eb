/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server for the tests, on TCP and UDP at one address, or on a unix socket. One process, so that it can be
 * killed, stopped and continued like a real one.
 *
 *   server MODE ADDRESS PORT NAME          server MODE unix:PATH 0 NAME
 *
 *   echo      sends back what comes
 *   port      TCP as echo; a datagram is sent back with a space and the sender's port behind it
 *   name      answers every message with "NAME PEER-PORT\n", except "ping", which is answered with "pong\n"
 *   peer      answers every message with "PEER-ADDRESS PEER-PORT\n"
 *   picky     as name, but only messages that begin with "who"
 *   late      UDP as picky, 30 ms after the message
 *   discard   reads and forgets; a TCP connection is closed when the client has finished
 *   mute      TCP as discard; UDP is read and never answered
 *
 * Prints "ready" once it listens, and the number of open TCP connections as "open N" whenever it gets SIGUSR1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_ECHO, MODE_NAME, MODE_DISCARD, MODE_MUTE, MODE_PORT, MODE_PEER, MODE_PICKY, MODE_LATE };
enum { BUFFER_BYTES = 65536, DESCRIPTORS_MAX = 32768, LATE_MS = 30, LATE_MAX = 4096 };

struct connection {
	char *unsent;
	size_t unsent_bytes;
	struct sockaddr_storage peer;
};

static enum mode mode;
static const char *name;
static int loop, tcp_fd = -1, udp_fd = -1, open_count;
static struct connection connections[DESCRIPTORS_MAX];
static char buffer[BUFFER_BYTES];
static volatile sig_atomic_t report_wanted;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int fd, uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	if (epoll_ctl(loop, operation, fd, &event) < 0)
		die("epoll_ctl");
}

static int port_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

static const char *host_of(const struct sockaddr_storage *address)
{
	static char text[INET6_ADDRSTRLEN];
	const void *ip = &((const struct sockaddr_in *)address)->sin_addr;
	if (address->ss_family == AF_INET6)
		ip = &((const struct sockaddr_in6 *)address)->sin6_addr;
	return inet_ntop(address->ss_family, ip, text, sizeof text);
}

/* What to answer to a message of `bytes` in the buffer; the answer stands in the buffer afterwards. */
static ssize_t answer(ssize_t bytes, const struct sockaddr_storage *peer)
{
	if (mode == MODE_ECHO || mode == MODE_PORT)
		return bytes;
	if (mode == MODE_PEER)
		return snprintf(buffer, sizeof buffer, "%s %d\n", host_of(peer), port_of(peer));
	if ((mode == MODE_PICKY || mode == MODE_LATE) && (bytes < 3 || memcmp(buffer, "who", 3) != 0))
		return -1;
	if (mode != MODE_NAME && mode != MODE_PICKY && mode != MODE_LATE)
		return -1;
	if (bytes >= 4 && memcmp(buffer, "ping", 4) == 0)
		return snprintf(buffer, sizeof buffer, "pong\n");
	return snprintf(buffer, sizeof buffer, "%s %d\n", name, port_of(peer));
}

static ssize_t answer_datagram(ssize_t bytes, const struct sockaddr_storage *peer)
{
	if (mode != MODE_PORT)
		return answer(bytes, peer);
	return bytes + snprintf(buffer + bytes, sizeof buffer - (size_t)bytes, " %d", port_of(peer));
}

static void connection_close(int fd)
{
	free(connections[fd].unsent);
	connections[fd] = (struct connection){ 0 };
	open_count--;
	close(fd);
}

/* Sends, keeping what does not fit; reading stops until it has gone. False when the connection is lost. */
static bool connection_send(int fd, const char *data, size_t bytes)
{
	struct connection *c = &connections[fd];
	ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return false;
	size_t done = sent < 0 ? 0 : (size_t)sent;
	if (done == bytes)
		return true;
	c->unsent_bytes = bytes - done;
	c->unsent = malloc(c->unsent_bytes);
	if (!c->unsent)
		die("malloc");
	memcpy(c->unsent, data + done, c->unsent_bytes);
	watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
	return true;
}

static void connection_flush(int fd)
{
	struct connection *c = &connections[fd];
	char *data = c->unsent;
	size_t bytes = c->unsent_bytes;
	c->unsent = NULL;
	c->unsent_bytes = 0;
	bool alive = !data || connection_send(fd, data, bytes);
	free(data);
	if (!alive)
		connection_close(fd);
	else if (!c->unsent)
		watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

static void connection_read(int fd)
{
	struct connection *c = &connections[fd];
	for (int turn = 0; turn < 16 && !c->unsent; turn++) {
		ssize_t bytes = recv(fd, buffer, sizeof buffer, 0);
		if (bytes < 0 && errno == EAGAIN)
			return;
		if (bytes <= 0) {
			connection_close(fd);
			return;
		}
		ssize_t reply = answer(bytes, &c->peer);
		if (reply > 0 && !connection_send(fd, buffer, (size_t)reply)) {
			connection_close(fd);
			return;
		}
	}
}

static void accept_all(void)
{
	for (;;) {
		struct sockaddr_storage peer = { 0 };
		socklen_t length = sizeof peer;
		int fd = accept4(tcp_fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (fd >= DESCRIPTORS_MAX)
			die("too many connections");
		connections[fd] = (struct connection){ .peer = peer };
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		open_count++;
		watch(fd, EPOLLIN, EPOLL_CTL_ADD);
	}
}

/* Messages that wait for their answers, in the order of their times. */
static struct late {
	struct sockaddr_storage peer;
	socklen_t length;
	int64_t due_ms;
} late[LATE_MAX];
static unsigned late_first, late_end;

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void postpone(const struct sockaddr_storage *peer, socklen_t length)
{
	if (late_end - late_first == LATE_MAX)
		die("too many late answers");
	late[late_end++ % LATE_MAX] = (struct late){ *peer, length, now_ms() + LATE_MS };
}

/* Answers those whose time has come. Returns how long the next one has to wait, in ms; -1: there is none. */
static int answer_late(void)
{
	for (; late_first != late_end; late_first++) {
		struct late *next = &late[late_first % LATE_MAX];
		int64_t left_ms = next->due_ms - now_ms();
		if (left_ms > 0)
			return (int)left_ms;
		memcpy(buffer, "who", 3);
		ssize_t reply = answer(3, &next->peer);
		sendto(udp_fd, buffer, (size_t)reply, 0, (struct sockaddr *)&next->peer, next->length);
	}
	return -1;
}

static void datagrams_read(void)
{
	for (;;) {
		struct sockaddr_storage peer;
		socklen_t length = sizeof peer;
		ssize_t bytes = recvfrom(udp_fd, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
		if (bytes < 0 && errno == EAGAIN)
			return;
		if (bytes < 0)
			continue; /* an ICMP error of an earlier answer */
		ssize_t reply = answer_datagram(bytes, &peer);
		if (reply >= 0 && mode == MODE_LATE)
			postpone(&peer, length);
		else if (reply >= 0)
			sendto(udp_fd, buffer, (size_t)reply, 0, (struct sockaddr *)&peer, length);
	}
}

static int bound(int family, int type, const void *address, socklen_t length)
{
	int fd = socket(family, type | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 4 << 20 }, sizeof(int)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4 << 20 }, sizeof(int));
	if (bind(fd, address, length) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 4096) < 0)
		die("listen");
	watch(fd, EPOLLIN, EPOLL_CTL_ADD);
	return fd;
}

static void listen_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	tcp_fd = bound(AF_UNIX, SOCK_STREAM, &address, sizeof address);
}

static void listen_inet(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
	if (getaddrinfo(host, port, &hints, &found) != 0)
		die("address");
	tcp_fd = bound(found->ai_family, SOCK_STREAM, found->ai_addr, found->ai_addrlen);
	udp_fd = bound(found->ai_family, SOCK_DGRAM, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
}

static void on_signal(int number)
{
	(void)number;
	report_wanted = 1;
}

static void turn(void)
{
	struct epoll_event events[256];
	int count = epoll_wait(loop, events, 256, answer_late());
	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;
		if (fd == tcp_fd)
			accept_all();
		else if (fd == udp_fd)
			datagrams_read();
		else if (connections[fd].unsent)
			connection_flush(fd);
		else
			connection_read(fd);
	}
	if (report_wanted) {
		report_wanted = 0;
		printf("open %d\n", open_count);
	}
}

static enum mode mode_of(const char *word)
{
	static const char *const words[] = { "echo", "name", "discard", "mute", "port", "peer", "picky", "late" };
	for (int i = 0; i < 8; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum mode)i;
	die("unknown mode");
	return MODE_ECHO;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr,
			"usage: server echo|name|discard|mute|port|peer|picky|late ADDRESS|unix:PATH PORT NAME\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, on_signal);
	mode = mode_of(argv[1]);
	name = argv[4];
	loop = epoll_create1(0);
	if (strncmp(argv[2], "unix:", 5) == 0)
		listen_unix(argv[2] + 5);
	else
		listen_inet(argv[2], argv[3]);
	printf("ready\n");
	for (;;)
		turn();
}
