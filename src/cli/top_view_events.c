/* SPDX-License-Identifier: Apache-2.0 */
/* What has happened, the latest first. */
#include "base/check.h"
#include "cli/document.h"
#include "cli/event_line.h"
#include "cli/top_view.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER, TIME, EVENT, DETAILS, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[NUMBER] = { "#", LIST_NUMBER, 5, 3 },
	[TIME] = { "TIME (UTC)", LIST_TEXT, 8, 1 },
	[EVENT] = { "EVENT", LIST_TEXT, 10, 0 },
	[DETAILS] = { "DETAILS", LIST_TEXT, 16, 2 },
};

static void set_details(struct list_row *row, const json_t *event)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	event_line_print_details(event, out);
	fclose(out);
	list_set(row, DETAILS, "%s", text[0] == ' ' ? text + 1 : text);
	free(text);
}

static void fill(const struct top_model *model, struct list *list)
{
	size_t index;
	const json_t *event;
	json_array_foreach(json_object_get(model->documents[TOP_HISTORY], "events"), index, event)
	{
		char number[32];
		const char *ts = document_text(event, "ts");
		struct list_row *row = list_add(list);
		snprintf(number, sizeof(number), "%llu", (unsigned long long)document_number(event, "id"));
		list_set_number(row, NUMBER, (double)document_number(event, "id"), number);
		list_set(row, TIME, "%.8s", strlen(ts) > 11 ? ts + 11 : ts);
		list_set(row, EVENT, "%s", document_text(event, "event"));
		set_details(row, event);
	}
}

const struct top_view top_view_events = {
	.key = 'e',
	.name = "events",
	.summary = "what has happened",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = NUMBER,
	.document = TOP_HISTORY,
	.nothing = "no event",
	.missing = "this daemon remembers no events",
	.fill = fill,
};
