/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New flows, or datagrams, at a steady pace from one source, and what became of them.
 *
 *   rush tcp ADDRESS PORT SOURCE RATE SECONDS         RATE connections a second: each sends a byte to an echo server
 *   rush udp ADDRESS PORT SOURCE RATE SECONDS         RATE sessions a second: each sends a datagram from a new socket
 *   rush datagrams ADDRESS PORT SOURCE RATE SECONDS   RATE datagrams a second over ten sockets
 *
 * Prints "ready", waits for a line on stdin, and in the end prints one JSON line: how many were offered, how many were
 * answered, how long the answers took (microseconds: median, 99th percentile). What has no answer after a second counts as
 * unanswered. IPv4 only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	OPEN_MAX_COUNT = 8192,
	SAMPLES_MAX = 1 << 21,
	SOCKETS = 10,
	EVENTS = 512,
	TIMEOUT_NS = 1000000000,
};

struct
try {
	int fd; /* -1: free */
	bool is_sent;
	uint64_t start_ns;
	struct try *next; /* of the free ones */
};

static struct sockaddr_in server, source;
static struct try tries[OPEN_MAX_COUNT];
static struct try *free_tries;
static int loop;
static bool is_tcp;
static uint64_t offered, answered, overrun;
static uint32_t samples[SAMPLES_MAX];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void end_try(struct try *try)
{
	struct linger reset = { 1, 0 };
	if (is_tcp)
		setsockopt(try->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(try->fd);
	try->fd = -1;
	try->next = free_tries;
	free_tries = try;
}

static void begin_try(void)
{
	struct try *try = free_tries;
	offered++;
	if (try == NULL) {
		overrun++;
		return;
	}
	int one = 1;
	int fd = socket(AF_INET, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	if (is_tcp) {
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (bind(fd, (struct sockaddr *)&source, sizeof(source)) < 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS) {
		if (errno == EADDRNOTAVAIL)
			die("connect");
		close(fd);
		return;
	}
	free_tries = try->next;
	*try = (struct try){ .fd = fd, .start_ns = now_ns() };
	struct epoll_event event = { .events = EPOLLIN | (is_tcp ? EPOLLOUT : 0), .data.ptr = try };
	epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
	if (!is_tcp)
		try->is_sent = send(fd, "x", 1, 0) == 1;
}

static void note_answer(uint64_t start_ns)
{
	if (answered < SAMPLES_MAX)
		samples[answered] = (uint32_t)((now_ns() - start_ns) / 1000);
	answered++;
}

static void on_event(struct try *try, uint32_t events)
{
	char byte;
	if (try->fd < 0)
		return;
	if (events & EPOLLIN) {
		if (recv(try->fd, &byte, 1, 0) == 1)
			note_answer(try->start_ns);
		end_try(try);
	} else if (events & (EPOLLERR | EPOLLHUP)) {
		end_try(try);
	} else if (!try->is_sent) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = try };
		try->is_sent = send(try->fd, "x", 1, MSG_NOSIGNAL) == 1;
		epoll_ctl(loop, EPOLL_CTL_MOD, try->fd, &event);
	}
}

static void look_after(int wait_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(loop, events, EVENTS, wait_ms);
	for (int i = 0; i < count; i++)
		on_event(events[i].data.ptr, events[i].events);
}

static void give_up_old(void)
{
	uint64_t now = now_ns();
	for (int i = 0; i < OPEN_MAX_COUNT; i++)
		if (tries[i].fd >= 0 && now - tries[i].start_ns > TIMEOUT_NS)
			end_try(&tries[i]);
}

static void run_flows(double rate, double seconds)
{
	uint64_t start_ns = now_ns();
	uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9);
	uint64_t looked_ns = start_ns;
	for (uint64_t now = start_ns; now < end_ns; now = now_ns()) {
		uint64_t due = (uint64_t)((double)(now - start_ns) / 1e9 * rate);
		while (offered < due)
			begin_try();
		look_after(1);
		if (now - looked_ns > TIMEOUT_NS / 4) {
			give_up_old();
			looked_ns = now;
		}
	}
	for (int i = 0; i < 1000 && now_ns() - end_ns < TIMEOUT_NS; i++)
		look_after(1);
}

/* Each datagram carries when it was sent. */
static void run_datagrams(double rate, double seconds)
{
	int fds[SOCKETS];
	uint64_t start_ns = now_ns();
	uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9);
	uint64_t sent_ns, now;
	for (int i = 0; i < SOCKETS; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&source, sizeof(source)) < 0 ||
		    connect(fds[i], (struct sockaddr *)&server, sizeof(server)) < 0)
			die("socket");
	}
	while ((now = now_ns()) < end_ns + TIMEOUT_NS / 2) {
		uint64_t due = (uint64_t)((double)(now - start_ns) / 1e9 * rate);
		for (; now < end_ns && offered < due; offered++) {
			sent_ns = now_ns();
			send(fds[offered % SOCKETS], &sent_ns, sizeof(sent_ns), 0);
		}
		for (int i = 0; i < SOCKETS; i++)
			while (recv(fds[i], &sent_ns, sizeof(sent_ns), 0) == sizeof(sent_ns))
				note_answer(sent_ns);
		struct timespec pause = { 0, 200000 };
		nanosleep(&pause, NULL);
	}
}

static int compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static uint32_t percentile(double part)
{
	uint64_t count = answered < SAMPLES_MAX ? answered : SAMPLES_MAX;
	return count > 0 ? samples[(uint64_t)((double)(count - 1) * part)] : 0;
}

int main(int argc, char **argv)
{
	char line[16];
	if (argc != 7)
		return 2;
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])) };
	source = (struct sockaddr_in){ .sin_family = AF_INET };
	if (inet_pton(AF_INET, argv[2], &server.sin_addr) != 1 || inet_pton(AF_INET, argv[4], &source.sin_addr) != 1)
		return 2;
	loop = epoll_create1(0);
	is_tcp = strcmp(argv[1], "tcp") == 0;
	for (int i = 0; i < OPEN_MAX_COUNT; i++) {
		tries[i].fd = -1;
		tries[i].next = free_tries;
		free_tries = &tries[i];
	}
	puts("ready");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 1;
	if (strcmp(argv[1], "datagrams") == 0)
		run_datagrams(atof(argv[5]), atof(argv[6]));
	else
		run_flows(atof(argv[5]), atof(argv[6]));
	qsort(samples, answered < SAMPLES_MAX ? answered : SAMPLES_MAX, sizeof(samples[0]), compare);
	printf("{\"offered\":%llu,\"answered\":%llu,\"overrun\":%llu,\"median_us\":%u,\"p99_us\":%u}\n",
	       (unsigned long long)offered, (unsigned long long)answered, (unsigned long long)overrun, percentile(0.5),
	       percentile(0.99));
	return 0;
}
