/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP check: `send` goes out as one datagram, and the first datagram that comes back must contain `expect`. It is
 * sent once only: a lost datagram is what rise and fall are for. Silence is a failure like any other, since a UDP
 * "connect" alone cannot fail; so is an ICMP error about it.
 *
 * Each check has a port of its own, so a late answer to the last one cannot be taken for one to this.
 */
#include "health/probe.h"

#include "net/socket.h"

#include <errno.h>

/* Without this a connected socket is told of "port unreachable" only, not of host and network (ip(7), IP_RECVERR). */
static void ask_for_icmp_errors(const struct probe *probe)
{
	int one = 1;
	if (probe->request.addr.sa.sa_family == AF_INET6)
		setsockopt(probe->source.fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	else
		setsockopt(probe->source.fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
}

static int udp_open(struct probe *probe)
{
	if (addr_is_unix(&probe->request.addr))
		return -EAFNOSUPPORT; /* refused by the configuration already */
	int result = socket_connect_datagram(&probe->request.addr, &probe->source.fd);
	if (result < 0)
		return result;
	if (probe_meets_itself(probe))
		return -ECONNREFUSED;
	ask_for_icmp_errors(probe);
	probe->is_connected = true;
	const struct span *send_span = &probe->request.send;
	if (send(probe->source.fd, send_span->data, send_span->len, MSG_NOSIGNAL) < 0)
		return -errno;
	probe->sent_len = send_span->len;
	return 0;
}

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

const struct probe_kind probe_kind_udp = { .open = udp_open, .step = udp_step, .first = PROBE_WANT_READ };
