/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges streams of known bytes over many connections and says which of them did not arrive whole.
 *
 * usage: exchange serve PORT [6]
 *        exchange call HOST PORT CONNECTIONS AT_A_TIME BYTES_MAX SEED
 *
 * The caller of a connection chooses everything at random, and tells the server in its first bytes: how many bytes go each
 * way, whether both send whenever they can or take turns, pauses, and who ends its stream first. The server may speak
 * before it was told anything. Both check every byte that comes, and that the end comes after the last one. The caller
 * prints one line: connections, those that failed, the longest time without progress in milliseconds, and how many were
 * without for over one and over three seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK_BYTES = 16384,
	STUCK_MS = 90000,
	GREETING_BYTES_MAX = 200,
	PAUSE_MS_MAX = 60,
};

/* What the caller chooses. */
struct plan {
	uint64_t seed;
	uint32_t to_server; /* bytes, besides this */
	uint32_t to_caller;
	uint32_t turn_bytes; /* 0: no turns */
	uint8_t pauses;      /* of 16 chunks */
	uint8_t caller_ends_last;
	uint8_t server_ends_last;
	uint8_t zero;
};

struct stream {
	uint64_t seed;
	uint64_t count; /* that have passed */
	uint64_t total;
	bool has_ended;
};

struct exchange {
	int fd;
	bool is_caller;
	struct plan plan;
	struct stream out;
	struct stream in;
	unsigned int random;
	uint64_t paused_until_ms;
	uint64_t progress_ms;
	uint64_t longest_ms;
	const char *problem;
};

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Every eight bytes of a stream are a number that its seed and their place make. */
static uint8_t byte_at(uint64_t seed, uint64_t place)
{
	uint64_t number = (place / 8 + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return (uint8_t)((number ^ number >> 31) >> place % 8 * 8);
}

static void fill(const struct stream *stream, uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = byte_at(stream->seed, stream->count + i);
}

static bool is_right(const struct stream *stream, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != byte_at(stream->seed, stream->count + i))
			return false;
	}
	return true;
}

/* --- one connection ---------------------------------------------------------------------------------------------- */

/* How far it may send: with turns, one turn more than it has had from the other side. */
static uint64_t allowance(const struct exchange *exchange)
{
	uint32_t turn = exchange->plan.turn_bytes;
	if (turn == 0)
		return exchange->out.total;
	uint64_t turns = exchange->in.count / turn + (exchange->is_caller || exchange->in.has_ended ? 1 : 0);
	bool is_last = exchange->in.has_ended || exchange->in.count == exchange->in.total;
	return is_last || turns * turn > exchange->out.total ? exchange->out.total : turns * turn;
}

static bool ends_last(const struct exchange *exchange)
{
	return exchange->is_caller ? exchange->plan.caller_ends_last : exchange->plan.server_ends_last;
}

static bool wants_to_end(const struct exchange *exchange)
{
	return !exchange->out.has_ended && exchange->out.count == exchange->out.total &&
	       (!ends_last(exchange) || exchange->in.has_ended);
}

static bool wants_to_send(const struct exchange *exchange)
{
	return exchange->out.count < allowance(exchange) || wants_to_end(exchange);
}

static void take_a_pause(struct exchange *exchange)
{
	if (rand_r(&exchange->random) % 16 < exchange->plan.pauses)
		exchange->paused_until_ms = now_ms() + (unsigned int)rand_r(&exchange->random) % PAUSE_MS_MAX;
}

