/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests on their way to servers. Each session has a socket of its own, so single datagrams of different sessions are
 * collected and sent with one system call (call_batch.h). What was collected has to be flushed before the datagrams'
 * memory is used again. The worker's thread.
 */
#ifndef RELAY_UDP_REQUEST_H
#define RELAY_UDP_REQUEST_H

#include "net/call_batch.h"
#include "net/datagram.h"

#include <stdint.h>

struct relay;
struct udp_session;

struct udp_request {
	struct udp_session *session;
	const struct datagram *datagram;
};

struct udp_requests {
	uint32_t count;
	struct udp_request all[CALL_BATCH_MAX];
};

/* Collects a single datagram; what became of it is told by udp_session_note_sent. */
void udp_request_add(struct udp_session *session, const struct datagram *datagram);

/* Sends all that are collected. */
void udp_request_flush(struct relay *relay);

#endif
