/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list on a full screen: rows of cells under the heads of columns, which can be sorted by any column, filtered by text
 * and scrolled, and which finds room for its columns in any width: texts are narrowed first, then columns are left out,
 * those of the highest rank first. Owns its rows. Pure.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "cli/canvas.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	LIST_COLUMNS_MAX = 14,
	LIST_CELL_BYTES = 256,
};

enum list_kind {
	LIST_TEXT,   /* sorted from a to z */
	LIST_NUMBER, /* at the right, sorted from the greatest */
};

struct list_column {
	const char *head;
	enum list_kind kind;
	int width; /* of numbers: always; of text: at least, when there is not enough room */
	int rank;  /* 0: never left out while anything can be shown */
};

struct list_row {
	char cells[LIST_COLUMNS_MAX][LIST_CELL_BYTES];
	double values[LIST_COLUMNS_MAX]; /* of LIST_NUMBER: what is sorted by */
	enum look look;                  /* of one cell */
	size_t look_column;
};

struct list {
	const struct list_column *columns;
	size_t column_count;
	size_t row_count;
	size_t row_max;
	struct list_row *rows; /* heap */
};

/* Which part is shown where: heads in `row`, list rows from `first` on below, `height` lines in all. */
struct list_window {
	int row;
	int height;
	size_t first;
	size_t sort_column; /* marked in the head; column_count: none is */
};

void list_init(struct list *list, const struct list_column *columns, size_t column_count);
void list_done(struct list *list);

/* An empty row, valid until the next is added. */
struct list_row *list_add(struct list *list);
/* Cut to the cell, and made fit for a terminal. */
void list_set(struct list_row *row, size_t column, const char *format, ...) __attribute__((format(printf, 3, 4)));
void list_set_number(struct list_row *row, size_t column, double value, const char *text);
void list_set_look(struct list_row *row, size_t column, enum look look);

/* Keeps the rows that have the text in a cell of text, whatever the case. "" keeps all. */
void list_filter(struct list *list, const char *text);

/* Rows that are equal there keep their order. */
void list_sort(struct list *list, size_t column, bool is_reverse);

void list_draw(const struct list *list, struct canvas *canvas, struct list_window window);

#endif
