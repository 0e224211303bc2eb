/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"
#include "server.h"

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 << 10 };

/* A client's connection: where it stands in its request, and what it has yet to be sent. */
struct tcp_peer {
	int fd;
	uint32_t header_bytes; /* received */
	struct tcp_request request;
	uint32_t missing_bytes; /* of the request, after its header */
	uint64_t unsent_bytes;
};

void tcp_peer_accept(int listener_fd, struct wait_set *set)
{
	int fd;
	while ((fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct tcp_peer *peer = calloc(1, sizeof(*peer));
		if (!peer)
			err(1, "memory");
		peer->fd = fd;
		wait_set_add(set, fd, peer);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(1, "accept4");
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* Takes the next piece of the header, or of the body. Returns its length. */
static size_t consume_piece(struct tcp_peer *peer, const uint8_t *from, size_t len)
{
	if (peer->header_bytes == sizeof(peer->request)) {
		uint32_t taken = smaller(peer->missing_bytes, len);
		peer->missing_bytes -= taken;
		return taken;
	}
	uint32_t taken = smaller(sizeof(peer->request) - peer->header_bytes, len);
	memcpy((uint8_t *)&peer->request + peer->header_bytes, from, taken);
	peer->header_bytes += taken;
	if (peer->header_bytes == sizeof(peer->request))
		peer->missing_bytes = peer->request.request_bytes - (uint32_t)sizeof(peer->request);
	return taken;
}

static void consume(struct tcp_peer *peer, const uint8_t *from, size_t len)
{
	while (len > 0) {
		size_t taken = consume_piece(peer, from, len);
		from += taken;
		len -= taken;
		if (peer->header_bytes == sizeof(peer->request) && peer->missing_bytes == 0) {
			peer->unsent_bytes += peer->request.response_bytes;
			peer->header_bytes = 0;
		}
	}
}

static bool send_answers(struct tcp_peer *peer)
{
	static const uint8_t zeros[BUFFER_BYTES];
	while (peer->unsent_bytes > 0) {
		ssize_t sent = send(peer->fd, zeros, smaller(peer->unsent_bytes, sizeof(zeros)), MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN;
		peer->unsent_bytes -= (uint64_t)sent;
	}
	return true;
}

/* False when the connection is over. */
static bool receive_requests(struct tcp_peer *peer)
{
	static uint8_t buffer[BUFFER_BYTES];
	ssize_t got;
	do {
		got = recv(peer->fd, buffer, sizeof(buffer), 0);
		if (got <= 0)
			return got < 0 && errno == EAGAIN;
		consume(peer, buffer, (size_t)got);
	} while (got == sizeof(buffer));
	return true;
}

void tcp_peer_handle_event(struct tcp_peer *peer, uint32_t events)
{
	const uint32_t readable = EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
	if ((!(events & readable) || receive_requests(peer)) && send_answers(peer) && !(events & EPOLLRDHUP))
		return;
	close(peer->fd);
	free(peer);
}
