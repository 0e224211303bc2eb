/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies on their way to clients: collected over a turn from all sessions of a worker, and sent in as few system calls
 * as possible at its end, from the address that each client had asked.
 */
#ifndef RELAY_UDP_REPLY_H
#define RELAY_UDP_REPLY_H

#include "relay/udp_session.h"

/*
 * Takes what the session's server has sent, at once or in udp_reply_receive_all, and queues it for the client;
 * udp_session_note_replies is told.
 */
void udp_reply_take(struct udp_session *session);

/* Takes a datagram of each session that is due, with one system call for many. Once a turn. */
void udp_reply_receive_all(struct relay *relay);

/* The entries of relay->replies from `first` on are for the session's client. */
void udp_reply_queue(struct udp_session *session, uint32_t first);

/* Sends what is queued now. */
void udp_reply_flush(struct relay *relay);

#endif
