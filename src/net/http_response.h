/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the answer to one HTTP/1.1 request as it comes in, in pieces of any size (RFC 9112): the status of the final
 * answer and the beginning of its body, with chunked coding undone. Answers of 1xx before it are passed over.
 *
 * Strict: lines end with CR LF, fields are not folded, the length of the body is said once and in one way. Whatever
 * does not fit is malformed, and so is a head that is longer than HTTP_HEAD_BYTES_MAX in all.
 *
 * A plain value of about 25 KiB without pointers; the caller owns it. Pure, no I/O, any thread.
 */
#ifndef NET_HTTP_RESPONSE_H
#define NET_HTTP_RESPONSE_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	HTTP_LINE_BYTES_MAX = 8192,
	HTTP_HEAD_BYTES_MAX = 32768, /* of all heads and trailers together */
	HTTP_BODY_BYTES_MAX = 16384, /* of the body that are kept; more is taken off the wire but not kept */
};

enum http_progress {
	HTTP_HEAD,      /* the final head has not been read to its end */
	HTTP_BODY,      /* status is known, and the body so far */
	HTTP_WHOLE,     /* and that was all of it */
	HTTP_MALFORMED, /* problem says why */
};

enum http_part {
	HTTP_PART_STATUS_LINE,
	HTTP_PART_FIELDS,
	HTTP_PART_BODY, /* of known length, or until the end */
	HTTP_PART_CHUNK_SIZE,
	HTTP_PART_CHUNK,
	HTTP_PART_CHUNK_END,
	HTTP_PART_TRAILERS,
};

struct http_response {
	enum http_progress progress;
	enum http_part part;
	const char *problem; /* a phrase for people that lives for ever; NULL unless malformed */
	unsigned int status;
	bool has_status; /* the final head was read to its end; holds also when what follows is malformed */
	uint64_t left;   /* of the body or the chunk */
	uint64_t head_len;
	bool is_answer_to_head;
	bool is_http_1_0;
	bool has_length;
	bool is_chunked;
	size_t line_len;
	size_t body_len;
	char line[HTTP_LINE_BYTES_MAX];
	char body[HTTP_BODY_BYTES_MAX];
};

/* method: of the request; the answer to HEAD has no body. */
void http_response_init(struct http_response *response, const char *method);

/* Takes the next bytes; those behind the end of the answer are ignored. */
enum http_progress http_response_feed(struct http_response *response, struct span bytes);

/* Nothing more will come. Never HTTP_HEAD or HTTP_BODY. */
enum http_progress http_response_finish(struct http_response *response);

#endif
