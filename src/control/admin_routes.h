/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin API answers: the table of endpoints and their handlers, from a request in plain structs to an answer
 * in plain structs. Knows no sockets and no HTTP library. Control thread.
 *
 * Every error is a problem document (RFC 9457) of type about:blank: {"type","title","status","detail"}.
 */
#ifndef CONTROL_ADMIN_ROUTES_H
#define CONTROL_ADMIN_ROUTES_H

#include "control/daemon.h"

#include <stddef.h>

enum { ADMIN_ARGUMENTS_MAX = 8 };

enum admin_status {
	ADMIN_OK = 200,
	ADMIN_BAD_REQUEST = 400,
	ADMIN_UNAUTHORIZED = 401,
	ADMIN_FORBIDDEN = 403,
	ADMIN_NOT_FOUND = 404,
	ADMIN_METHOD_NOT_ALLOWED = 405,
	ADMIN_CONTENT_TOO_LARGE = 413,
	ADMIN_UNAVAILABLE = 503,
};

/* One of ?name=value; value is never NULL. */
struct admin_argument {
	const char *name;
	const char *value;
};

struct admin_request {
	const struct daemon *daemon;
	const char *method;
	const char *path; /* percent-decoded */
	struct admin_argument arguments[ADMIN_ARGUMENTS_MAX];
	size_t argument_count;
	bool has_body;
	bool has_too_many_arguments;
};

struct admin_answer {
	enum admin_status status;
	const char *type;  /* Content-Type */
	const char *allow; /* value of the Allow header, or NULL */
	char *body;        /* heap: whoever receives the answer releases it */
	size_t body_bytes;
};

/* Finds the endpoint, checks method and arguments, and lets it answer. */
void admin_routes_answer(const struct admin_request *request, struct admin_answer *ret_answer);

/* detail: one sentence for people, without anything that the client sent. */
void admin_routes_refuse(enum admin_status status, const char *detail, struct admin_answer *ret_answer);

#endif
