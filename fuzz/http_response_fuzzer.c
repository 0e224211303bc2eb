/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes must be read to their end, within bounds, and alike in one piece and in small ones. The first byte chooses
 * the method and the size of the pieces.
 */
#include "base/check.h"
#include "net/http_response.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void response_check(const struct http_response *response)
{
	CHECK(response->body_len <= HTTP_BODY_BYTES_MAX);
	CHECK(response->line_len <= HTTP_LINE_BYTES_MAX);
	CHECK((response->progress == HTTP_MALFORMED) == (response->problem != NULL));
	CHECK(response->has_status || response->progress == HTTP_HEAD || response->progress == HTTP_MALFORMED);
	CHECK(!response->has_status || (response->status >= 200 && response->status <= 599));
	CHECK(response->has_status || response->body_len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct http_response whole, pieces;
	if (len == 0)
		return 0;
	const char *method = (data[0] & 1) != 0 ? "HEAD" : "GET";
	size_t piece_len = (size_t)(data[0] >> 1) + 1;
	struct span text = { (const char *)data + 1, len - 1 };
	http_response_init(&whole, method);
	http_response_init(&pieces, method);
	http_response_feed(&whole, text);
	for (size_t at = 0; at < text.len; at += piece_len) {
		size_t left = text.len - at;
		http_response_feed(&pieces, (struct span){ text.data + at, left < piece_len ? left : piece_len });
		response_check(&pieces);
	}
	response_check(&whole);
	CHECK(whole.progress == pieces.progress);
	CHECK(whole.has_status == pieces.has_status);
	CHECK(!whole.has_status || whole.status == pieces.status);
	CHECK(whole.body_len == pieces.body_len);
	CHECK(memcmp(whole.body, pieces.body, whole.body_len) == 0);
	enum http_progress end = http_response_finish(&whole);
	CHECK(end == HTTP_WHOLE || end == HTTP_MALFORMED);
	return 0;
}
