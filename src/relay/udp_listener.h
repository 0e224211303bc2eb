/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving the datagrams of one service on one socket of one worker and handing them to their sessions. The socket
 * also carries the replies, so it stays open until the last of its sessions has ended.
 */
#ifndef RELAY_UDP_LISTENER_H
#define RELAY_UDP_LISTENER_H

#include "relay/relay.h"

struct udp_listener {
	struct loop_source source;
	struct relay *relay;
	struct service *service;
	struct endpoint bound; /* what it listens on; a wildcard listener's ip is all zero (or ::ffff:0.0.0.0) */
	int family;            /* of the socket */
	uint64_t session_count;
	bool takes_trains;
};

/* Takes over fd when it returns 0; else -errno. */
int udp_listener_open(struct udp_listener *listener, struct relay *relay, struct service *service, int fd);

/* Passes on what has arrived, and the replies that wait, before the listener is closed. */
void udp_listener_finish(struct udp_listener *listener);

/* All sessions have ended. */
void udp_listener_close(struct udp_listener *listener);

#endif
