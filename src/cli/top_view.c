/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_view.h"

#include "cli/document.h"
#include "cli/table.h"

const struct top_view *const top_views[TOP_VIEW_COUNT] = {
	[TOP_SERVICES] = &top_view_services, [TOP_SERVERS] = &top_view_servers, [TOP_LIVE_FLOWS] = &top_view_flows,
	[TOP_TALKERS] = &top_view_talkers,   [TOP_EVENTS] = &top_view_events,   [TOP_REFUSALS] = &top_view_refusals,
};

void top_view_set_rate(struct list_row *row, size_t column, double rate)
{
	char text[TABLE_NUMBER_BYTES];
	list_set_number(row, column, rate, rate < 0 ? "-" : table_rate(rate, text));
}

void top_view_set_byte_rate(struct list_row *row, size_t column, double rate)
{
	char text[TABLE_NUMBER_BYTES];
	list_set_number(row, column, rate, rate < 0 ? "-" : table_size_short((uint64_t)rate, text));
}

void top_view_set_count(struct list_row *row, size_t column, const json_t *object, const char *key)
{
	char text[TABLE_NUMBER_BYTES];
	uint64_t count = document_number(object, key);
	list_set_number(row, column, (double)count, table_count(count, text));
}

void top_view_set_size(struct list_row *row, size_t column, const json_t *object, const char *key)
{
	char text[TABLE_NUMBER_BYTES];
	uint64_t bytes = document_number(object, key);
	list_set_number(row, column, (double)bytes, table_size_short(bytes, text));
}
