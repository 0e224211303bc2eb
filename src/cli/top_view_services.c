/* SPDX-License-Identifier: Apache-2.0 */
/* Services: what is exposed, and how much goes through it. */
#include "cli/document.h"
#include "cli/status_words.h"
#include "cli/top_view.h"

enum { SERVICE, LISTEN, POOL, SERVERS_UP, ACTIVE, FLOWS, IN, OUT, REFUSED, FLOWS_TOTAL, REFUSED_TOTAL, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[SERVICE] = { "SERVICE", LIST_TEXT, 10, 0 },
	[LISTEN] = { "LISTEN", LIST_TEXT, 21, 5 },
	[POOL] = { "POOL", LIST_TEXT, 6, 6 },
	[SERVERS_UP] = { "UP", LIST_NUMBER, 5, 2 },
	[ACTIVE] = { "ACTIVE", LIST_NUMBER, 6, 1 },
	[FLOWS] = { "FLOWS/S", LIST_NUMBER, 6, 0 },
	[IN] = { "IN/S", LIST_NUMBER, 6, 1 },
	[OUT] = { "OUT/S", LIST_NUMBER, 6, 1 },
	[REFUSED] = { "REFUSED/S", LIST_NUMBER, 6, 3 },
	[FLOWS_TOTAL] = { "FLOWS", LIST_NUMBER, 6, 7 },
	[REFUSED_TOTAL] = { "REFUSED", LIST_NUMBER, 6, 8 },
};

/* "2/3": how many servers of its pool can take flows. Sorted by how many cannot. */
static void set_servers_up(struct list_row *row, const json_t *pool)
{
	char text[32];
	size_t count = json_array_size(json_object_get(pool, "servers"));
	uint64_t available = document_number(pool, "available_count");
	snprintf(text, sizeof(text), "%llu/%zu", (unsigned long long)available, count);
	list_set_number(row, SERVERS_UP, (double)count - (double)available, text);
	if (available == 0)
		list_set_look(row, SERVERS_UP, LOOK_BAD);
	else if (available < count)
		list_set_look(row, SERVERS_UP, LOOK_CAUTION);
}

static void add(const struct top_model *model, struct list *list, const json_t *service, const json_t *pools)
{
	char text[STATUS_WORDS_BYTES];
	const char *name = document_text(service, "name");
	struct list_row *row = list_add(list);
	list_set(row, SERVICE, "%s", name);
	list_set(row, LISTEN, "%s", status_words_listens(service, text));
	list_set(row, POOL, "%s", document_text(service, "pool"));
	set_servers_up(row, json_object_get(pools, document_text(service, "pool")));
	top_view_set_count(row, ACTIVE, service, "flows_active");
	top_view_set_rate(row, FLOWS, top_model_rate(&model->services, name, "flows_total"));
	top_view_set_byte_rate(row, IN, top_model_rate(&model->services, name, "bytes_in"));
	top_view_set_byte_rate(row, OUT, top_model_rate(&model->services, name, "bytes_out"));
	top_view_set_rate(row, REFUSED, top_model_rate(&model->services, name, "refused_total"));
	top_view_set_count(row, FLOWS_TOTAL, service, "flows_total");
	top_view_set_count(row, REFUSED_TOTAL, service, "refused_total");
}

static void fill(const struct top_model *model, struct list *list)
{
	json_t *pools = document_index_by_name(json_object_get(model->documents[TOP_STATUS], "pools"));
	size_t index;
	const json_t *service;
	json_array_foreach(json_object_get(model->documents[TOP_STATUS], "services"), index, service)
		add(model, list, service, pools);
	json_decref(pools);
}

const struct top_view top_view_services = {
	.key = 's',
	.name = "services",
	.summary = "what is exposed, and how much goes through it",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = FLOWS,
	.document = TOP_STATUS,
	.nothing = "no service",
	.missing = "there is no /v1/status",
	.fill = fill,
};
