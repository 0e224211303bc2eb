/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a running daemon through its admin API, over TCP or a unix socket. One request at a time, no proxy, no
 * redirects, ADMIN_CLIENT_MS for everything, ADMIN_CLIENT_BYTES_MAX of answer. An answer that goes on is taken piece by
 * piece, for ever, unless nothing comes for ADMIN_CLIENT_SILENT_MS.
 */
#ifndef CLI_ADMIN_CLIENT_H
#define CLI_ADMIN_CLIENT_H

#include "base/addr.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	ADMIN_CLIENT_MS = 5000,
	ADMIN_CLIENT_SILENT_MS = 15 * 1000,
	ADMIN_CLIENT_BYTES_MAX = 64 * 1024 * 1024,
	ADMIN_CLIENT_PROBLEM_BYTES = 256,
	ADMIN_CLIENT_TOKEN_BYTES_MAX = 1024,
};

/* Where to ask, and with what. */
struct admin_client {
	struct addr addr;
	char token[ADMIN_CLIENT_TOKEN_BYTES_MAX + 1]; /* empty: none */
};

struct admin_client_answer {
	long status; /* of HTTP */
	char *body;  /* heap, with a zero behind it */
	size_t body_bytes;
};

/*
 * Finds the daemon: `wanted` (an address; may be NULL), else the first admin address of the configuration in `path`
 * (may be NULL), else that of the default file, else the default address; `token_path` (may be NULL) names the file
 * with the token, else the configuration does. Returns 0, or an exit code; then it has said what is wrong on stderr.
 */
int admin_client_find(const char *wanted, const char *path, const char *token_path, struct admin_client *ret_client);

/* What to ask. */
struct admin_client_request {
	const char *method;
	const char *path;    /* percent-encoded, with arguments */
	const char *body;    /* JSON; NULL: none */
	uint64_t timeout_ms; /* 0: ADMIN_CLIENT_MS */
	/* Takes an answer that goes on, unless it is a refusal; false ends it. NULL: the answer is wanted whole. */
	bool (*on_piece)(void *owner, struct span piece);
	void *owner;
	const char *last_event_id; /* NULL: none */
};

/*
 * Returns 0, with an answer of any status, at the end of one that goes on; or -ECONNREFUSED, -ETIMEDOUT or -EPROTO, with a sentence in
 * ret_problem.
 */
int admin_client_ask(const struct admin_client *client, const struct admin_client_request *request,
		     struct admin_client_answer *ret_answer, char ret_problem[ADMIN_CLIENT_PROBLEM_BYTES]);

#endif
