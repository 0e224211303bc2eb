/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and their servers: how they are, since when, and how much goes to each. */
#include "cli/document.h"
#include "cli/status_words.h"
#include "cli/table.h"
#include "cli/top_view.h"

enum { POOL, SERVER, ADDRESS, STATE, SINCE, WEIGHT, ACTIVE, FLOWS, IN, OUT, FAILURES, FAILED, CHECK, COLUMN_COUNT };

static const struct list_column columns[COLUMN_COUNT] = {
	[POOL] = { "POOL", LIST_TEXT, 6, 3 },         [SERVER] = { "SERVER", LIST_TEXT, 10, 0 },
	[ADDRESS] = { "ADDRESS", LIST_TEXT, 14, 9 },  [STATE] = { "STATE", LIST_TEXT, 5, 0 },
	[SINCE] = { "SINCE", LIST_NUMBER, 6, 2 },     [WEIGHT] = { "WEIGHT", LIST_NUMBER, 6, 4 },
	[ACTIVE] = { "ACTIVE", LIST_NUMBER, 6, 2 },   [FLOWS] = { "FLOWS/S", LIST_NUMBER, 6, 1 },
	[IN] = { "IN/S", LIST_NUMBER, 6, 4 },         [OUT] = { "OUT/S", LIST_NUMBER, 6, 4 },
	[FAILURES] = { "FAIL/S", LIST_NUMBER, 6, 3 }, [FAILED] = { "FAILED", LIST_NUMBER, 6, 7 },
	[CHECK] = { "LAST CHECK", LIST_TEXT, 14, 6 },
};

static void add(const struct top_model *model, struct list *list, const json_t *pool, const json_t *server)
{
	char number[TABLE_NUMBER_BYTES];
	char text[STATUS_WORDS_BYTES];
	char name[TOP_NAME_BYTES];
	uint64_t age_s = document_number(server, "state_age_ms") / 1000;
	struct list_row *row = list_add(list);
	top_model_server_name(pool, server, name);
	list_set(row, POOL, "%s", document_text(pool, "name"));
	list_set(row, SERVER, "%s", document_text(server, "name"));
	list_set(row, ADDRESS, "%s", document_text(server, "address"));
	list_set(row, STATE, "%s", status_words_state(server, text));
	list_set_number(row, SINCE, (double)age_s, table_time(age_s, number));
	top_view_set_count(row, WEIGHT, server, "weight");
	top_view_set_count(row, ACTIVE, server, "flows_active");
	top_view_set_rate(row, FLOWS, top_model_rate(&model->servers, name, "flows_total"));
	top_view_set_byte_rate(row, IN, top_model_rate(&model->servers, name, "bytes_in"));
	top_view_set_byte_rate(row, OUT, top_model_rate(&model->servers, name, "bytes_out"));
	top_view_set_rate(row, FAILURES, top_model_rate(&model->servers, name, "connect_failures_total"));
	top_view_set_count(row, FAILED, server, "connect_failures_total");
	list_set(row, CHECK, "%s", status_words_check(server, text));
	list_set_look(row, STATE, status_words_state_look(server));
}

static void fill(const struct top_model *model, struct list *list)
{
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	json_array_foreach(json_object_get(model->documents[TOP_STATUS], "pools"), index, pool)
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
			add(model, list, pool, server);
}

const struct top_view top_view_servers = {
	.key = 'p',
	.name = "pools",
	.summary = "pools and servers: state, since when, and how much goes to each",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.sort_column = STATE,
	.document = TOP_STATUS,
	.nothing = "no server",
	.missing = "there is no /v1/status",
	.fill = fill,
};
