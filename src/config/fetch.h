/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back from store.h: turns the field that the schema names for a value into the text that would store it again,
 * before any quoting. Pure but for the memory that texts are made in; any thread.
 */
#ifndef CONFIG_FETCH_H
#define CONFIG_FETCH_H

#include "base/span.h"
#include "config/config_memory.h"
#include "config/schema.h"

#include <stdbool.h>

/*
 * The text of the value in target: times, sizes and counts in units that divide them, words as words, a switch as its
 * name; any bytes where the kind allows any. It lives in memory, in target or in the schema. Returns false when nothing
 * needs to be written: the field is as it was before anything was stored. `defaults` is a struct of the same type that
 * store_defaults has filled.
 */
bool fetch_value(const struct schema_value *value, const void *target, const void *defaults,
		 struct config_memory *memory, struct span *ret_text);

/* The same, for values that must stand in their statement: also when the field holds the default. */
bool fetch_required_value(const struct schema_value *value, const void *target, struct config_memory *memory,
			  struct span *ret_text);

#endif
