/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The views of the live screen: what each is called and chosen by, its columns, the document that it needs, and how rows
 * are made of it. A new view is a file with a struct top_view and a line in the table of top_view.c. Pure.
 */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "cli/list.h"
#include "cli/top_model.h"

struct top_view {
	char key;
	const char *name; /* of --view, and on the screen: it begins with the key */
	const char *summary;
	const struct list_column *columns;
	size_t column_count;
	size_t sort_column; /* at first */
	enum top_document document;
	const char *nothing; /* said when there is no row */
	const char *missing; /* said when the daemon has no such document */
	/* Rows in any order; the document is there. */
	void (*fill)(const struct top_model *model, struct list *list);
	/* Something to know about the rows, into text of TOP_NOTE_BYTES; NULL: never. */
	void (*note)(const struct top_model *model, char *text);
};

enum { TOP_NOTE_BYTES = 128 };

enum { TOP_SERVICES, TOP_SERVERS, TOP_LIVE_FLOWS, TOP_TALKERS, TOP_EVENTS, TOP_REFUSALS, TOP_VIEW_COUNT };

extern const struct top_view top_view_services;
extern const struct top_view top_view_servers;
extern const struct top_view top_view_flows;
extern const struct top_view top_view_talkers;
extern const struct top_view top_view_events;
extern const struct top_view top_view_refusals;

extern const struct top_view *const top_views[TOP_VIEW_COUNT];

/* Cells that several views have. A rate of -1 is not known and shows as "-". */
void top_view_set_rate(struct list_row *row, size_t column, double rate);
void top_view_set_byte_rate(struct list_row *row, size_t column, double rate);
void top_view_set_count(struct list_row *row, size_t column, const json_t *object, const char *key);
void top_view_set_size(struct list_row *row, size_t column, const json_t *object, const char *key);

#endif
