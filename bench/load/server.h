/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of `serve`. */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include "wait_set.h"

#include <stdint.h>

struct tcp_peer;

/* Takes all clients that wait, each into the set with its peer as data. */
void tcp_peer_accept(int listener_fd, struct wait_set *set);
/* Reads requests and sends answers as far as the socket goes; frees the peer when it has closed. */
void tcp_peer_handle_event(struct tcp_peer *peer, uint32_t events);

/* Answers or counts datagrams until none is left. */
void udp_server_receive(int fd, uint64_t *count);

#endif
