/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of HTTP status codes (RFC 9110, section 15): what is accepted as an answer. A plain value of 64 bytes that can
 * be compared bytewise. Any thread.
 */
#ifndef BASE_HTTP_STATUSES_H
#define BASE_HTTP_STATUSES_H

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_STATUS_MIN = 100, HTTP_STATUS_MAX = 599 };

struct http_statuses {
	uint64_t words[(HTTP_STATUS_MAX - HTTP_STATUS_MIN) / 64 + 1];
};

/* first and last from HTTP_STATUS_MIN to HTTP_STATUS_MAX. */
static inline void http_statuses_add(struct http_statuses *statuses, unsigned int first, unsigned int last)
{
	for (unsigned int i = first - HTTP_STATUS_MIN; i <= last - HTTP_STATUS_MIN; i++)
		statuses->words[i / 64] |= UINT64_C(1) << i % 64;
}

/* False also for what is no status code. */
static inline bool http_statuses_has(const struct http_statuses *statuses, unsigned int status)
{
	unsigned int i = status - HTTP_STATUS_MIN;
	return status >= HTTP_STATUS_MIN && status <= HTTP_STATUS_MAX && (statuses->words[i / 64] >> i % 64 & 1) != 0;
}

#endif
