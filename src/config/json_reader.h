/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a JSON document in the form of json_form.h: makes of each of its parts the statement that would stand in a file
 * and hands it to apply, so that values are read, checked and complained about in one place. The counterpart of parser.h,
 * and as that goes on after a mistake. Not recursive.
 *
 * Borrows everything. The document and the pointers must outlive the report. One thread at a time.
 */
#ifndef CONFIG_JSON_READER_H
#define CONFIG_JSON_READER_H

#include "config/apply.h"
#include "config/json_pointer.h"

#include <jansson.h>

struct json_reader {
	struct apply *apply;
	struct report *report;
	struct json_pointers *pointers;
	uint32_t file; /* in the report; its source has the same pointers */
	enum schema_where where;
	struct statement statement;
	size_t value_capacity; /* of the statement's values, which the next statement uses again */
};

void json_reader_init(struct json_reader *reader, struct apply *apply, uint32_t file);

/* A whole configuration. */
void json_reader_read_document(struct json_reader *reader, json_t *document);

/* One statement of the directive, in the block that was begun last. place: the number of its JSON pointer. */
void json_reader_read_statement(struct json_reader *reader, const struct schema_directive *directive, uint32_t place,
				json_t *value);

#endif
