/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_pointer.h"

#include "base/check.h"

#include <stdio.h>

struct json_pointer {
	uint32_t parent; /* 0: the root */
	const char *key; /* NULL: an index */
	size_t index;
};

struct json_pointers {
	struct config_memory *memory;
	struct json_pointer *items; /* number 1 is the first */
	size_t count;
};

static uint32_t add(struct json_pointers *pointers, struct json_pointer pointer)
{
	pointers->items =
		config_memory_grow(pointers->memory, pointers->items, pointers->count, sizeof(*pointers->items));
	pointers->items[pointers->count++] = pointer;
	return (uint32_t)pointers->count;
}

struct json_pointers *json_pointers_new(struct config_memory *memory)
{
	struct json_pointers *pointers = config_memory_alloc(memory, sizeof(*pointers));
	pointers->memory = memory;
	add(pointers, (struct json_pointer){ 0 });
	return pointers;
}

uint32_t json_pointers_add_key(struct json_pointers *pointers, uint32_t parent, const char *key)
{
	CHECK(key != NULL);
	return add(pointers, (struct json_pointer){ .parent = parent, .key = key });
}

uint32_t json_pointers_add_index(struct json_pointers *pointers, uint32_t parent, size_t index)
{
	return add(pointers, (struct json_pointer){ .parent = parent, .index = index });
}

/* The text is made from its end, since a place knows only what it stands in. */
struct backwards {
	char *begin;
	char *at;
	bool is_cut;
};

static void prepend(struct backwards *text, const char *bytes, size_t len)
{
	if ((size_t)(text->at - text->begin) < len) {
		text->is_cut = true;
		return;
	}
	text->at -= len;
	memcpy(text->at, bytes, len);
}

static void key_prepend(struct backwards *text, const char *key)
{
	for (size_t len = strlen(key); len > 0 && !text->is_cut; len--) {
		if (key[len - 1] == '~')
			prepend(text, "~0", 2);
		else if (key[len - 1] == '/')
			prepend(text, "~1", 2);
		else
			prepend(text, &key[len - 1], 1);
	}
}

char *json_pointers_format(const struct json_pointers *pointers, uint32_t number, char *buf)
{
	static const char ellipsis[] = "...";
	char index[24];
	struct backwards text = { .begin = buf + sizeof(ellipsis) - 1, .at = buf + JSON_POINTER_TEXT_BYTES - 1 };
	*text.at = '\0';
	while (number > JSON_POINTER_ROOT && !text.is_cut) {
		const struct json_pointer *pointer = &pointers->items[number - 1];
		snprintf(index, sizeof(index), "%zu", pointer->index);
		key_prepend(&text, pointer->key != NULL ? pointer->key : index);
		prepend(&text, "/", 1);
		number = pointer->parent;
	}
	/* Not in the middle of a character. */
	while (text.is_cut && ((unsigned char)*text.at & 0xc0) == 0x80)
		text.at++;
	if (text.is_cut) {
		text.at -= sizeof(ellipsis) - 1;
		memcpy(text.at, ellipsis, sizeof(ellipsis) - 1);
	}
	return memmove(buf, text.at, strlen(text.at) + 1);
}
