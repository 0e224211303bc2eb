/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API's listeners: HTTP on the `admin` addresses of the configuration. Everything runs on the control thread,
 * inside its loop, so that endpoints read and change the daemon without a lock: libmicrohttpd is driven through its
 * epoll descriptor and a timer.
 *
 * Bounds: connections, in all and of each peer, see admin_connection.h; ADMIN_REQUEST_BYTES_MAX for the request line and
 * headers; ADMIN_REQUEST_MS for them to arrive (also between two requests), ADMIN_BODY_MS for a body, ADMIN_ANSWER_MS for
 * the answer to be taken. A body is read only where an endpoint takes one, up to its bound (admin_routes.c), and only from
 * those who may ask; all bodies of a listener together have at most ADMIN_BODIES_BYTES_MAX. When descriptors run out,
 * accepting pauses for ADMIN_PAUSE_MS. An answer that goes on has bounds of its own (admin_stream.h); it ends at the
 * stop, and when its listener is no longer wanted.
 *
 * Which requests are sound is decided in admin_headers.h, who may ask in admin_policy.h, what is answered in
 * admin_routes.h, what is told of it in admin_audit.h. Requests that the library cannot read it answers itself, with a
 * short constant HTML page and without our headers, and closes (docs/security.md).
 */
#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

#include "control/daemon.h"

enum {
	ADMIN_REQUEST_BYTES_MAX = 16 * 1024,
	ADMIN_REQUEST_MS = 10 * 1000,
	ADMIN_BODY_MS = 30 * 1000,
	ADMIN_ANSWER_MS = 30 * 1000,
	ADMIN_BODIES_BYTES_MAX = 32 * 1024 * 1024,
	ADMIN_PAUSE_MS = 100,
	ADMIN_LEAVE_MS = 5000,     /* for the answers of a listener that is no longer wanted */
	ADMIN_LEAVE_LOOK_MS = 100, /* how often it is looked whether they have been taken */
	ADMIN_TOKEN_BYTES_MAX = 1024,
};

struct admin;

struct admin_error {
	const struct config_admin *admin; /* the directive that failed */
	const char *what;                 /* "listen", "read the token file", ...: what could not be done */
};

/* Without listeners. The daemon stays the caller's. */
struct admin *admin_new(struct daemon *daemon);

/*
 * Makes ready what a configuration wants: opens listeners that are not there, and reads all token files anew. Changes
 * nothing that others see. Returns 0 and a change that is to be committed or abandoned; or -errno and what failed.
 */
struct admin_change;
int admin_prepare(struct admin *admin, const struct config *config, struct admin_change **ret_change,
		  struct admin_error *ret_error);
void admin_abandon(struct admin_change *change);

/*
 * Listeners that were opened accept from the next turn of daemon->loop on; those no longer wanted are closed, once the
 * answers that are under way have been sent. May be called from inside a handler.
 */
void admin_commit(struct admin *admin, struct admin_change *change);

/* Closes everything. Not from inside a handler. Accepts NULL; clears the pointer. */
void admin_free(struct admin **admin);

#endif
