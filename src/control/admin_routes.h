/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of endpoints of the admin API: from a request in plain structs to the handler that answers it. Handlers
 * stand in admin_state.c, admin_config.c, admin_servers.c and admin_flows.c. Control thread.
 *
 * Changes are made by POST, PUT, PATCH and DELETE only, with a body of type application/json (a web page of somebody
 * else cannot send that without asking first); admin_audit.h tells of them.
 */
#ifndef CONTROL_ADMIN_ROUTES_H
#define CONTROL_ADMIN_ROUTES_H

#include "control/admin_answer.h"

enum admin_body {
	ADMIN_BODY_NONE,
	ADMIN_BODY_JSON,          /* an object, or nothing */
	ADMIN_BODY_CONFIGURATION, /* in JSON or as text */
};

struct admin_route {
	const char *method; /* GET includes HEAD */
	const char *path;   /* * stands for a name */
	void (*handle)(struct admin_request *request, struct admin_answer *answer);
	enum admin_body body;
	const char *arguments[5]; /* the accepted ones, NULL at the end; a GET without any ignores all */
	const char *help;         /* a line, for GET / */
	const char *details;      /* for the reference page, in Markdown; NULL: nothing more to say */
};

extern const struct admin_route admin_routes[];
extern const size_t admin_route_count;

/* How many bytes of body the endpoint takes; 0 when there is no such endpoint or it takes none. */
size_t admin_routes_body_max(const struct admin_request *request);

/* False when the endpoint refuses what comes with this Content-Type, so that its body need not be read. */
bool admin_routes_accept_type(const struct admin_request *request);

/* Finds the endpoint, checks method, type and arguments, and lets it answer. */
void admin_routes_answer(struct admin_request *request, struct admin_answer *ret_answer);

#endif
