/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span is a pointer and a length: text or bytes owned by somebody else, not terminated by a zero.
 * Whoever made the span keeps the memory alive while it is in use. Any thread.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *data;
	size_t len;
};

static inline struct span span_from_text(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static inline bool span_equals(struct span span, const char *text)
{
	return strlen(text) == span.len && (span.len == 0 || memcmp(span.data, text, span.len) == 0);
}

/* Copies as much as fits into buf and terminates it; returns false when the span had to be cut. */
static inline bool span_copy(struct span span, char *buf, size_t buf_bytes)
{
	size_t len = span.len < buf_bytes - 1 ? span.len : buf_bytes - 1;
	if (len > 0)
		memcpy(buf, span.data, len);
	buf[len] = '\0';
	return len == span.len;
}

#endif
