/* SPDX-License-Identifier: Apache-2.0 */
/* Live TCP connections and UDP sessions. */
#include "cli/document.h"
#include "cli/table.h"
#include "cli/top_view.h"

enum { CLIENT, SERVICE, SERVER, PROTOCOL, AGE, RATE, IN, OUT, BYTES, ID, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[CLIENT] = { "CLIENT", LIST_TEXT, 15, 0 }, [SERVICE] = { "SERVICE", LIST_TEXT, 6, 2 },
	[SERVER] = { "SERVER", LIST_TEXT, 10, 3 }, [PROTOCOL] = { "PROTO", LIST_TEXT, 5, 4 },
	[AGE] = { "AGE", LIST_NUMBER, 6, 1 },      [RATE] = { "BYTES/S", LIST_NUMBER, 6, 0 },
	[IN] = { "IN", LIST_NUMBER, 6, 5 },        [OUT] = { "OUT", LIST_NUMBER, 6, 5 },
	[BYTES] = { "BYTES", LIST_NUMBER, 6, 1 },  [ID] = { "ID", LIST_TEXT, 16, 9 },
};

static double byte_rate(const struct top_model *model, const json_t *flow)
{
	double in = top_model_rate(&model->flows, document_text(flow, "id"), "bytes_in");
	double out = top_model_rate(&model->flows, document_text(flow, "id"), "bytes_out");
	return in < 0 || out < 0 ? -1 : in + out;
}

static void add(const struct top_model *model, struct list *list, const json_t *flow)
{
	char text[TABLE_NUMBER_BYTES];
	uint64_t age_ms = document_number(flow, "duration_ms");
	uint64_t bytes = document_number(flow, "bytes_in") + document_number(flow, "bytes_out");
	struct list_row *row = list_add(list);
	list_set(row, CLIENT, "%s", document_text(flow, "client"));
	list_set(row, SERVICE, "%s", document_text(flow, "service"));
	list_set(row, SERVER, "%s/%s", document_text(flow, "pool"), document_text(flow, "server"));
	list_set(row, PROTOCOL, "%s", document_text(flow, "protocol"));
	list_set_number(row, AGE, (double)age_ms, table_time(age_ms / 1000, text));
	top_view_set_byte_rate(row, RATE, byte_rate(model, flow));
	top_view_set_size(row, IN, flow, "bytes_in");
	top_view_set_size(row, OUT, flow, "bytes_out");
	list_set_number(row, BYTES, (double)bytes, table_size_short(bytes, text));
	list_set(row, ID, "%s", document_text(flow, "id"));
}

static void fill(const struct top_model *model, struct list *list)
{
	size_t index;
	const json_t *flow;
	json_array_foreach(json_object_get(model->documents[TOP_FLOWS], "flows"), index, flow) add(model, list, flow);
}

static void note(const struct top_model *model, char *text)
{
	char number[TABLE_NUMBER_BYTES];
	const json_t *document = model->documents[TOP_FLOWS];
	size_t count = json_array_size(json_object_get(document, "flows"));
	uint64_t matched = document_number(document, "matched_count");
	if (json_is_false(json_object_get(document, "is_whole")))
		snprintf(text, TOP_NOTE_BYTES, "a worker did not answer: flows are missing");
	else if (matched > count)
		snprintf(text, TOP_NOTE_BYTES, "%zu of %s flows; / a service or address finds its own", count,
			 table_count(matched, number));
}

const struct top_view top_view_flows = {
	.key = 'f',
	.name = "flows",
	.summary = "live TCP connections and UDP sessions",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = BYTES,
	.document = TOP_FLOWS,
	.nothing = "no live flow",
	.missing = "this daemon does not list its flows",
	.fill = fill,
	.note = note,
};
