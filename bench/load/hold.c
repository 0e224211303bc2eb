/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "message.h"
#include "socket.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 10 };

/* Sends and takes the answer, which is as long as the request. 0 or -errno. */
static int exchange(int fd, const void *request, size_t len)
{
	struct udp_message answer;
	int error = socket_wait(fd, POLLOUT);
	if (error)
		return error;
	if (send(fd, request, len, MSG_NOSIGNAL) < 0)
		return -errno;
	error = socket_wait(fd, POLLIN);
	if (error)
		return error;
	return recv(fd, &answer, sizeof(answer), 0) == (ssize_t)len ? 0 : -EPROTO;
}

/* The descriptor belongs to the process until it ends. */
static void open_one(const struct options *options, int kind)
{
	const struct tcp_request tcp = { sizeof(tcp), sizeof(tcp) };
	const struct udp_message udp = { .kind = UDP_ECHO };
	int fd = socket_open(kind);
	int error = socket_connect(fd, &options->address);
	if (!error && kind == SOCK_STREAM)
		error = exchange(fd, &tcp, sizeof(tcp));
	if (kind == SOCK_DGRAM) {
		error = -ETIMEDOUT;
		for (int i = 0; i < TRIES && error == -ETIMEDOUT; i++)
			error = exchange(fd, &udp, sizeof(udp));
	}
	if (error) {
		errno = -error;
		err(1, "a connection or session to hold");
	}
}

static void hold(const struct options *options, int kind)
{
	char discarded[64];
	for (int i = 0; i < (int)options->connections; i++)
		open_one(options, kind);
	printf("{\"command\": \"%s\", \"held\": %d}\n", options->command, (int)options->connections);
	fflush(stdout);
	while (read(STDIN_FILENO, discarded, sizeof(discarded)) > 0)
		;
}

void hold_tcp(const struct options *options)
{
	hold(options, SOCK_STREAM);
}

void hold_udp(const struct options *options)
{
	hold(options, SOCK_DGRAM);
}
