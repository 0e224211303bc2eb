/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in a JSON document: numbers, from 1 in the order they are added, that can be written as JSON pointers (RFC
 * 6901) when a message needs one: "/pool/web/server/0/weight". Keys are borrowed from the document, all else lives in
 * the memory given. One thread at a time.
 */
#ifndef CONFIG_JSON_POINTER_H
#define CONFIG_JSON_POINTER_H

#include "config/config_memory.h"

#include <stddef.h>
#include <stdint.h>

enum {
	JSON_POINTER_ROOT = 1,
	JSON_POINTER_TEXT_BYTES = 256, /* of a pointer as text; of a longer one the end is kept */
};

struct json_pointers;

/* With the root in it. */
struct json_pointers *json_pointers_new(struct config_memory *memory);

uint32_t json_pointers_add_key(struct json_pointers *pointers, uint32_t parent, const char *key);
uint32_t json_pointers_add_index(struct json_pointers *pointers, uint32_t parent, size_t index);

/* buf: JSON_POINTER_TEXT_BYTES. Returns buf; "" is the whole document. */
char *json_pointers_format(const struct json_pointers *pointers, uint32_t number, char *buf);

#endif
