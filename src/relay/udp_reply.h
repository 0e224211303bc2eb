/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies on their way to clients: collected over a turn from all sessions of a worker, and sent in as few system calls
 * as possible at its end, from the address that each client had asked.
 */
#ifndef RELAY_UDP_REPLY_H
#define RELAY_UDP_REPLY_H

#include "relay/udp_session.h"

/*
 * Receives what the session's server has sent and queues it. Returns the number of datagrams, 0 when there was none, or
 * -errno of an ICMP error.
 */
int udp_reply_receive(struct udp_session *session, uint64_t *ret_bytes);

/* Sends what is queued now. */
void udp_reply_flush(struct relay *relay);

#endif
