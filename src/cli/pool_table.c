/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pool_table.h"

#include "cli/document.h"
#include "cli/status_words.h"

static void add_server(struct table *table, const char *pool, const json_t *server)
{
	char number[TABLE_NUMBER_BYTES];
	char text[STATUS_WORDS_BYTES];
	struct table_row *row = table_add(table);
	table_set(row, 0, "%s", pool);
	table_set(row, 1, "%s", document_text(server, "name"));
	table_set(row, 2, "%s", document_text(server, "address"));
	table_set(row, 3, "%s", status_words_state(server, text));
	table_set(row, 4, "%s", table_time(document_number(server, "state_age_ms") / 1000, number));
	table_set(row, 5, "%llu", (unsigned long long)document_number(server, "weight"));
	table_set(row, 6, "%s", table_count(document_number(server, "flows_active"), number));
	table_set(row, 7, "%s", table_count(document_number(server, "flows_total"), number));
	table_set(row, 8, "%s", table_count(document_number(server, "connect_failures_total"), number));
	table_set(row, 9, "%s", status_words_check(server, text));
	row->look = status_words_state_look(server);
	row->look_column = 3;
}

void pool_table_print(const json_t *pools, enum look_colour colour, FILE *out)
{
	static const char *const heads[] = { "POOL",   "SERVER", "ADDRESS", "STATE",  "SINCE",
					     "WEIGHT", "ACTIVE", "TOTAL",   "FAILED", "LAST CHECK" };
	struct table table;
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(pools, index, pool)
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
			add_server(&table, document_text(pool, "name"), server);
	table_print(&table, colour, out);
}
