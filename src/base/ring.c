/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* A message is its length in 8 bytes and its bytes, filled up to a multiple of 8; it may wrap around the end. */
enum { HEADER_BYTES = 8 };

static size_t round_up(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

void ring_init(struct ring *ring, size_t capacity)
{
	CHECK(capacity >= 4096 && (capacity & (capacity - 1)) == 0);
	memset(ring, 0, sizeof(*ring));
	ring->bytes = malloc(capacity);
	CHECK(ring->bytes != NULL);
	ring->capacity = capacity;
}

void ring_done(struct ring *ring)
{
	free(ring->bytes);
	ring->bytes = NULL;
}

static void copy_in(struct ring *ring, uint64_t at, const void *data, size_t len)
{
	size_t offset = at & (ring->capacity - 1);
	size_t first = len < ring->capacity - offset ? len : ring->capacity - offset;
	memcpy(ring->bytes + offset, data, first);
	memcpy(ring->bytes, (const uint8_t *)data + first, len - first);
}

static void copy_out(const struct ring *ring, uint64_t at, void *data, size_t len)
{
	size_t offset = at & (ring->capacity - 1);
	size_t first = len < ring->capacity - offset ? len : ring->capacity - offset;
	memcpy(data, ring->bytes + offset, first);
	memcpy((uint8_t *)data + first, ring->bytes, len - first);
}

bool ring_put(struct ring *ring, const void *message, size_t len)
{
	CHECK(len > 0 && len <= ring->capacity / 4);
	uint64_t put = atomic_load_explicit(&ring->put_bytes, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&ring->taken_bytes, memory_order_acquire);
	size_t need = HEADER_BYTES + round_up(len);
	if (ring->capacity - (put - taken) < need) {
		uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
		atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
		return false;
	}
	uint64_t header = len;
	copy_in(ring, put, &header, HEADER_BYTES);
	copy_in(ring, put + HEADER_BYTES, message, len);
	atomic_store_explicit(&ring->put_bytes, put + need, memory_order_release);
	return true;
}

size_t ring_take(struct ring *ring, void *buf, size_t buf_bytes)
{
	uint64_t taken = atomic_load_explicit(&ring->taken_bytes, memory_order_relaxed);
	if (taken == atomic_load_explicit(&ring->put_bytes, memory_order_acquire))
		return 0;
	uint64_t len;
	copy_out(ring, taken, &len, HEADER_BYTES);
	copy_out(ring, taken + HEADER_BYTES, buf, len < buf_bytes ? len : buf_bytes);
	atomic_store_explicit(&ring->taken_bytes, taken + HEADER_BYTES + round_up(len), memory_order_release);
	return len;
}
