/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of endpoints of the admin API: from a request in plain structs to the handler that answers it. Handlers
 * stand in admin_state.c, admin_config.c, admin_servers.c and admin_flows.c. The table is the only source of what there
 * is: GET /v1, the reference page (admin_reference.h) and /openapi.json (admin_openapi.h) are made of it. Control thread.
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

/* A part of a path, or an argument behind the question mark. */
struct admin_parameter {
	const char *name; /* NULL ends the list */
	const char *type; /* as in admin_documents.h; with a '!' behind it the argument has to be given */
	const char *help;
};

struct admin_route {
	const char *method; /* GET includes HEAD */
	const char *path;   /* {pool} stands for a name, see admin_path_parameters */
	void (*handle)(struct admin_request *request, struct admin_answer *answer);
	const char *help;                    /* a line, for GET /v1 */
	const char *details;                 /* for the reference page, in Markdown; NULL: nothing more to say */
	struct admin_parameter arguments[6]; /* the accepted ones; a GET without any ignores all */
	enum admin_body body;
	const char *body_type;         /* its document; NULL: none, or any */
	const char *answer;            /* its type, or with a slash in it its Content-Type: "text/plain" */
	const char *other_answer;      /* another form that it can have, or NULL */
	bool is_creating;              /* it answers 201, not 200 */
	enum admin_status problems[6]; /* besides those that any endpoint may have; 0 ends the list */
};

/* The table, in admin_table.c. */
extern const struct admin_route admin_routes[];
extern const size_t admin_route_count;
extern const struct admin_parameter admin_path_parameters[];

/* How many bytes of body the endpoint takes; 0 when there is no such endpoint or it takes none. */
size_t admin_routes_body_max(const struct admin_request *request);

/* False when the endpoint refuses what comes with this Content-Type, so that its body need not be read. */
bool admin_routes_accept_type(const struct admin_request *request);

/* Finds the endpoint, checks method, type and arguments, and lets it answer. */
void admin_routes_answer(struct admin_request *request, struct admin_answer *ret_answer);

#endif
