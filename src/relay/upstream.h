/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting to servers from where the pool's `source` says: addresses of this machine in turn, or the client's own. What cannot
 * be had (an address that is not here, a port that is taken) makes way for the next: another address, and for a client
 * another port of its address. The worker's thread.
 *
 * A client cannot be itself, and the kernel chooses, where answers would not come back: towards a server of the other
 * family, on a unix socket, on this machine's loopback, or that is a listener of this daemon; and with an address that nobody
 * has (loopback, link-local, multicast).
 */
#ifndef RELAY_UPSTREAM_H
#define RELAY_UPSTREAM_H

#include "base/addr.h"
#include "pool/server.h"

#include <errno.h>
#include <stdbool.h>

struct relay;

struct upstream_request {
	struct server *server; /* entered */
	const struct endpoint *client;
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	/*
	 * It comes from a port that the system gives to nobody (kernel/own_ports.h), and that no flow to this server has in the
	 * kernel, so that it can go on without its socket. When they are used up it gets another one, as others do.
	 */
	bool wants_own_port;
};

/* None of the pool's sources can be used: no fault of the server's, and control is told. Not an errno of connect(2). */
enum { UPSTREAM_NO_SOURCE = -ENXIO };

/*
 * Starts to connect. Returns 0 when connected at once, -EINPROGRESS when the outcome will be known once the descriptor is
 * writable; *ret_fd is set in both cases. Otherwise UPSTREAM_NO_SOURCE or -errno, and no descriptor.
 */
int upstream_connect(struct relay *relay, const struct upstream_request *request, int *ret_fd);

#endif
