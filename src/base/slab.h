/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size in one reserved stretch of address space. Reserving is free: memory is used from the first time
 * an object is taken, and the most recently given back is taken next. Objects have small indexes, so they can be
 * walked through in slices and named in 32 bits. One thread.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
	uint8_t *objects;
	uint64_t *taken;     /* a bit for each object */
	size_t object_bytes; /* a multiple of 16 */
	uint32_t capacity;
	uint32_t touched_count; /* objects ever taken: the first ones */
	uint32_t taken_count;
	uint32_t free_first; /* index of the object given back last, SLAB_NONE when there is none */
};

#define SLAB_NONE UINT32_MAX

/* Aborts when address space is short. object_bytes at least 16; capacity below SLAB_NONE. */
void slab_init(struct slab *slab, size_t object_bytes, uint32_t capacity);
void slab_done(struct slab *slab);

/* An object with undefined contents, or NULL when all are taken. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);
/*
 * For objects of many pages: gives also the memory back to the system, all but the first page, when more than warm_max other
 * objects are taken; fewer are worth keeping, because they will be taken again.
 */
void slab_give_large(struct slab *slab, void *object, uint32_t warm_max);

static inline bool slab_is_full(const struct slab *slab)
{
	return slab->taken_count == slab->capacity;
}

static inline void *slab_at(const struct slab *slab, uint32_t index)
{
	return slab->objects + (size_t)index * slab->object_bytes;
}

static inline uint32_t slab_index(const struct slab *slab, const void *object)
{
	return (uint32_t)((size_t)((const uint8_t *)object - slab->objects) / slab->object_bytes);
}

/* The first taken object with an index of at least *index, which then holds its index; NULL when there is none. */
void *slab_next(const struct slab *slab, uint32_t *index);

#endif
