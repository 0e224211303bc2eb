/* SPDX-License-Identifier: Apache-2.0 */
#include "health/probe_stream.h"

#include "net/socket.h"

#include <errno.h>

int probe_stream_open(struct probe *probe)
{
	probe->lack = "no connection";
	int result = probe_connect(probe, SOCK_STREAM);
	if (result < 0 && result != -EINPROGRESS)
		return result;
	socket_reset_on_close(probe->source.fd);
	return 0;
}

static void fin_on_close(int fd)
{
	struct linger linger = { .l_onoff = 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

enum probe_next probe_stream_finish(struct probe *probe)
{
	fin_on_close(probe->source.fd);
	return probe_succeed(probe);
}

/* What is to be sent next. */
static struct span rest_of(const struct probe *probe)
{
	const struct span *preface = &probe->request.preface;
	const struct span *send_span = &probe->request.send;
	size_t sent_len = probe->sent_len;
	if (sent_len < preface->len)
		return (struct span){ preface->data + sent_len, preface->len - sent_len };
	sent_len -= preface->len;
	return (struct span){ send_span->data + sent_len, send_span->len - sent_len };
}

static enum probe_next send_request(struct probe *probe)
{
	for (struct span rest = rest_of(probe); rest.len > 0; rest = rest_of(probe)) {
		ssize_t len = send(probe->source.fd, rest.data, rest.len, MSG_NOSIGNAL);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_WRITE : probe_fail_errno(probe, errno);
		probe->sent_len += (size_t)len;
	}
	return PROBE_WANT_READ;
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
	probe->lack = "no answer";
	return send_request(probe);
}

enum probe_next probe_stream_send(struct probe *probe)
{
	return probe->is_connected ? send_request(probe) : finish_handshake(probe);
}
