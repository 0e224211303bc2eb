/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_sink_socket.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	LENGTH_BYTES = 12,     /* of the digits and the blank before a message */
	FULL_RETRY_MS = 50,    /* when the system has no room for a datagram, and may not tell when it has */
	SENDS_PER_FLUSH = 512, /* datagrams */
};

static struct socket_sink *socket_of(struct log_sink *sink)
{
	return LIST_OWNER(sink, struct socket_sink, sink);
}

struct log_sink *log_sink_socket_new(const struct config_log *config, const struct log_sink_kind *kind)
{
	struct socket_sink *socket = memory_alloc_zeroed(1, sizeof(*socket));
	socket->sink.kind = kind;
	socket->sink.fd = -1;
	socket->is_stream = config->sink == CONFIG_LOG_SYSLOG_TCP;
	socket->retry_after_ms = SOCKET_RETRY_FIRST_MS;
	socket->queue = memory_alloc(LOG_SINK_BUFFER_BYTES);
	return &socket->sink;
}

int log_sink_severity(enum config_log_level level)
{
	static const int severities[] = {
		[CONFIG_LEVEL_ERROR] = 3,
		[CONFIG_LEVEL_WARNING] = 4,
		[CONFIG_LEVEL_INFO] = 6,
		[CONFIG_LEVEL_DEBUG] = 7,
	};
	return severities[level];
}

/* --- the queue --------------------------------------------------------------------------------------------------- */

/* The first message: how long its length is written, and how long it is in all. */
struct frame {
	size_t prefix_len;
	size_t len; /* the prefix included */
};

static struct frame first_frame(const struct socket_sink *socket)
{
	const char *begin = socket->queue + socket->start;
	const char *at = begin;
	size_t message_len = 0;
	for (; *at != ' '; at++)
		message_len = message_len * 10 + (size_t)(*at - '0');
	size_t prefix_len = (size_t)(at - begin) + 1;
	return (struct frame){ prefix_len, prefix_len + message_len };
}

static void remove_first(struct socket_sink *socket, size_t frame_len)
{
	CHECK(frame_len <= socket->len);
	socket->start += frame_len;
	socket->len -= frame_len;
	socket->sent = 0;
	if (socket->len == 0)
		socket->start = 0;
}

static uint64_t count_frames(struct socket_sink *socket)
{
	uint64_t count = 0;
	for (; socket->len > 0; count++)
		remove_first(socket, first_frame(socket).len);
	return count;
}

static void queue_bytes(struct socket_sink *socket, const char *bytes, size_t len)
{
	memcpy(socket->queue + socket->start + socket->len, bytes, len);
	socket->len += len;
}

static bool make_room(struct socket_sink *socket, size_t len)
{
	if (len > LOG_SINK_BUFFER_BYTES - socket->len && !socket->sink.is_blocked)
		log_sink_socket_flush(&socket->sink);
	if (len > LOG_SINK_BUFFER_BYTES - socket->len)
		return false;
	if (len > LOG_SINK_BUFFER_BYTES - socket->start - socket->len) {
		memmove(socket->queue, socket->queue + socket->start, socket->len);
		socket->start = 0;
	}
	return true;
}

void log_sink_socket_put(struct log_sink *sink, const struct span *parts, size_t count)
{
	struct socket_sink *socket = socket_of(sink);
	char prefix[LENGTH_BYTES];
	size_t len = 0;
	CHECK(count <= SOCKET_PARTS_MAX);
	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	size_t prefix_len = (size_t)snprintf(prefix, sizeof(prefix), "%zu ", len);
	if (!make_room(socket, prefix_len + len)) {
		log_sink_count_dropped(sink, 1);
		return;
	}
	queue_bytes(socket, prefix, prefix_len);
	for (size_t i = 0; i < count; i++)
		queue_bytes(socket, parts[i].data, parts[i].len);
	sink->has_unwritten = true;
}

/* --- the connection ---------------------------------------------------------------------------------------------- */

static void break_connection(struct socket_sink *socket)
{
	fd_close(&socket->sink.fd);
	socket->is_connecting = false;
	socket->sent = 0;
	socket->retry_at_ms = clock_monotonic_ms() + socket->retry_after_ms;
	socket->retry_after_ms *= 2;
	if (socket->retry_after_ms > SOCKET_RETRY_LAST_MS)
		socket->retry_after_ms = SOCKET_RETRY_LAST_MS;
}

static int open_socket(const struct socket_sink *socket_sink)
{
	const struct addr *addr = &socket_sink->sink.target.addr;
	int type = socket_sink->is_stream ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && socket_sink->is_stream) {
		int on = 1;
		int send_bytes = SOCKET_SEND_BYTES;
		unsigned int timeout_ms = SOCKET_UNACKNOWLEDGED_MS;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	}
	return fd;
}

