/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP check, also for unix stream sockets: handshake, then `send`, then the answer must contain `expect`. Without
 * `send` the server is expected to speak first; without either the handshake is all.
 */
#include "health/probe_stream.h"

#include <errno.h>

static enum probe_next receive_answer(struct probe *probe)
{
	while (probe->answer_len < PROBE_ANSWER_BYTES_MAX) {
		ssize_t len = recv(probe->source.fd, probe->answer + probe->answer_len,
				   PROBE_ANSWER_BYTES_MAX - probe->answer_len, 0);
		if (len < 0)
			return errno == EAGAIN ? PROBE_WANT_READ : probe_fail_errno(probe, errno);
		if (len == 0)
			return probe_fail(probe, "closed without the expected answer");
		probe->lack = "unexpected or incomplete answer";
		probe->answer_len += (size_t)len;
		if (probe_has_expected(probe))
			return probe_stream_finish(probe);
	}
	return probe_fail(probe, "the answer is not the expected one");
}

static enum probe_next tcp_step(struct probe *probe)
{
	enum probe_next next = probe_stream_send(probe);
	if (next != PROBE_WANT_READ)
		return next;
	if (probe->request.expect.len > 0)
		return receive_answer(probe);
	return probe->sent_len > 0 ? probe_stream_finish(probe) : probe_succeed(probe);
}

const struct probe_kind probe_kind_tcp = { .open = probe_stream_open, .step = tcp_step, .first = PROBE_WANT_WRITE };
