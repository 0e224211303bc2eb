/* SPDX-License-Identifier: Apache-2.0 */
#include "config/name_index.h"

#include "base/memory.h"
#include "config/config_memory.h"

#include <stdlib.h>

#define uthash_malloc(bytes)       memory_alloc(bytes)
#define uthash_free(memory, bytes) free(memory)
#include <uthash.h>

struct name_entry {
	UT_hash_handle hh;
	size_t number;
	char name[];
};

struct name_index {
	struct name_entry *entries;
	struct config_memory *memory;
};

struct name_index *name_index_new(void)
{
	struct name_index *index = memory_alloc_zeroed(1, sizeof(*index));
	index->memory = config_memory_new();
	return index;
}

void name_index_free(struct name_index **index)
{
	if (*index == NULL)
		return;
	HASH_CLEAR(hh, (*index)->entries);
	config_memory_free(&(*index)->memory);
	free(*index);
	*index = NULL;
}

static struct name_entry *entry_find(const struct name_index *index, struct span name)
{
	struct name_entry *entry = NULL;
	HASH_FIND(hh, index->entries, name.data, name.len, entry);
	return entry;
}

bool name_index_add(struct name_index *index, struct span name, size_t number, size_t *ret_number)
{
	struct name_entry *entry = entry_find(index, name);
	if (entry != NULL) {
		*ret_number = entry->number;
		return false;
	}
	entry = config_memory_alloc(index->memory, sizeof(*entry) + name.len + 1);
	entry->number = number;
	if (name.len > 0)
		memcpy(entry->name, name.data, name.len);
	HASH_ADD(hh, index->entries, name, name.len, entry);
	return true;
}

bool name_index_find(const struct name_index *index, struct span name, size_t *ret_number)
{
	const struct name_entry *entry = entry_find(index, name);
	if (entry != NULL)
		*ret_number = entry->number;
	return entry != NULL;
}
