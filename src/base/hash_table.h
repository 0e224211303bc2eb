/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index over the objects of a slab: chained, with 4 bytes a bucket and 8 bytes in each object. The number of buckets
 * is fixed when it is made, so that nothing ever stalls for a rehash. The caller hashes (keyed, where a client chooses
 * the key) and compares. One thread.
 */
#ifndef BASE_HASH_TABLE_H
#define BASE_HASH_TABLE_H

#include "base/slab.h"

#include <stddef.h>
#include <stdint.h>

struct hash_link {
	uint32_t hash;
	uint32_t next; /* slab index + 1 of the next in the chain; 0: the last */
};

struct hash_table {
	const struct slab *slab;
	size_t link_offset;    /* of the struct hash_link in an object */
	uint32_t *buckets;     /* slab index + 1 of the first in the chain */
	uint32_t bucket_count; /* a power of two */
};

/* As many buckets as the slab can hold objects, rounded up to a power of two. Aborts when address space is short. */
void hash_table_init(struct hash_table *table, const struct slab *slab, size_t link_offset);
void hash_table_done(struct hash_table *table);

void hash_table_add(struct hash_table *table, void *object, uint32_t hash);
void hash_table_remove(struct hash_table *table, void *object);

/* Begins to fetch what hash_table_find will read: first the bucket, and once that is there the object. */
void hash_table_prefetch_bucket(const struct hash_table *table, uint32_t hash);
void hash_table_prefetch_object(const struct hash_table *table, uint32_t hash);

/* The first object with this hash, and the next one after it; NULL at the end. The caller compares the keys. */
void *hash_table_find(const struct hash_table *table, uint32_t hash);
void *hash_table_find_next(const struct hash_table *table, const void *object);

#endif
