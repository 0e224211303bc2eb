/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a tree apart again into the statements that would make it, each with its row of the schema, in one fixed order:
 * that of the table; services, pools and the objects in them as they stand in the tree. Defaults that nobody needs are
 * left out, and every object has a statement of its own. Who writes them in which form is told one after the other.
 *
 * Borrows everything; one thread at a time.
 */
#ifndef CONFIG_UNPARSE_H
#define CONFIG_UNPARSE_H

#include "config/config.h"
#include "config/schema.h"

#include <stddef.h>

enum { UNPARSE_VALUES_MAX = 56 }; /* in a statement: each row gives one, only name servers and sources several */

struct unparsed_value {
	const struct schema_value *value;
	struct span text; /* what store_value would read, unquoted; of a switch its name */
};

/* Values and texts are there during the call only. */
struct unparse_writer {
	void (*statement)(struct unparse_writer *writer, const struct schema_directive *directive,
			  const struct unparsed_value *values, size_t count);
	void (*block_begin)(struct unparse_writer *writer, const struct schema_directive *directive, const char *name);
	void (*block_end)(struct unparse_writer *writer);
};

void unparse(const struct config *config, struct unparse_writer *writer);

#endif
