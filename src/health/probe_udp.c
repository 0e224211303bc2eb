/* SPDX-License-Identifier: Apache-2.0 */
/* The UDP check: `send` goes out as one datagram, and the first datagram that comes back must contain `expect`. */
#include "health/probe_datagram.h"

#include <errno.h>

static enum probe_next udp_step(struct probe *probe)
{
	ssize_t len = recv(probe->source.fd, probe->answer, PROBE_ANSWER_BYTES_MAX, 0);
	if (len < 0)
		return errno == EAGAIN ? PROBE_WANT_READ : probe_fail_errno(probe, errno);
	probe->answer_len = (size_t)len;
	if (!probe_has_expected(probe))
		return probe_fail(probe, "the answer is not the expected one");
	return probe_succeed(probe);
}

const struct probe_kind probe_kind_udp = { .open = probe_datagram_open, .step = udp_step, .first = PROBE_WANT_READ };
