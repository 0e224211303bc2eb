/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sessions that the kernel carries. A session is moved there when its client has sent something after it got a reply, so
 * a single question and answer cost nothing more. Server and client see the same addresses and ports before and after; the
 * sockets stay open: they reserve the port, take what the program leaves to the stack (fragments, what is too big, ICMP
 * errors), and carry everything again the moment that the session goes back.
 *
 * While a datagram that came before the move is still on its way through user space, one that came after it may overtake it,
 * as UDP may be. The worker's thread.
 */
#ifndef RELAY_UDP_OFFLOAD_H
#define RELAY_UDP_OFFLOAD_H

#include "relay/udp_session.h"

/* For each datagram: is there anything to be done? */
static inline bool udp_offload_is_due(const struct udp_session *session)
{
	return session->kernel == NULL && session->is_verified && session->is_answered &&
	       service_policy(session->service)->offloads[FLOW_UDP] &&
	       session->offload_at_ms <= session->relay->loop->now_ms;
}

/* Moves the session into the kernel, or leaves it and tries again later. */
void udp_offload_begin(struct udp_session *session);
/* Takes it back. Does nothing to a session that is not there. */
void udp_offload_end(struct udp_session *session);

/* Brings the session's counts, and when it was last active, up to date. */
void udp_offload_fold(struct udp_session *session);

#endif
