/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_memory.h"

#include "base/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Blocks grow, since many memories stay small. */
enum { BLOCK_BYTES_MIN = 1024, BLOCK_BYTES_MAX = 64 * 1024 };

struct memory_block {
	struct memory_block *next;
	size_t used_bytes;
	size_t capacity_bytes;
	alignas(max_align_t) unsigned char data[];
};

struct config_memory {
	struct memory_block *blocks; /* the first is the one being filled */
	size_t block_bytes;          /* of the next block */
};

struct config_memory *config_memory_new(void)
{
	struct config_memory *memory = memory_alloc_zeroed(1, sizeof(*memory));
	memory->block_bytes = BLOCK_BYTES_MIN;
	return memory;
}

void config_memory_free(struct config_memory **memory)
{
	if (*memory == NULL)
		return;
	struct memory_block *next = NULL;
	for (struct memory_block *block = (*memory)->blocks; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	free(*memory);
	*memory = NULL;
}

static struct memory_block *block_new(size_t capacity_bytes)
{
	struct memory_block *block = memory_alloc_zeroed(1, sizeof(*block) + capacity_bytes);
	block->capacity_bytes = capacity_bytes;
	return block;
}

void *config_memory_alloc(struct config_memory *memory, size_t bytes)
{
	const size_t alignment = alignof(max_align_t);
	size_t padded_bytes = (bytes + alignment - 1) / alignment * alignment;
	struct memory_block *block = memory->blocks;
	if (padded_bytes > memory->block_bytes / 4) {
		/* Large pieces get a block of their own, behind the one being filled. */
		struct memory_block *own = block_new(padded_bytes);
		own->used_bytes = padded_bytes;
		own->next = block != NULL ? block->next : NULL;
		*(block != NULL ? &block->next : &memory->blocks) = own;
		return own->data;
	}
	if (block == NULL || block->capacity_bytes - block->used_bytes < padded_bytes) {
		block = block_new(memory->block_bytes);
		if (memory->block_bytes < BLOCK_BYTES_MAX)
			memory->block_bytes *= 2;
		block->next = memory->blocks;
		memory->blocks = block;
	}
	void *piece = block->data + block->used_bytes;
	block->used_bytes += padded_bytes;
	return piece;
}

char *config_memory_text(struct config_memory *memory, struct span text)
{
	char *copy = config_memory_alloc(memory, text.len + 1);
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	return copy;
}

char *config_memory_format(struct config_memory *memory, const char *format, ...)
{
	char buf[1024];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(buf, sizeof(buf), format, arguments);
	va_end(arguments);
	if (len < 0)
		buf[0] = '\0';
	if (len < (int)sizeof(buf))
		return config_memory_text(memory, span_from_text(buf));
	char *text = config_memory_alloc(memory, (size_t)len + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)len + 1, format, arguments);
	va_end(arguments);
	return text;
}

enum { FIRST_CAPACITY = 4 };

size_t config_memory_capacity(size_t count)
{
	size_t capacity = count > 0 ? FIRST_CAPACITY : 0;
	while (capacity < count)
		capacity *= 2;
	return capacity;
}

void *config_memory_grow(struct config_memory *memory, void *items, size_t count, size_t item_bytes)
{
	if (count == 0)
		return config_memory_alloc(memory, FIRST_CAPACITY * item_bytes);
	if (count < FIRST_CAPACITY || (count & (count - 1)) != 0)
		return items;
	void *larger = config_memory_alloc(memory, 2 * count * item_bytes);
	memcpy(larger, items, count * item_bytes);
	return larger;
}
