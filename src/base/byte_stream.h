/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values one after the other in memory, as they stand in memory: for files that this program writes and reads again on
 * the same machine. A writer grows its buffer; a reader never reads beyond its bytes: from the first value that is not
 * there on everything is zero and has_failed is set, so that a caller may read on and look once. Any thread, one at a
 * time.
 */
#ifndef BASE_BYTE_STREAM_H
#define BASE_BYTE_STREAM_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_writer {
	uint8_t *bytes; /* heap, the writer's; NULL when nothing was written */
	size_t len;
	size_t capacity;
};

void byte_writer_put(struct byte_writer *writer, const void *value, size_t bytes);
/* Forgets what was written and keeps the buffer. */
static inline void byte_writer_clear(struct byte_writer *writer)
{
	writer->len = 0;
}
void byte_writer_done(struct byte_writer *writer);

#define BYTE_WRITER_PUT(writer, value) byte_writer_put(writer, &(value), sizeof(value))

struct byte_reader {
	struct span left; /* not owned */
	bool has_failed;
};

/* False, and value zero, when there are not so many bytes left. */
bool byte_reader_take(struct byte_reader *reader, void *value, size_t bytes);
/* The next bytes themselves; empty, and failed, when there are not so many. */
struct span byte_reader_take_span(struct byte_reader *reader, size_t bytes);

#define BYTE_READER_TAKE(reader, value) byte_reader_take(reader, &(value), sizeof(value))

#endif
