/* SPDX-License-Identifier: Apache-2.0 */
#include "base/byte_stream.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 4096 };

void byte_writer_put(struct byte_writer *writer, const void *value, size_t bytes)
{
	if (bytes == 0)
		return;
	if (writer->capacity - writer->len < bytes) {
		size_t capacity = writer->capacity > 0 ? writer->capacity : CAPACITY_MIN;
		while (capacity - writer->len < bytes)
			capacity *= 2;
		writer->bytes = memory_resize(writer->bytes, capacity, 1);
		writer->capacity = capacity;
	}
	memcpy(writer->bytes + writer->len, value, bytes);
	writer->len += bytes;
}

void byte_writer_done(struct byte_writer *writer)
{
	free(writer->bytes);
	*writer = (struct byte_writer){ 0 };
}

struct span byte_reader_take_span(struct byte_reader *reader, size_t bytes)
{
	if (reader->has_failed || reader->left.len < bytes) {
		reader->has_failed = true;
		return (struct span){ "", 0 };
	}
	struct span taken = { reader->left.data, bytes };
	reader->left = (struct span){ reader->left.data + bytes, reader->left.len - bytes };
	return taken;
}

bool byte_reader_take(struct byte_reader *reader, void *value, size_t bytes)
{
	struct span taken = byte_reader_take_span(reader, bytes);
	memset(value, 0, bytes);
	if (taken.len == bytes && bytes > 0)
		memcpy(value, taken.data, bytes);
	return !reader->has_failed;
}
