/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows the schema to people: one directive, the list of all, and the reference page of docs/. Writes to a stream and
 * keeps nothing; any thread.
 */
#ifndef CONFIG_EXPLAIN_H
#define CONFIG_EXPLAIN_H

#include <stdio.h>

/* All directives by block, a line each. */
void explain_list(FILE *out);

/* A directive of that name, in each block where there is one. Returns 0, or -ENOENT and writes nothing. */
int explain_directive(FILE *out, const char *name);

/* The directive that was probably meant, or NULL. */
const char *explain_suggest(const char *name);

/* The reference page, in Markdown. */
void explain_write_reference(FILE *out);

#endif
