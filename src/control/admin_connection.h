/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of one admin listener: who is at their other ends, how long each may take, and who has to go when
 * there are too many. The sockets are the HTTP library's; one that has to go is shut down, and the library closes it.
 *
 * A connection waits until its request is there whole, also between two requests, and is busy until the answer has been
 * taken. One that waits has no claim: a newcomer takes the place of the oldest of them, of its own peer when that has
 * ADMIN_PEER_CONNECTIONS_MAX, else of the peer that has most. So clients that say nothing, or a byte now and then, lock
 * nobody out. One that is busy is never sent away for a newcomer, and as one peer can hold only some, neither do slow
 * readers lock out others. A peer is an IPv4 address, an IPv6 network of 64 bits, or, on a unix socket, a user.
 *
 * Control thread.
 */
#ifndef CONTROL_ADMIN_CONNECTION_H
#define CONTROL_ADMIN_CONNECTION_H

#include "control/admin_answer.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	ADMIN_CONNECTIONS_MAX = 64, /* of a listener */
	ADMIN_PEER_CONNECTIONS_MAX = 32,
};

struct MHD_Connection;

struct admin_source {
	uint8_t family;
	uint8_t ip[16]; /* or the user */
};

struct admin_connections {
	struct list all; /* oldest first; not those that were sent away */
};

struct admin_connection {
	struct list link;
	struct timer deadline;
	struct timer_wheel *wheel;
	void *listener;
	struct MHD_Connection *http_connection;
	struct list postponed_link; /* the listener's */
	int fd;                     /* the library's */
	bool is_busy;
	struct admin_source source;
	struct admin_peer peer;
};

void admin_connections_init(struct admin_connections *connections);

/* Sends somebody away if need be. Returns false when a connection from there cannot be taken. */
bool admin_connections_make_room(struct admin_connections *connections, const struct addr *client, int fd);

/* A connection that waits. It is the caller's to end, once, when the library has closed it. */
struct admin_connection *admin_connection_begin(struct admin_connections *connections, struct timer_wheel *wheel,
						const struct addr *client, int fd);
void admin_connection_end(struct admin_connection *connection);

/* It is shut down unless this is called again before then. */
void admin_connection_set_deadline(struct admin_connection *connection, bool is_busy, uint64_t deadline_ms);
/* It may take as long as it likes. */
void admin_connection_clear_deadline(struct admin_connection *connection);

#endif
