/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections on their way into the kernel. Once a connection has proved long (`offload after=`) its two connections are
 * joined (relay/tcp_join.h, docs/joining.md):
 *
 *   QUIET    it is not read, so that all that was sent is acknowledged at some moment, mostly after one round trip; what is
 *            kept for a slow side is still passed on. Numbers are read again and again. After QUIET_MS it goes on as before,
 *            and is tried again later
 *   JOINING  the kernel carries it; what had still come to the sockets is passed on, and then they are closed
 *
 * Afterwards it is a bare flow (relay/bare_flow.h), and this connection is gone. Where one of its connections has not what the other
 * has (timestamps, SACK, segment sizes), or it has no port of its own, it stays in user space for good.
 *
 * The worker's thread.
 */
#ifndef RELAY_TCP_OFFLOAD_H
#define RELAY_TCP_OFFLOAD_H

#include "relay/tcp_connection.h"
#include "relay/tcp_join.h"

enum tcp_offload_state {
	TCP_OFFLOAD_WAITING, /* not long enough yet, or to be tried again */
	TCP_OFFLOAD_QUIET,
	TCP_OFFLOAD_JOINING,
	TCP_OFFLOAD_NEVER,
};

/* Of a connection that is JOINING; from a slab. */
struct tcp_joining {
	struct tcp_join join;
	struct kernel_flow *kernel;
	struct tcp_connection *connection;
};

/* An established connection has moved something, or its timer has fired: is there anything to be done? */
bool tcp_offload_is_due(const struct tcp_connection *connection);
/* Makes it QUIET. */
void tcp_offload_begin(struct tcp_connection *connection);

/* Does it have another driver than the pump? */
static inline bool tcp_offload_has_begun(const struct tcp_connection *connection)
{
	return connection->offload_state == TCP_OFFLOAD_QUIET || connection->offload_state == TCP_OFFLOAD_JOINING;
}

/*
 * Something has happened at one of its sockets, or its timer has fired. The connection may have ended, have become a bare flow,
 * or be back in user space, where it is driven on.
 */
void tcp_offload_drive(struct tcp_connection *connection);

/* When it wants its timer, of those that it waits for; UINT64_MAX: not for this. */
uint64_t tcp_offload_due_ms(const struct tcp_connection *connection);

/* The connection ends: takes it out of the kernel, and gives it its sockets back. Does nothing to one that is not JOINING. */
void tcp_offload_stop(struct tcp_connection *connection);

#endif
