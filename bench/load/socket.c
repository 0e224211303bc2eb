/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum {
	DATAGRAM_BUFFER_BYTES = 4 << 20, /* bursts wait here */
	WAIT_MS = 200,
};

void socket_set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		err(1, "setsockopt %d %d", level, name);
}

int socket_open(int kind)
{
	int fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	if (kind == SOCK_STREAM)
		socket_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

int socket_connect(int fd, const struct sockaddr_in *address)
{
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EINPROGRESS)
		return 0;
	return -errno;
}

int socket_bind(int kind, const struct sockaddr_in *address)
{
	int fd = socket_open(kind);
	socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	socket_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (kind == SOCK_DGRAM) {
		socket_set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, DATAGRAM_BUFFER_BYTES);
		socket_set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, DATAGRAM_BUFFER_BYTES);
	}
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		err(1, "bind");
	return fd;
}

int socket_wait(int fd, short poll_events)
{
	struct pollfd wanted = { .fd = fd, .events = poll_events };
	int count = poll(&wanted, 1, WAIT_MS);
	if (count < 0)
		return -errno;
	return count > 0 ? 0 : -ETIMEDOUT;
}
