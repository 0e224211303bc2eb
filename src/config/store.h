/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the text of one value into the field of a struct that the schema names for it, and fills structs with the
 * schema's defaults. Pure but for the memory that strings are copied to; any thread. Reports nothing.
 */
#ifndef CONFIG_STORE_H
#define CONFIG_STORE_H

#include "base/span.h"
#include "config/config_memory.h"
#include "config/schema.h"
#include "config/values.h"

#include <stdbool.h>

/* What else is to be said about a value: written on failure, and for a network on success. */
struct store_note {
	struct value_hint hint; /* "" when there is none */
	bool had_host_bits;
};

/*
 * Stores the value at its offset in target. Returns 0; -EINVAL when the text is not of the kind; -ERANGE when it is out
 * of the bounds; -ENOENT when it is none of the words. The target is changed on success only.
 */
int store_value(const struct schema_value *value, struct span text, struct config_memory *memory, void *target,
		struct store_note *ret_note);

/* Sets a switch, which has no text. */
void store_switch(const struct schema_value *value, void *target);

/* Stores the defaults of all directives of that target; what has none is left alone. */
void store_defaults(enum schema_target kind, struct config_memory *memory, void *target);

#endif
