/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash_table.h"

#include "base/check.h"

#include <sys/mman.h>

static struct hash_link *link_of(const struct hash_table *table, uint32_t index)
{
	return (struct hash_link *)(void *)((uint8_t *)slab_at(table->slab, index) + table->link_offset);
}

void hash_table_init(struct hash_table *table, const struct slab *slab, size_t link_offset)
{
	*table = (struct hash_table){ .slab = slab, .link_offset = link_offset, .bucket_count = 64 };
	while (table->bucket_count < slab->capacity)
		table->bucket_count *= 2;
	table->buckets = mmap(NULL, table->bucket_count * sizeof(uint32_t), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(table->buckets != MAP_FAILED);
}

void hash_table_done(struct hash_table *table)
{
	if (table->buckets != NULL)
		munmap(table->buckets, table->bucket_count * sizeof(uint32_t));
	*table = (struct hash_table){ 0 };
}

static uint32_t *bucket_of(struct hash_table *table, uint32_t hash)
{
	return &table->buckets[hash & (table->bucket_count - 1)];
}

void hash_table_add(struct hash_table *table, void *object, uint32_t hash)
{
	uint32_t index = slab_index(table->slab, object);
	uint32_t *bucket = bucket_of(table, hash);
	*link_of(table, index) = (struct hash_link){ .hash = hash, .next = *bucket };
	*bucket = index + 1;
}

void hash_table_remove(struct hash_table *table, void *object)
{
	uint32_t wanted = slab_index(table->slab, object) + 1;
	uint32_t *place = bucket_of(table, link_of(table, wanted - 1)->hash);
	while (*place != wanted) {
		CHECK(*place != 0);
		place = &link_of(table, *place - 1)->next;
	}
	*place = link_of(table, wanted - 1)->next;
}

static void *follow(const struct hash_table *table, uint32_t next, uint32_t hash)
{
	while (next != 0) {
		const struct hash_link *link = link_of(table, next - 1);
		if (link->hash == hash)
			return slab_at(table->slab, next - 1);
		next = link->next;
	}
	return NULL;
}

void hash_table_prefetch_bucket(const struct hash_table *table, uint32_t hash)
{
	__builtin_prefetch(&table->buckets[hash & (table->bucket_count - 1)]);
}

void hash_table_prefetch_object(const struct hash_table *table, uint32_t hash)
{
	uint32_t first = table->buckets[hash & (table->bucket_count - 1)];
	if (first == 0)
		return;
	const uint8_t *object = slab_at(table->slab, first - 1);
	for (size_t at = 0; at < table->slab->object_bytes; at += 64)
		__builtin_prefetch(object + at);
}

void *hash_table_find(const struct hash_table *table, uint32_t hash)
{
	return follow(table, table->buckets[hash & (table->bucket_count - 1)], hash);
}

void *hash_table_find_next(const struct hash_table *table, const void *object)
{
	const struct hash_link *link = link_of(table, slab_index(table->slab, object));
	return follow(table, link->next, link->hash);
}
