/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of messages of any length from one thread to another, without a lock: one thread puts, one takes.
 * A full ring refuses the message and counts it, so that the producer never waits.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *bytes;
	size_t capacity;                          /* a power of two */
	alignas(64) _Atomic uint64_t put_bytes;   /* ever; written by the producer */
	_Atomic uint64_t dropped;                 /* messages refused; written by the producer */
	alignas(64) _Atomic uint64_t taken_bytes; /* ever; written by the consumer */
};

/* capacity: bytes, a power of two, at least 4096. Aborts when memory is short. */
void ring_init(struct ring *ring, size_t capacity);
void ring_done(struct ring *ring);

/* Copies the message in. False: no room, and dropped was counted. Producer. len at most capacity / 4. */
bool ring_put(struct ring *ring, const void *message, size_t len);

/* Copies the oldest message out, at most buf_bytes of it. Returns its length, or 0 when the ring is empty. Consumer. */
size_t ring_take(struct ring *ring, void *buf, size_t buf_bytes);

/* How many bytes have gone in, and come out, ever: places in the stream of messages. Any thread. */
static inline uint64_t ring_put_bytes(const struct ring *ring)
{
	return atomic_load_explicit(&ring->put_bytes, memory_order_acquire);
}

static inline uint64_t ring_taken_bytes(const struct ring *ring)
{
	return atomic_load_explicit(&ring->taken_bytes, memory_order_acquire);
}

#endif
