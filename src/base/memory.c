/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory_check(void *memory, size_t count, size_t item_bytes)
{
	if (memory == NULL) {
		fprintf(stderr, "strait: out of memory (%zu x %zu bytes wanted)\n", count, item_bytes);
		abort();
	}
	return memory;
}

void *memory_alloc(size_t bytes)
{
	return memory_check(malloc(bytes > 0 ? bytes : 1), 1, bytes);
}

void *memory_alloc_zeroed(size_t count, size_t item_bytes)
{
	if (count == 0 || item_bytes == 0)
		return memory_check(calloc(1, 1), 1, 1);
	return memory_check(calloc(count, item_bytes), count, item_bytes);
}

void *memory_resize(void *memory, size_t count, size_t item_bytes)
{
	/* A size of zero would release the block. */
	if (count == 0 || item_bytes == 0)
		return memory_check(realloc(memory, 1), 1, 1);
	return memory_check(reallocarray(memory, count, item_bytes), count, item_bytes);
}

char *memory_copy_text(const char *text)
{
	return text != NULL ? memory_copy_span(span_from_text(text)) : NULL;
}

char *memory_copy_span(struct span span)
{
	char *copy = memory_alloc(span.len + 1);
	if (span.len > 0)
		memcpy(copy, span.data, span.len);
	copy[span.len] = '\0';
	return copy;
}
