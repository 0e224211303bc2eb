/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API's listeners: HTTP on the `admin` addresses of the configuration. Everything runs on the control thread,
 * inside its loop, so that endpoints read and change the daemon without a lock: libmicrohttpd is driven through its
 * epoll descriptor and a timer.
 *
 * Bounds: ADMIN_CONNECTIONS_MAX connections per listener, more are closed at once; ADMIN_REQUEST_BYTES_MAX for the
 * request line and headers; ADMIN_REQUEST_MS for a request to arrive whole (also between two), ADMIN_ANSWER_MS for its
 * answer to be taken. A body is read only where an endpoint takes one, up to its bound (admin_routes.c). When descriptors run out, accepting pauses for ADMIN_PAUSE_MS.
 *
 * Who may ask is decided in admin_policy.h, what is answered in admin_routes.h. Requests that are malformed or too
 * large are answered by the library, with a short text.
 */
#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

#include "control/daemon.h"

enum {
	ADMIN_CONNECTIONS_MAX = 64,
	ADMIN_REQUEST_BYTES_MAX = 16 * 1024,
	ADMIN_REQUEST_MS = 10 * 1000,
	ADMIN_ANSWER_MS = 30 * 1000,
	ADMIN_PAUSE_MS = 100,
	ADMIN_TOKEN_BYTES_MAX = 1024,
};

struct admin;

struct admin_error {
	const struct config_admin *admin; /* the directive that failed */
	const char *what;                 /* "listen", "read the token file", ...: what could not be done */
};

/* Opens the listeners of daemon->config, answers from the next turn of daemon->loop. No admin directive: *ret_admin is
 * NULL. Returns 0 or -errno. */
int admin_new(struct daemon *daemon, struct admin **ret_admin, struct admin_error *ret_error);

/* Closes everything. Not from inside a handler. Accepts NULL; clears the pointer. */
void admin_free(struct admin **admin);

#endif
