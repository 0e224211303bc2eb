/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/echo_server.h"

#include "base/addr.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 256,
	BUFFER_BYTES = 4096,
	NAME_BYTES_MAX = 32,
	DATAGRAM_BYTES_MAX = 65507,
	BACKLOG = 64,
};

struct client {
	int fd;         /* -1: free */
	bool has_ended; /* it will send nothing more */
	size_t start;
	size_t len;
	char buffer[BUFFER_BYTES]; /* read and not yet sent back */
};

struct echo {
	const char *name;
	int listen_fd;
	int udp_fd;
	struct client clients[CLIENTS_MAX];
	struct pollfd pollfds[2 + CLIENTS_MAX];
	char datagram[NAME_BYTES_MAX + 2 + DATAGRAM_BYTES_MAX];
};

static void accept_client(struct echo *echo)
{
	int fd = accept4(echo->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &echo->clients[i];
		if (client->fd >= 0)
			continue;
		*client = (struct client){ .fd = fd };
		client->len = (size_t)snprintf(client->buffer, BUFFER_BYTES, "hello from %s\n", echo->name);
		return;
	}
	close(fd);
}

/* Returns false when the client is gone. */
static bool read_client(struct client *client)
{
	ssize_t bytes = recv(client->fd, client->buffer, BUFFER_BYTES, 0);
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR;
	client->start = 0;
	client->len = (size_t)bytes;
	client->has_ended = bytes == 0;
	return true;
}

static bool write_client(struct client *client)
{
	ssize_t bytes = send(client->fd, client->buffer + client->start, client->len, MSG_NOSIGNAL);
	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR;
	client->start += (size_t)bytes;
	client->len -= (size_t)bytes;
	return true;
}

static void serve_client(struct client *client, short events)
{
	bool is_alive = true;
	if (events != 0 && client->len == 0)
		is_alive = read_client(client);
	if (is_alive && client->len > 0)
		is_alive = write_client(client);
	if (!is_alive || (client->has_ended && client->len == 0))
		fd_close(&client->fd);
}

static void answer_datagram(struct echo *echo)
{
	struct addr client = { .len = sizeof(client) - offsetof(struct addr, sa) };
	int prefix = snprintf(echo->datagram, sizeof(echo->datagram), "%s: ", echo->name);
	ssize_t bytes = recvfrom(echo->udp_fd, echo->datagram + prefix, DATAGRAM_BYTES_MAX - (size_t)prefix,
				 MSG_DONTWAIT, &client.sa, &client.len);
	if (bytes >= 0)
		sendto(echo->udp_fd, echo->datagram, (size_t)(prefix + bytes), MSG_DONTWAIT, &client.sa, client.len);
}

static void serve_once(struct echo *echo)
{
	struct client *polled[CLIENTS_MAX];
	nfds_t count = 2;
	echo->pollfds[0] = (struct pollfd){ .fd = echo->listen_fd, .events = POLLIN };
	echo->pollfds[1] = (struct pollfd){ .fd = echo->udp_fd, .events = POLLIN };
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &echo->clients[i];
		if (client->fd < 0)
			continue;
		polled[count - 2] = client;
		echo->pollfds[count++] = (struct pollfd){ client->fd, client->len > 0 ? POLLOUT : POLLIN, 0 };
	}
	if (poll(echo->pollfds, count, -1) < 0)
		return;
	for (nfds_t i = 2; i < count; i++) {
		if (echo->pollfds[i].revents != 0)
			serve_client(polled[i - 2], echo->pollfds[i].revents);
	}
	if (echo->pollfds[0].revents != 0)
		accept_client(echo);
	if (echo->pollfds[1].revents != 0)
		answer_datagram(echo);
}

/* Ctrl-C reaches the whole group of processes: strait may still have flows to finish, so only it decides. */
static void run(const char *name, int listen_fd, int udp_fd, pid_t parent)
{
	static struct echo echo;
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	echo.name = name;
	echo.listen_fd = listen_fd;
	echo.udp_fd = udp_fd;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		echo.clients[i].fd = -1;
	for (;;)
		serve_once(&echo);
}

/* Returns the descriptor, bound to a free port, or -errno. */
static int open_socket(int type, uint16_t *ret_port)
{
	struct addr addr = { .len = sizeof(addr.in), .in = { .sin_family = AF_INET } };
	addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool is_open = fd >= 0 && bind(fd, &addr.sa, addr.len) == 0 && getsockname(fd, &addr.sa, &addr.len) == 0 &&
		       (type != SOCK_STREAM || listen(fd, BACKLOG) == 0);
	if (!is_open) {
		int error = -errno;
		fd_close(&fd);
		return error;
	}
	*ret_port = addr_port(&addr);
	return fd;
}

int echo_server_start(struct echo_server *server, const char *name)
{
	*server = (struct echo_server){ .name = name };
	pid_t parent = getpid();
	int listen_fd = open_socket(SOCK_STREAM, &server->tcp_port);
	if (listen_fd < 0)
		return listen_fd;
	int udp_fd = open_socket(SOCK_DGRAM, &server->udp_port);
	if (udp_fd < 0) {
		fd_close(&listen_fd);
		return udp_fd;
	}
	/* What is buffered would be written twice. */
	fflush(NULL);
	server->pid = fork();
	if (server->pid == 0)
		run(name, listen_fd, udp_fd, parent);
	int error = server->pid < 0 ? -errno : 0;
	fd_close(&udp_fd);
	fd_close(&listen_fd);
	return error;
}

void echo_server_stop(struct echo_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
		;
	server->pid = 0;
}
