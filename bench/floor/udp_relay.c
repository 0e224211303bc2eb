/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What relaying UDP in user space costs at least: a relay that does nothing else. It has sessions with sockets of their own,
 * as strait has, and makes the fewest system calls that are known here, but no limits, timers, counters, records or
 * choice of servers; it tells clients apart by port only and never forgets one.
 *
 *     udp_relay FRONT-ADDRESS SERVER-ADDRESS PORT
 *
 * Two processes share the port. Prints "ready". Runs until killed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <liburing.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM_BYTES = 2048, EVENTS = 256, BUFFER_BYTES = 4 << 20 };

struct session {
	int fd;
	struct sockaddr_in client;
};

/* Datagrams that came, or go, with one call. */
struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	struct sockaddr_in peers[BATCH];
	char bytes[BATCH][DATAGRAM_BYTES];
};

static int epoll_fd, front;
static struct sockaddr_in front_address, server_address;
static struct io_uring ring;
static struct session *sessions[UINT16_MAX + 1]; /* by the client's port */
static struct batch requests, replies;

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		err(1, "setsockopt");
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	set_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
	return fd;
}

static void watch(int fd, struct session *session)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = session };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "epoll_ctl");
}

static void init_batch(struct batch *batch)
{
	for (int i = 0; i < BATCH; i++) {
		batch->pieces[i] = (struct iovec){ batch->bytes[i], DATAGRAM_BYTES };
		batch->messages[i].msg_hdr = (struct msghdr){ .msg_name = &batch->peers[i],
							      .msg_namelen = sizeof(batch->peers[i]),
							      .msg_iov = &batch->pieces[i],
							      .msg_iovlen = 1 };
	}
}

static void set_up(void)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
	int result = io_uring_queue_init_params(BATCH, &ring, &params);
	if (result < 0)
		errx(1, "io_uring: error %d", -result);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	front = open_socket();
	set_option(front, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind(front, (struct sockaddr *)&front_address, sizeof(front_address)) < 0)
		err(1, "bind");
	watch(front, NULL);
	init_batch(&requests);
	init_batch(&replies);
}

static struct session *find_session(const struct sockaddr_in *client)
{
	struct session **place = &sessions[client->sin_port];
	if (*place != NULL)
		return *place;
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		err(1, "calloc");
	*session = (struct session){ .fd = open_socket(), .client = *client };
	if (connect(session->fd, (struct sockaddr *)&server_address, sizeof(server_address)) < 0)
		err(1, "connect");
	watch(session->fd, session);
	return *place = session;
}

static void make_calls(unsigned int count, int *ret_results)
{
	unsigned int head, done = 0;
	struct io_uring_cqe *entry;
	io_uring_submit_and_wait(&ring, count);
	io_uring_for_each_cqe(&ring, head, entry)
	{
		ret_results[entry->user_data] = entry->res;
		done++;
	}
	io_uring_cq_advance(&ring, done);
}

static void pass_requests(void)
{
	int results[BATCH];
	for (int i = 0; i < BATCH; i++) {
		requests.pieces[i].iov_len = DATAGRAM_BYTES;
		requests.messages[i].msg_hdr.msg_namelen = sizeof(requests.peers[i]);
	}
	int count = recvmmsg(front, requests.messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		const struct session *session = find_session(&requests.peers[i]);
		struct io_uring_sqe *call = io_uring_get_sqe(&ring);
		io_uring_prep_send(call, session->fd, requests.bytes[i], requests.messages[i].msg_len, MSG_DONTWAIT);
		call->user_data = (unsigned int)i;
	}
	if (count > 0)
		make_calls((unsigned int)count, results);
}

/* Of each of these sessions the datagram that is there. */
static void pass_replies(struct session *const *ready, unsigned int count)
{
	int results[BATCH];
	unsigned int came = 0;
	for (unsigned int i = 0; i < count; i++) {
		struct io_uring_sqe *call = io_uring_get_sqe(&ring);
		io_uring_prep_recv(call, ready[i]->fd, replies.bytes[i], DATAGRAM_BYTES, MSG_DONTWAIT);
		call->user_data = i;
	}
	make_calls(count, results);
	for (unsigned int i = 0; i < count; i++) {
		if (results[i] < 0)
			continue;
		replies.pieces[came] = (struct iovec){ replies.bytes[i], (size_t)results[i] };
		replies.peers[came++] = ready[i]->client;
	}
	sendmmsg(front, replies.messages, came, MSG_DONTWAIT);
}

static void turn(void)
{
	struct epoll_event events[EVENTS];
	struct session *ready[EVENTS];
	bool has_requests = false;
	unsigned int ready_count = 0;
	int count = epoll_wait(epoll_fd, events, EVENTS, -1);
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == NULL)
			has_requests = true;
		else
			ready[ready_count++] = events[i].data.ptr;
	}
	for (unsigned int first = 0; first < ready_count; first += BATCH)
		pass_replies(ready + first, ready_count - first < BATCH ? ready_count - first : BATCH);
	if (has_requests)
		pass_requests();
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: udp_relay FRONT-ADDRESS SERVER-ADDRESS PORT");
	front_address = server_address =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])) };
	if (inet_pton(AF_INET, argv[1], &front_address.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &server_address.sin_addr) != 1)
		errx(2, "not an address");
	if (fork() == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_up();
	puts("ready");
	fflush(stdout);
	for (;;)
		turn();
}
