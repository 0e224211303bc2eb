/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table from names (any bytes) to numbers, for finding duplicates and references without comparing everything with
 * everything. Owns copies of the names. One thread at a time.
 */
#ifndef CONFIG_NAME_INDEX_H
#define CONFIG_NAME_INDEX_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct name_index;

struct name_index *name_index_new(void);
void name_index_free(struct name_index **index); /* accepts NULL; clears the pointer */

/* Adds the name, or returns false with the number it already has in *ret_number. */
bool name_index_add(struct name_index *index, struct span name, size_t number, size_t *ret_number);
bool name_index_find(const struct name_index *index, struct span name, size_t *ret_number);

#endif
