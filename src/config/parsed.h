/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading has made so far, handed from the parser to the cross checks: the tree, and beside it a record of what
 * was written where, so that checks can tell a default from a value and can point at it.
 *
 * Borrows everything from the load. One thread at a time.
 */
#ifndef CONFIG_PARSED_H
#define CONFIG_PARSED_H

#include "config/config.h"
#include "config/report.h"
#include "config/schema.h"

#include <stdbool.h>

/* That a directive or one of its values was written, and where. */
struct mark {
	const void *what; /* struct schema_directive or struct schema_value */
	struct config_place place;
};

struct marks {
	struct mark *items;
	size_t count;
};

struct parsed {
	struct config *config;
	struct report *report;
	struct marks top;
	struct marks *services; /* parallel to config->services */
	struct marks *pools;    /* parallel to config->pools */
	/* Blocks that could not be read: nothing can be said about what is not there. */
	bool has_lost_services;
	bool has_lost_pools;
};

/* The block that is being read is the last of its kind. */
struct marks *parsed_marks(struct parsed *parsed, enum schema_where where);
void *parsed_block(struct parsed *parsed, enum schema_where where);

void marks_add(struct report *report, struct marks *marks, const void *what, struct config_place place);
/* The first place of it, or NULL. */
const struct config_place *marks_find(const struct marks *marks, const void *what);
/* The same by names; value NULL: the directive itself. */
const struct config_place *marks_find_named(const struct marks *marks, enum schema_where where, const char *directive,
					    const char *value);

#endif
