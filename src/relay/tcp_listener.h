/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepting connections of one service on one listening socket of one worker. When descriptors run out the listener
 * pauses: clients wait in the kernel's queue, and accepting goes on when some are free again.
 */
#ifndef RELAY_TCP_LISTENER_H
#define RELAY_TCP_LISTENER_H

#include "relay/relay.h"

struct tcp_listener {
	struct loop_source source;
	struct timer resume; /* armed: paused */
	struct relay *relay;
	struct service *service;
	uint32_t accept_turn; /* the last turn in which there was an event */
	bool is_shared;       /* other workers wait on the same socket (unix sockets) */
};

/* Takes over fd when it returns 0; else -errno. */
int tcp_listener_open(struct tcp_listener *listener, struct relay *relay, struct service *service, int fd);

/* Accepts what is waiting in the kernel's queue, then closes the socket. */
void tcp_listener_close(struct tcp_listener *listener);

#endif
