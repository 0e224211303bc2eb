/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY headers of datagrams, version 2. The specification (as clarified in 2026) wants one in every datagram, whole, and
 * each read for itself: nothing is remembered from one to the next, and a datagram without one is never taken for one of
 * the client that an earlier one named. The worker's thread.
 */
#ifndef RELAY_UDP_HEADER_H
#define RELAY_UDP_HEADER_H

#include "relay/udp_listener.h"
#include "relay/udp_session.h"

/*
 * Takes the headers off a batch that was received, where the service wants them, and sets whose each datagram is. One that
 * has no valid header, or has one and must not, is refused and then of nobody: client.family is 0.
 */
void udp_header_take_all(struct udp_listener *listener, struct datagram_batch *batch);

/* Puts headers before datagrams on their way to the session's server, if it wants them. */
void udp_header_put(const struct udp_session *session, struct datagram *datagrams, uint32_t count);

#endif
