/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the documents of the admin API look like: one table, from which /openapi.json gets its schemas. A test compares it
 * with what a running strait answers, key by key. Constant data; any thread.
 *
 * Types are written in a small notation:
 *
 *   string  integer  number  boolean  object   object: of any keys
 *   up|down          one of these strings
 *   [TYPE]           an array
 *   {TYPE}           an object whose keys are names and whose values are all of that type
 *   TYPE?            that, or null
 *   Pool             a document of the table, by its name, which begins with a capital
 */
#ifndef CONTROL_ADMIN_DOCUMENTS_H
#define CONTROL_ADMIN_DOCUMENTS_H

#include <stddef.h>

struct admin_field {
	const char *name; /* NULL ends the list; with a '?' behind it the field may be left out */
	const char *type;
	const char *help;
};

struct admin_document {
	const char *name;
	const char *help;
	const struct admin_field *fields;
};

extern const struct admin_document admin_documents[];
extern const size_t admin_document_count;

#endif
