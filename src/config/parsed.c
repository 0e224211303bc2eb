/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parsed.h"

#include "base/check.h"

struct marks *parsed_marks(struct parsed *parsed, enum schema_where where)
{
	if (where == SCHEMA_SERVICE)
		return &parsed->services[parsed->config->service_count - 1];
	if (where == SCHEMA_POOL)
		return &parsed->pools[parsed->config->pool_count - 1];
	return &parsed->top;
}

void *parsed_block(struct parsed *parsed, enum schema_where where)
{
	if (where == SCHEMA_SERVICE)
		return &parsed->config->services[parsed->config->service_count - 1];
	if (where == SCHEMA_POOL)
		return &parsed->config->pools[parsed->config->pool_count - 1];
	return parsed->config;
}

const struct config_place *marks_find(const struct marks *marks, const void *what)
{
	for (size_t i = 0; i < marks->count; i++) {
		if (marks->items[i].what == what)
			return &marks->items[i].place;
	}
	return NULL;
}

/* Only the first place of a thing is kept, so a block has at most as many marks as the schema has rows. */
void marks_add(struct report *report, struct marks *marks, const void *what, struct config_place place)
{
	if (marks_find(marks, what) != NULL)
		return;
	marks->items = config_memory_grow(report->memory, marks->items, marks->count, sizeof(*marks->items));
	marks->items[marks->count++] = (struct mark){ .what = what, .place = place };
}

const struct config_place *marks_find_named(const struct marks *marks, enum schema_where where, const char *directive,
					    const char *value)
{
	const struct schema_directive *row = schema_find(where, span_from_text(directive));
	CHECK(row != NULL);
	if (value == NULL)
		return marks_find(marks, row);
	for (size_t i = 0; i < row->value_count; i++) {
		if (strcmp(row->values[i].name, value) == 0)
			return marks_find(marks, &row->values[i]);
	}
	CHECK(!"the schema has no such value");
	return NULL;
}
