/* SPDX-License-Identifier: Apache-2.0 */
#include "health/probe_datagram.h"

#include "net/socket.h"

#include <errno.h>
#include <sys/uio.h>

/* Without this a connected socket is told of "port unreachable" only, not of host and network (ip(7), IP_RECVERR). */
static void ask_for_icmp_errors(const struct probe *probe)
{
	int one = 1;
	if (probe->request.addr.sa.sa_family == AF_INET6)
		setsockopt(probe->source.fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	else
		setsockopt(probe->source.fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
}

int probe_datagram_open(struct probe *probe)
{
	if (addr_is_unix(&probe->request.addr))
		return -EAFNOSUPPORT; /* refused by the configuration already */
	int result = probe_connect(probe, SOCK_DGRAM);
	if (result < 0)
		return result;
	if (probe_meets_itself(probe))
		return -ECONNREFUSED;
	ask_for_icmp_errors(probe);
	probe->is_connected = true;
	probe->lack = "no answer";
	const struct probe_request *request = &probe->request;
	struct iovec pieces[] = { { (void *)(uintptr_t)request->preface.data, request->preface.len },
				  { (void *)(uintptr_t)request->send.data, request->send.len } };
	ssize_t sent = writev(probe->source.fd, pieces, 2);
	if (sent < 0)
		return -errno;
	probe->sent_len = (size_t)sent;
	return 0;
}
