/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include "base/check.h"

#include <string.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096 };

static void *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static size_t taken_bytes(const struct slab *slab)
{
	return ((size_t)slab->capacity + 63) / 64 * sizeof(uint64_t);
}

void slab_init(struct slab *slab, size_t object_bytes, uint32_t capacity)
{
	CHECK(object_bytes >= 16 && capacity > 0 && capacity < SLAB_NONE);
	*slab = (struct slab){
		.object_bytes = (object_bytes + 15) & ~(size_t)15,
		.capacity = capacity,
		.free_first = SLAB_NONE,
	};
	slab->objects = reserve(slab->object_bytes * capacity);
	slab->taken = reserve(taken_bytes(slab));
}

void slab_done(struct slab *slab)
{
	if (slab->objects == NULL)
		return;
	munmap(slab->objects, slab->object_bytes * slab->capacity);
	munmap(slab->taken, taken_bytes(slab));
	*slab = (struct slab){ 0 };
}

/* A free object holds the index of the next free one in its first bytes. */
static uint32_t take_index(struct slab *slab)
{
	if (slab->free_first == SLAB_NONE)
		return slab->touched_count++;
	uint32_t index = slab->free_first;
	memcpy(&slab->free_first, slab_at(slab, index), sizeof(uint32_t));
	return index;
}

void *slab_take(struct slab *slab)
{
	if (slab_is_full(slab))
		return NULL;
	uint32_t index = take_index(slab);
	slab->taken[index / 64] |= UINT64_C(1) << index % 64;
	slab->taken_count++;
	return slab_at(slab, index);
}

void slab_give(struct slab *slab, void *object)
{
	uint32_t index = slab_index(slab, object);
	CHECK((slab->taken[index / 64] >> index % 64 & 1) == 1);
	slab->taken[index / 64] &= ~(UINT64_C(1) << index % 64);
	slab->taken_count--;
	memcpy(object, &slab->free_first, sizeof(uint32_t));
	slab->free_first = index;
}

void slab_give_large(struct slab *slab, void *object, uint32_t warm_max)
{
	/* The free list is kept in the first bytes. */
	uintptr_t begin = ((uintptr_t)object + sizeof(uint32_t) + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	uintptr_t end = ((uintptr_t)object + slab->object_bytes) & ~(uintptr_t)(PAGE_BYTES - 1);
	slab_give(slab, object);
	if (slab->taken_count > warm_max && begin < end)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void *slab_next(const struct slab *slab, uint32_t *index)
{
	uint32_t words = (slab->touched_count + 63) / 64;
	uint32_t word = *index / 64;
	if (word >= words)
		return NULL;
	uint64_t bits = slab->taken[word] & UINT64_MAX << *index % 64;
	while (bits == 0) {
		if (++word >= words)
			return NULL;
		bits = slab->taken[word];
	}
	*index = word * 64 + (uint32_t)__builtin_ctzll(bits);
	return slab_at(slab, *index);
}
