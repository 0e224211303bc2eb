/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header fields of a request that decide anything, collected one by one, and whether they go together. Two programs
 * that read one request differently are how requests are smuggled (RFC 9112, section 11.2), so whatever can be read in
 * two ways is refused: a field that is given twice, a length beside a transfer coding, a name with a blank in it.
 *
 * What stands behind a zero byte in a field the HTTP library has cut off before; it is the same for all who look.
 * Pure. Any thread.
 */
#ifndef CONTROL_ADMIN_HEADERS_H
#define CONTROL_ADMIN_HEADERS_H

#include "control/admin_answer.h"

#include <stdbool.h>
#include <stddef.h>

enum admin_header {
	ADMIN_HEADER_HOST,
	ADMIN_HEADER_ORIGIN,
	ADMIN_HEADER_AUTHORIZATION,
	ADMIN_HEADER_CONTENT_TYPE,
	ADMIN_HEADER_CONTENT_LENGTH,
	ADMIN_HEADER_TRANSFER_ENCODING,
	ADMIN_HEADER_EXPECT,
	ADMIN_HEADER_FETCH_SITE,
	ADMIN_HEADER_FETCH_MODE,
	ADMIN_HEADER_FETCH_DEST,
	ADMIN_HEADER_LAST_EVENT_ID,
	ADMIN_HEADER_COUNT,
};

struct admin_headers {
	const char *values[ADMIN_HEADER_COUNT]; /* NULL: not given. Whoever adds them keeps them. */
	const char *twice;                      /* name of a field that was given more than once, or NULL */
	bool has_bad_name;
};

/* Of fields that decide nothing only the name is looked at. */
void admin_headers_add(struct admin_headers *headers, const char *name, const char *value);

/* Does the client send a body, or announce one? */
bool admin_headers_have_body(const struct admin_headers *headers);
/* 0 when there is none, or one of unknown length. */
size_t admin_headers_body_bytes(const struct admin_headers *headers);

/*
 * target: what the request line asks for. version: "HTTP/1.1". Returns false, and refuses, when the request can be read
 * in more than one way or is no plain HTTP/1.x request to an origin server.
 */
bool admin_headers_check(const struct admin_headers *headers, const char *target, const char *version,
			 struct admin_answer *answer);

#endif
