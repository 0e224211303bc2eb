/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/datagram_queue.h"

#include "base/check.h"

#include <assert.h>
#include <string.h>

enum { ROOM = DATAGRAM_CHUNK_BYTES - sizeof(void *) };

struct datagram_chunk {
	struct datagram_chunk *next;
	uint8_t bytes[ROOM];
};
static_assert(sizeof(struct datagram_chunk) == DATAGRAM_CHUNK_BYTES, "it is counted so");

void datagram_chunks_init(struct datagram_chunks *chunks, uint64_t bytes_max)
{
	uint64_t count = bytes_max / DATAGRAM_CHUNK_BYTES;
	*chunks = (struct datagram_chunks){ 0 };
	slab_init(&chunks->slab, sizeof(struct datagram_chunk), count < SLAB_NONE ? (uint32_t)count : SLAB_NONE - 1);
}

void datagram_chunks_done(struct datagram_chunks *chunks)
{
	slab_done(&chunks->slab);
}

/* The slab has been looked at. */
static void append_chunk(struct datagram_queue *queue, struct datagram_chunks *chunks)
{
	struct datagram_chunk *chunk = slab_take(&chunks->slab);
	CHECK(chunk != NULL);
	counter_add(&chunks->taken_bytes, DATAGRAM_CHUNK_BYTES);
	chunk->next = NULL;
	if (queue->last_chunk != NULL)
		queue->last_chunk->next = chunk;
	else
		queue->first_chunk = chunk;
	queue->last_chunk = chunk;
	queue->written_offset = 0;
}

static void drop_first_chunk(struct datagram_queue *queue, struct datagram_chunks *chunks)
{
	struct datagram_chunk *chunk = queue->first_chunk;
	queue->first_chunk = chunk->next;
	if (queue->first_chunk == NULL)
		queue->last_chunk = NULL;
	queue->read_offset = 0;
	slab_give(&chunks->slab, chunk);
	counter_subtract(&chunks->taken_bytes, DATAGRAM_CHUNK_BYTES);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void write_bytes(struct datagram_queue *queue, struct datagram_chunks *chunks, const void *bytes, uint32_t len)
{
	for (uint32_t done = 0; done < len;) {
		if (queue->last_chunk == NULL || queue->written_offset == ROOM)
			append_chunk(queue, chunks);
		uint32_t part = smaller(len - done, ROOM - queue->written_offset);
		memcpy(queue->last_chunk->bytes + queue->written_offset, (const uint8_t *)bytes + done, part);
		queue->written_offset += part;
		done += part;
	}
}

static void read_bytes(struct datagram_queue *queue, struct datagram_chunks *chunks, void *buf, uint32_t len)
{
	for (uint32_t done = 0; done < len;) {
		if (queue->read_offset == ROOM)
			drop_first_chunk(queue, chunks);
		uint32_t part = smaller(len - done, ROOM - queue->read_offset);
		memcpy((uint8_t *)buf + done, queue->first_chunk->bytes + queue->read_offset, part);
		queue->read_offset += part;
		done += part;
	}
}

static void read_lengths(struct datagram_queue *queue, struct datagram_chunks *chunks)
{
	read_bytes(queue, chunks, &queue->first, sizeof(queue->first));
}

uint64_t datagram_queue_growth(const struct datagram_queue *queue, uint64_t stored_bytes)
{
	uint32_t room = queue->last_chunk != NULL ? ROOM - queue->written_offset : 0;
	return stored_bytes > room ? (stored_bytes - room + ROOM - 1) / ROOM * DATAGRAM_CHUNK_BYTES : 0;
}

bool datagram_queue_put(struct datagram_queue *queue, struct datagram_chunks *chunks, struct span head,
			struct span datagram)
{
	uint64_t stored_bytes = datagram_queue_stored(head, datagram);
	uint64_t chunks_left = chunks->slab.capacity - chunks->slab.taken_count;
	struct datagram_lengths lengths = { (uint16_t)head.len, (uint16_t)datagram.len };
	CHECK(head.len <= UINT16_MAX && datagram.len <= UINT16_MAX);
	if (datagram_queue_growth(queue, stored_bytes) / DATAGRAM_CHUNK_BYTES > chunks_left)
		return false;
	write_bytes(queue, chunks, &lengths, sizeof(lengths));
	write_bytes(queue, chunks, head.data, (uint32_t)head.len);
	write_bytes(queue, chunks, datagram.data, (uint32_t)datagram.len);
	queue->count++;
	queue->bytes += (uint32_t)datagram.len;
	queue->stored_bytes += stored_bytes;
	if (queue->count == 1)
		read_lengths(queue, chunks);
	return true;
}

static void drop_all(struct datagram_queue *queue, struct datagram_chunks *chunks)
{
	while (queue->first_chunk != NULL)
		drop_first_chunk(queue, chunks);
	*queue = (struct datagram_queue){ 0 };
}

void datagram_queue_take(struct datagram_queue *queue, struct datagram_chunks *chunks, uint8_t *buf)
{
	uint32_t len = queue->first.head_bytes + queue->first.len;
	CHECK(queue->count > 0);
	read_bytes(queue, chunks, buf, len);
	queue->count--;
	queue->bytes -= queue->first.len;
	queue->stored_bytes -= sizeof(queue->first) + len;
	if (queue->count == 0)
		drop_all(queue, chunks);
	else
		read_lengths(queue, chunks);
}

uint32_t datagram_queue_clear(struct datagram_queue *queue, struct datagram_chunks *chunks)
{
	uint32_t count = queue->count;
	drop_all(queue, chunks);
	return count;
}
