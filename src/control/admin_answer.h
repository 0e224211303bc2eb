/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and answers of the admin API in plain structs, and how handlers make answers. Knows no sockets and no HTTP
 * library. Control thread.
 *
 * Every error is a problem document (RFC 9457) of type about:blank: {"type","title","status","detail"}, with
 * errors[]{file,line,column,message,hint} where a configuration is at fault.
 */
#ifndef CONTROL_ADMIN_ANSWER_H
#define CONTROL_ADMIN_ANSWER_H

#include "config/diagnostics.h"
#include "control/daemon.h"

#include <jansson.h>
#include <stddef.h>

enum { ADMIN_ARGUMENTS_MAX = 8, ADMIN_NAMES_MAX = 2, ADMIN_NAME_BYTES = 256 };

enum admin_status {
	ADMIN_OK = 200,
	ADMIN_CREATED = 201,
	ADMIN_NOT_MODIFIED = 304,
	ADMIN_BAD_REQUEST = 400,
	ADMIN_UNAUTHORIZED = 401,
	ADMIN_FORBIDDEN = 403,
	ADMIN_NOT_FOUND = 404,
	ADMIN_METHOD_NOT_ALLOWED = 405,
	ADMIN_CONFLICT = 409,
	ADMIN_CONTENT_TOO_LARGE = 413,
	ADMIN_UNSUPPORTED_MEDIA_TYPE = 415,
	ADMIN_EXPECTATION_FAILED = 417,
	ADMIN_UNPROCESSABLE_CONTENT = 422,
	ADMIN_UNAVAILABLE = 503,
};

/* Who asks, as far as the socket tells. */
struct admin_peer {
	char text[ADDR_TEXT_BYTES]; /* "127.0.0.1:4000" or "unix" */
	bool has_credentials;       /* of a unix socket: those of the process that connected */
	uint32_t uid;
	uint32_t pid;
};

/* One of ?name=value; value is never NULL. */
struct admin_argument {
	const char *name;
	const char *value;
};

struct admin_request {
	struct daemon *daemon;
	const char *method;
	const char *path;              /* as the client sent it: percent-encoded, without arguments */
	const char *content_type;      /* NULL: none */
	const char *last_event_id;     /* NULL: none */
	const struct admin_peer *peer; /* NULL: not known */
	const char *accept_encoding;   /* as the next, NULL: no such header */
	const char *if_none_match;
	struct span body;
	struct admin_argument arguments[ADMIN_ARGUMENTS_MAX];
	size_t argument_count;
	bool has_body;                /* the client has sent one, or wants to: body may not be read yet */
	const char *argument_problem; /* one sentence: why the arguments could not be read; NULL: they could */
	/* Filled by admin_routes: the parts of the path that stand for * in the route's, and the body of a JSON route. */
	char names[ADMIN_NAMES_MAX][ADMIN_NAME_BYTES];
	json_t *document; /* an object; NULL: no body */
};

struct admin_stream;

struct admin_answer {
	enum admin_status status;
	const char *type;                    /* Content-Type */
	const char *allow;                   /* value of the Allow header, or NULL */
	const char *content_security_policy; /* NULL: nothing at all is allowed, which suits all but pages */
	const char *cache_control;           /* NULL: nothing is to be kept */
	const char *etag;                    /* or NULL */
	const char *content_encoding;        /* or NULL */
	char *body;                          /* heap: whoever receives the answer releases it */
	size_t body_bytes;
	struct admin_stream *stream; /* NULL, or what is sent in place of a body; whoever receives it ends it */
};

/* The argument's value, or NULL. */
const char *admin_argument(const struct admin_request *request, const char *name);

/*
 * How many things are wanted: the argument `limit`, or what is used where it was not given. Returns false when it is no
 * number, or more than max, which is at most 999999.
 */
bool admin_read_limit(const struct admin_request *request, size_t fallback, size_t max, size_t *ret_limit);

void admin_answer_text(struct admin_answer *answer, const char *text);
/* Takes the reference. */
void admin_answer_json(struct admin_answer *answer, enum admin_status status, json_t *document);

/* detail: one sentence for people, without anything that the client sent. */
void admin_refuse(struct admin_answer *answer, enum admin_status status, const char *detail);
/* The same with everything that is wrong with a configuration; generation: the one that stays in force. */
void admin_refuse_configuration(struct admin_answer *answer, const char *detail, const struct diagnostics *diagnostics,
				uint64_t generation);

/* [{file,line,column,severity,message,hint,accepted}]; a new reference. */
json_t *admin_diagnostics_json(const struct diagnostics *diagnostics);

#endif
