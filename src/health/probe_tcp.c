/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP check, also for unix stream sockets: handshake, then `send`, then the answer must contain `expect`. Without
 * `send` the server is expected to speak first; without either the handshake is all.
 *
 * How it ends for the server: after a complete exchange with FIN, like any client. A bare handshake, and whatever
 * failed, is reset: the connection was never used, and thousands of checks leave no TIME_WAIT behind.
 */
#include "health/probe.h"

#include "net/socket.h"

#include <errno.h>

static void fin_on_close(int fd)
{
	struct linger linger = { .l_onoff = 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static int tcp_open(struct probe *probe)
{
	int result = socket_connect_stream(&probe->request.addr, &probe->source.fd);
	if (result < 0 && result != -EINPROGRESS)
		return result;
	socket_reset_on_close(probe->source.fd);
	return 0;
}

static enum probe_next finish_exchange(struct probe *probe)
{
	fin_on_close(probe->source.fd);
	return probe_succeed(probe);
}

static enum probe_next receive_answer(struct probe *probe)
{
	while (probe->answer_len < PROBE_ANSWER_BYTES_MAX) {
		ssize_t len = recv(probe->source.fd, probe->answer + probe->answer_len,
				   PROBE_ANSWER_BYTES_MAX - probe->answer_len, 0);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_READ : probe_fail_errno(probe, errno);
		if (len == 0)
			return probe_fail(probe, "closed without the expected answer");
		probe->answer_len += (size_t)len;
		if (probe_has_expected(probe))
			return finish_exchange(probe);
	}
	return probe_fail(probe, "the answer is not the expected one");
}

static enum probe_next send_request(struct probe *probe)
{
	const struct span *send_span = &probe->request.send;
	while (probe->sent_len < send_span->len) {
		ssize_t len = send(probe->source.fd, send_span->data + probe->sent_len,
				   send_span->len - probe->sent_len, MSG_NOSIGNAL);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_WRITE : probe_fail_errno(probe, errno);
		probe->sent_len += (size_t)len;
	}
	if (probe->request.expect.len > 0)
		return receive_answer(probe);
	return send_span->len > 0 ? finish_exchange(probe) : probe_succeed(probe);
}

static enum probe_next finish_handshake(struct probe *probe)
{
	int error = socket_take_error(probe->source.fd);
	if (error != 0)
		return probe_fail_errno(probe, error);
	/* Without a peer the event was not about this connection but about an earlier one. */
	struct addr peer = { .len = sizeof(peer.un) };
	if (getpeername(probe->source.fd, &peer.sa, &peer.len) < 0)
		return PROBE_WANT_WRITE;
	if (probe_meets_itself(probe))
		return probe_fail_errno(probe, ECONNREFUSED);
	probe->is_connected = true;
	return send_request(probe);
}

static enum probe_next tcp_step(struct probe *probe)
{
	return probe->is_connected ? send_request(probe) : finish_handshake(probe);
}

const struct probe_kind probe_kind_tcp = { .open = tcp_open, .step = tcp_step, .first = PROBE_WANT_WRITE };
