/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is released all at once: the strings and arrays of a configuration tree, or what a load needs until it is
 * over. Owns its blocks. One thread at a time. Never returns NULL (see base/memory.h); never gives back a single piece.
 */
#ifndef CONFIG_CONFIG_MEMORY_H
#define CONFIG_CONFIG_MEMORY_H

#include "base/span.h"

#include <stddef.h>

struct config_memory;

struct config_memory *config_memory_new(void);
void config_memory_free(struct config_memory **memory); /* accepts NULL; clears the pointer */

/* Zeroed, aligned for any type. */
void *config_memory_alloc(struct config_memory *memory, size_t bytes);
/* A copy with a zero behind it. */
char *config_memory_text(struct config_memory *memory, struct span text);
char *config_memory_format(struct config_memory *memory, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Makes room for one more item behind the `count` that `items` holds and returns the array, which may have moved. Grows
 * at the powers of two, so the caller keeps no capacity: count is enough.
 */
void *config_memory_grow(struct config_memory *memory, void *items, size_t count, size_t item_bytes);
/* How many items an array has room for that has grown to this count, and never shrunk. */
size_t config_memory_capacity(size_t count);

#endif
