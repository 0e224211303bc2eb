/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that wait, first in first out, each with the head that is to be sent in front of it (datagram.h): one behind
 * the other in a chain of chunks, with their lengths before them, so that small ones take little and large ones no more
 * than they are. Chunks come from a slab that all queues of a worker share; a queue without datagrams has none. Length 0
 * is a datagram like others.
 *
 * How much may wait is for the caller to say. One thread, but for the counter.
 */
#ifndef RELAY_DATAGRAM_QUEUE_H
#define RELAY_DATAGRAM_QUEUE_H

#include "base/slab.h"
#include "base/span.h"
#include "stats/counters.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	DATAGRAM_CHUNK_BYTES = 2048,
};

/* What stands before each datagram. */
struct datagram_lengths {
	uint16_t head_bytes;
	uint16_t len; /* without the head */
};

struct datagram_chunks {
	struct slab slab;
	counter taken_bytes; /* by chunks in use; read by control */
};

/* Reserves address space for at most so much. */
void datagram_chunks_init(struct datagram_chunks *chunks, uint64_t bytes_max);
void datagram_chunks_done(struct datagram_chunks *chunks);

/* All zero: empty. */
struct datagram_queue {
	struct datagram_chunk *first_chunk;
	struct datagram_chunk *last_chunk;
	uint32_t read_offset;    /* in the first chunk */
	uint32_t written_offset; /* in the last */
	uint32_t count;
	uint32_t bytes;                /* of all datagrams, without heads */
	uint64_t stored_bytes;         /* all that is kept of them */
	struct datagram_lengths first; /* of the datagram that has waited longest, if there is one */
};

/* What a datagram adds to stored_bytes. */
static inline uint64_t datagram_queue_stored(struct span head, struct span datagram)
{
	return sizeof(struct datagram_lengths) + head.len + datagram.len;
}

/* How many bytes of chunks are needed to store so much more. */
uint64_t datagram_queue_growth(const struct datagram_queue *queue, uint64_t stored_bytes);

/* Each up to 65,535 bytes. Returns false, and changes nothing, when there are not enough chunks. */
bool datagram_queue_put(struct datagram_queue *queue, struct datagram_chunks *chunks, struct span head,
			struct span datagram);

/* Takes the first from a queue that has one: its head, and right behind it the datagram. */
void datagram_queue_take(struct datagram_queue *queue, struct datagram_chunks *chunks, uint8_t *buf);

/* Drops all. Returns how many. */
uint32_t datagram_queue_clear(struct datagram_queue *queue, struct datagram_chunks *chunks);

#endif
