/* SPDX-License-Identifier: Apache-2.0 */
/* What was refused, and why. */
#include "base/reason.h"
#include "cli/document.h"
#include "cli/top_view.h"

#include <string.h>

enum { SERVICE, REASON, RATE, TOTAL, MEANING, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[SERVICE] = { "SERVICE", LIST_TEXT, 10, 0 }, [REASON] = { "REASON", LIST_TEXT, 12, 0 },
	[RATE] = { "REFUSED/S", LIST_NUMBER, 6, 1 }, [TOTAL] = { "REFUSED", LIST_NUMBER, 6, 1 },
	[MEANING] = { "MEANING", LIST_TEXT, 20, 2 },
};

static const char *find_meaning(const char *word)
{
	for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		if (strcmp(reason_word(reason), word) == 0)
			return reason_meaning(reason);
	return "";
}

static void fill(const struct top_model *model, struct list *list)
{
	size_t index;
	const json_t *service;
	json_array_foreach(json_object_get(model->documents[TOP_STATUS], "services"), index, service)
	{
		const char *reason;
		json_t *count;
		json_t *refused = json_object_get(service, "refused");
		json_object_foreach(refused, reason, count)
		{
			struct list_row *row = list_add(list);
			const char *name = document_text(service, "name");
			list_set(row, SERVICE, "%s", name);
			list_set(row, REASON, "%s", reason);
			top_view_set_rate(row, RATE, top_model_rate_in(&model->services, name, "refused", reason));
			top_view_set_count(row, TOTAL, refused, reason);
			list_set(row, MEANING, "%s", find_meaning(reason));
		}
	}
}

const struct top_view top_view_refusals = {
	.key = 'r',
	.name = "refused",
	.summary = "what was refused, and why",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = TOTAL,
	.document = TOP_STATUS,
	.nothing = "nothing was refused since the start",
	.missing = "there is no /v1/status",
	.fill = fill,
};