static void begin_connect(struct socket_sink *socket)
{
	const struct addr *addr = &socket->sink.target.addr;
	socket->sink.fd = open_socket(socket);
	if (socket->sink.fd >= 0 && connect(socket->sink.fd, &addr->sa, addr->len) == 0)
		return;
	if (socket->sink.fd < 0 || errno != EINPROGRESS) {
		break_connection(socket);
		return;
	}
	socket->is_connecting = true;
	socket->connect_deadline_ms = clock_monotonic_ms() + SOCKET_CONNECT_MS;
}

static void end_connect(struct socket_sink *socket)
{
	struct pollfd pollfd = { .fd = socket->sink.fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);
	if (poll(&pollfd, 1, 0) == 1) {
		socket->is_connecting = false;
		getsockopt(socket->sink.fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0)
			break_connection(socket);
	} else if (clock_monotonic_ms() >= socket->connect_deadline_ms) {
		break_connection(socket);
	}
}

/* A log server that went away has closed its end: better found out before a message is sent into the void. */
static bool has_peer_closed(const struct socket_sink *socket)
{
	char byte;
	return socket->is_stream && recv(socket->sink.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Returns true when there is a connection to send on. */
static bool connection_is_ready(struct socket_sink *socket)
{
	struct log_sink *sink = &socket->sink;
	if (sink->fd >= 0 && !socket->is_connecting && has_peer_closed(socket)) {
		socket->retry_after_ms = SOCKET_RETRY_FIRST_MS;
		break_connection(socket);
		socket->retry_at_ms = 0;
	}
	if (sink->fd < 0 && clock_monotonic_ms() >= socket->retry_at_ms)
		begin_connect(socket);
	if (sink->fd >= 0 && socket->is_connecting)
		end_connect(socket);
	return sink->fd >= 0 && !socket->is_connecting;
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

enum send_result { SEND_MORE, SEND_FULL, SEND_BROKEN };

static enum send_result judge_error(int error)
{
	if (error == EINTR)
		return SEND_MORE;
	return error == EAGAIN || error == ENOBUFS ? SEND_FULL : SEND_BROKEN;
}

/* As much as goes at once; whole messages leave the queue. */
static enum send_result send_stream(struct socket_sink *socket)
{
	const char *from = socket->queue + socket->start + socket->sent;
	ssize_t sent = send(socket->sink.fd, from, socket->len - socket->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return judge_error(errno);
	size_t taken = socket->sent + (size_t)sent;
	while (socket->len > 0) {
		size_t frame_len = first_frame(socket).len;
		if (taken < frame_len)
			break;
		remove_first(socket, frame_len);
		taken -= frame_len;
	}
	socket->sent = taken;
	return SEND_MORE;
}

static enum send_result send_datagram(struct socket_sink *socket)
{
	struct frame frame = first_frame(socket);
	const char *message = socket->queue + socket->start + frame.prefix_len;
	size_t len = frame.len - frame.prefix_len;
	ssize_t sent = send(socket->sink.fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* UDP tells here what an ICMP message said of an earlier one; this one has not been sent. */
	if (sent < 0 && errno == ECONNREFUSED && socket->sink.target.sink == CONFIG_LOG_SYSLOG_UDP)
		sent = send(socket->sink.fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EMSGSIZE)
		log_sink_count_dropped(&socket->sink, 1);
	else if (sent < 0)
		return judge_error(errno);
	remove_first(socket, frame.len);
	return SEND_MORE;
}

static enum send_result send_all(struct socket_sink *socket)
{
	enum send_result result = SEND_MORE;
	for (int i = 0; i < SENDS_PER_FLUSH && socket->len > 0 && result == SEND_MORE; i++)
		result = socket->is_stream ? send_stream(socket) : send_datagram(socket);
	return result;
}

static void wait_until(struct log_sink *sink, uint64_t wake_ms)
{
	sink->is_blocked = true;
	sink->wake_ms = wake_ms;
}

void log_sink_socket_flush(struct log_sink *sink)
{
	struct socket_sink *socket = socket_of(sink);
	sink->is_blocked = false;
	sink->wake_ms = 0;
	if (socket->len > 0 && connection_is_ready(socket)) {
		enum send_result result = send_all(socket);
		if (result == SEND_BROKEN)
			break_connection(socket);
		else
			socket->retry_after_ms = SOCKET_RETRY_FIRST_MS;
	}
	sink->has_unwritten = socket->len > 0;
	if (socket->len == 0)
		return;
	if (sink->fd < 0)
		wait_until(sink, socket->retry_at_ms);
	else if (socket->is_connecting)
		wait_until(sink, socket->connect_deadline_ms);
	else
		wait_until(sink, clock_monotonic_ms() + FULL_RETRY_MS);
}

void log_sink_socket_close(struct log_sink *sink)
{
	struct socket_sink *socket = socket_of(sink);
	log_sink_count_dropped(sink, count_frames(socket));
	fd_close(&sink->fd);
	free(socket->queue);
}
