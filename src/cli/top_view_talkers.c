/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses each service most, over the last minute. */
#include "cli/document.h"
#include "cli/top_view.h"

enum { SOURCE, SERVICE, FLOWS, SHARE, IN, OUT, REFUSED, NEW, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[SOURCE] = { "SOURCE", LIST_TEXT, 15, 0 },    [SERVICE] = { "SERVICE", LIST_TEXT, 8, 1 },
	[FLOWS] = { "FLOWS/S", LIST_NUMBER, 6, 0 },   [SHARE] = { "SHARE", LIST_NUMBER, 6, 2 },
	[IN] = { "IN/S", LIST_NUMBER, 6, 1 },         [OUT] = { "OUT/S", LIST_NUMBER, 6, 1 },
	[REFUSED] = { "REFUSED", LIST_NUMBER, 6, 3 }, [NEW] = { "NEW", LIST_TEXT, 3, 4 },
};

static void add(struct list *list, const json_t *service, const json_t *talker, double seconds)
{
	char text[32];
	double share = json_number_value(json_object_get(talker, "share"));
	struct list_row *row = list_add(list);
	list_set(row, SOURCE, "%s", document_text(talker, "source"));
	list_set(row, SERVICE, "%s", document_text(service, "name"));
	top_view_set_rate(row, FLOWS, (double)document_number(talker, "flows") / seconds);
	snprintf(text, sizeof(text), "%.1f%%", 100 * share);
	list_set_number(row, SHARE, share, text);
	top_view_set_byte_rate(row, IN, (double)document_number(talker, "bytes_in") / seconds);
	top_view_set_byte_rate(row, OUT, (double)document_number(talker, "bytes_out") / seconds);
	top_view_set_count(row, REFUSED, talker, "refused");
	list_set(row, NEW, "%s", json_is_true(json_object_get(talker, "is_new")) ? "new" : "");
}

static void fill(const struct top_model *model, struct list *list)
{
	const json_t *document = model->documents[TOP_TRENDS];
	double seconds = (double)document_number(document, "window_seconds");
	size_t index;
	size_t talker_index;
	const json_t *service;
	const json_t *talker;
	json_array_foreach(json_object_get(document, "services"), index, service)
		json_array_foreach(json_object_get(service, "top"), talker_index, talker)
			add(list, service, talker, seconds > 0 ? seconds : 60);
}

static void note(const struct top_model *model, char *text)
{
	(void)model;
	snprintf(text, TOP_NOTE_BYTES, "over the last minute");
}

const struct top_view top_view_talkers = {
	.key = 't',
	.name = "talkers",
	.summary = "who uses each service most, over the last minute, and who is new",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = FLOWS,
	.document = TOP_TRENDS,
	.nothing = "nobody has talked in the last minute",
	.missing = "this daemon does not watch who talks",
	.fill = fill,
	.note = note,
};