static bool send_some(struct exchange *exchange)
{
	uint8_t bytes[CHUNK_BYTES];
	uint64_t left = allowance(exchange) - exchange->out.count;
	size_t count = 1 + (size_t)rand_r(&exchange->random) % CHUNK_BYTES;
	if (left == 0) {
		exchange->out.has_ended = true;
		return shutdown(exchange->fd, SHUT_WR) == 0;
	}
	if (count > left)
		count = left;
	fill(&exchange->out, bytes, count);
	ssize_t sent = send(exchange->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN;
	exchange->out.count += (size_t)sent;
	exchange->progress_ms = now_ms();
	take_a_pause(exchange);
	return true;
}

static bool receive_some(struct exchange *exchange)
{
	uint8_t bytes[CHUNK_BYTES];
	ssize_t count = recv(exchange->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (count < 0)
		return errno == EAGAIN;
	exchange->progress_ms = now_ms();
	exchange->problem = NULL;
	if (count == 0) {
		exchange->in.has_ended = true;
		exchange->problem = exchange->in.count < exchange->in.total ? "ended early" : NULL;
		return exchange->problem == NULL;
	}
	if (exchange->in.count + (size_t)count > exchange->in.total)
		exchange->problem = "too many bytes";
	else if (!is_right(&exchange->in, bytes, (size_t)count))
		exchange->problem = "wrong bytes";
	exchange->in.count += (size_t)count;
	return exchange->problem == NULL;
}

static void note_wait(struct exchange *exchange, bool was_paused)
{
	uint64_t waited = now_ms() - exchange->progress_ms;
	if (was_paused)
		exchange->progress_ms = now_ms();
	else if (waited > exchange->longest_ms)
		exchange->longest_ms = waited;
}

/* Returns false when it failed; the problem says how. */
static bool run(struct exchange *exchange)
{
	exchange->progress_ms = now_ms();
	while (!exchange->in.has_ended || !exchange->out.has_ended) {
		uint64_t now = now_ms();
		bool is_paused = now < exchange->paused_until_ms;
		struct pollfd poller = { .fd = exchange->fd };
		poller.events = (short)((exchange->in.has_ended ? 0 : POLLIN) |
					(!is_paused && wants_to_send(exchange) ? POLLOUT : 0));
		int wait_ms = is_paused ? (int)(exchange->paused_until_ms - now) : 1000;
		poll(&poller, 1, wait_ms);
		note_wait(exchange, is_paused);
		exchange->problem = "broken";
		if ((poller.revents & POLLOUT) != 0 && !send_some(exchange))
			return false;
		if ((poller.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !exchange->in.has_ended &&
		    !receive_some(exchange))
			return false;
		exchange->problem = "stuck";
		if (now_ms() - exchange->progress_ms > STUCK_MS)
			return false;
	}
	return true;
}

static void set_streams(struct exchange *exchange)
{
	const struct plan *plan = &exchange->plan;
	struct stream to_server = { .seed = plan->seed, .total = plan->to_server };
	struct stream to_caller = { .seed = ~plan->seed, .total = plan->to_caller };
	exchange->out = exchange->is_caller ? to_server : to_caller;
	exchange->in = exchange->is_caller ? to_caller : to_server;
}

static bool receive_whole(int fd, void *bytes, size_t count)
{
	return recv(fd, bytes, count, MSG_WAITALL) == (ssize_t)count;
}

static void prepare(int fd)
{
	int one = 1;
	struct timeval limit = { .tv_sec = STUCK_MS / 1000 };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* --- server ------------------------------------------------------------------------------------------------------ */

static bool greet(int fd, unsigned int *random)
{
	uint8_t greeting[1 + GREETING_BYTES_MAX] = { 0 };
	greeting[0] = (uint8_t)(rand_r(random) % GREETING_BYTES_MAX);
	return send(fd, greeting, 1 + (size_t)greeting[0], MSG_NOSIGNAL) == 1 + greeting[0];
}

static void *serve_one(void *argument)
{
	struct exchange exchange = { .fd = (int)(intptr_t)argument };
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	getpeername(exchange.fd, (struct sockaddr *)&peer, &len);
	exchange.random = (unsigned int)now_ms() ^ ntohs(((struct sockaddr_in *)&peer)->sin_port) * 7919U;
	prepare(exchange.fd);
	bool is_first = rand_r(&exchange.random) % 2 == 0;
	bool is_good = !is_first || greet(exchange.fd, &exchange.random);
	is_good = is_good && receive_whole(exchange.fd, &exchange.plan, sizeof(exchange.plan));
	is_good = is_good && (is_first || greet(exchange.fd, &exchange.random));
	set_streams(&exchange);
	if (!is_good || !run(&exchange))
		fprintf(stderr, "serving port %u: %s: in %lu of %lu, out %lu of %lu: %s\n",
			ntohs(((struct sockaddr_in *)&peer)->sin_port), is_good ? exchange.problem : "no plan",
			exchange.in.count, exchange.in.total, exchange.out.count, exchange.out.total, strerror(errno));
	close(exchange.fd);
	return NULL;
}

static void start_thread(void *(*function)(void *), void *argument, pthread_t *ret_thread)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	if (pthread_create(ret_thread, &attributes, function, argument) != 0)
		abort();
	pthread_attr_destroy(&attributes);
}

static int serve(const char *port, bool is_ipv6)
{
	int one = 1;
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int listener = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, is_ipv6 ? (struct sockaddr *)&any6 : (struct sockaddr *)&any4,
		 is_ipv6 ? sizeof(any6) : sizeof(any4)) < 0 ||
	    listen(listener, 1024) < 0) {
		perror("exchange: listen");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		start_thread(serve_one, (void *)(intptr_t)fd, &thread);
		pthread_detach(thread);
	}
}

/* --- callers ----------------------------------------------------------------------------------------------------- */

static struct addrinfo *server;
static uint32_t bytes_max;
static unsigned int seed;
static atomic_int left;
static atomic_int failed, over_1s, over_3s;
static atomic_ulong longest_ms;

/* Small ones more often than large ones. */
static uint32_t any_size(unsigned int *random)
{
	uint32_t limit = bytes_max >> rand_r(random) % 12;
	return limit == 0 ? 0 : (uint32_t)rand_r(random) % limit;
}

static struct plan any_plan(unsigned int *random)
{
	struct plan plan = {
		.seed = (uint64_t)(unsigned int)rand_r(random) << 32 | (unsigned int)rand_r(random),
		.to_server = any_size(random),
		.to_caller = any_size(random),
		.pauses = (uint8_t)(rand_r(random) % 3 == 0 ? rand_r(random) % 9 : 0),
	};
	if (rand_r(random) % 2 == 0)
		plan.turn_bytes = 1 + any_size(random) / 8;
	if (plan.turn_bytes != 0 && plan.to_server / plan.turn_bytes > 200)
		plan.turn_bytes = plan.to_server / 200 + 1;
	int who = rand_r(random) % 3;
	plan.caller_ends_last = who == 1;
	plan.server_ends_last = who == 2;
	return plan;
}

static bool receive_greeting(int fd)
{
	uint8_t greeting[GREETING_BYTES_MAX];
	uint8_t count;
	return receive_whole(fd, &count, 1) && (count == 0 || receive_whole(fd, greeting, count));
}

static void note_longest(uint64_t ms)
{
	unsigned long known = atomic_load(&longest_ms);
	while (ms > known && !atomic_compare_exchange_weak(&longest_ms, &known, ms))
		;
	atomic_fetch_add(&over_1s, ms > 1000);
	atomic_fetch_add(&over_3s, ms > 3000);
}

static void call_one(int number)
{
	struct exchange exchange = { .is_caller = true, .random = seed + (unsigned int)number * 2654435761U };
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	exchange.plan = any_plan(&exchange.random);
	exchange.fd = socket(server->ai_family, SOCK_STREAM, 0);
	bool is_good = connect(exchange.fd, server->ai_addr, server->ai_addrlen) == 0;
	prepare(exchange.fd);
	if (rand_r(&exchange.random) % 4 == 0)
		usleep((unsigned int)rand_r(&exchange.random) % 30000);
	is_good = is_good &&
		  send(exchange.fd, &exchange.plan, sizeof(exchange.plan), MSG_NOSIGNAL) == sizeof(exchange.plan);
	is_good = is_good && receive_greeting(exchange.fd);
	set_streams(&exchange);
	exchange.problem = "no greeting";
	if (!is_good || !run(&exchange)) {
		getsockname(exchange.fd, (struct sockaddr *)&local, &len);
		fprintf(stderr, "call %d port %u: %s: in %lu of %lu, out %lu of %lu, turns of %u: %s\n", number,
			ntohs(((struct sockaddr_in *)&local)->sin_port), exchange.problem, exchange.in.count,
			exchange.in.total, exchange.out.count, exchange.out.total, exchange.plan.turn_bytes,
			strerror(errno));
		atomic_fetch_add(&failed, 1);
	}
	note_longest(exchange.longest_ms);
	close(exchange.fd);
}

static void *call_many(void *argument)
{
	(void)argument;
	for (int number; (number = atomic_fetch_sub(&left, 1)) > 0;)
		call_one(number);
	return NULL;
}

static int call(char **words)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	int connections = atoi(words[2]);
	int at_a_time = atoi(words[3]);
	pthread_t threads[1024];
	if (getaddrinfo(words[0], words[1], &hints, &server) != 0 || at_a_time < 1 || at_a_time > 1024)
		return 2;
	bytes_max = (uint32_t)strtoul(words[4], NULL, 10);
	seed = (unsigned int)strtoul(words[5], NULL, 10);
	atomic_store(&left, connections);
	for (int i = 0; i < at_a_time; i++)
		start_thread(call_many, NULL, &threads[i]);
	for (int i = 0; i < at_a_time; i++)
		pthread_join(threads[i], NULL);
	printf("%d %d %lu %d %d\n", connections, atomic_load(&failed), atomic_load(&longest_ms), atomic_load(&over_1s),
	       atomic_load(&over_3s));
	freeaddrinfo(server);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argc > 3);
	if (argc == 8 && strcmp(argv[1], "call") == 0)
		return call(argv + 2);
	fprintf(stderr, "usage: exchange serve PORT [6] | call HOST PORT CONNECTIONS AT_A_TIME BYTES_MAX SEED\n");
	return 2;
}
