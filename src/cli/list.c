/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	GAP = 1, /* columns of the screen between two of the list */
	ROWS_FIRST = 32,
};

void list_init(struct list *list, const struct list_column *columns, size_t column_count)
{
	CHECK(column_count <= LIST_COLUMNS_MAX);
	*list = (struct list){ .columns = columns, .column_count = column_count };
}

void list_done(struct list *list)
{
	free(list->rows);
	*list = (struct list){ 0 };
}

struct list_row *list_add(struct list *list)
{
	if (list->row_count == list->row_max) {
		list->row_max = list->row_max > 0 ? 2 * list->row_max : ROWS_FIRST;
		list->rows = memory_resize(list->rows, list->row_max, sizeof(*list->rows));
	}
	struct list_row *row = &list->rows[list->row_count++];
	memset(row, 0, sizeof(*row));
	return row;
}

void list_set(struct list_row *row, size_t column, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(row->cells[column], LIST_CELL_BYTES, format, arguments);
	va_end(arguments);
	shown_text_clean(row->cells[column]);
}

void list_set_number(struct list_row *row, size_t column, double value, const char *text)
{
	row->values[column] = value;
	list_set(row, column, "%s", text);
}

void list_set_look(struct list_row *row, size_t column, enum look look)
{
	row->look = look;
	row->look_column = column;
}

/* --- choosing and ordering --------------------------------------------------------------------------------------- */

static bool has_text(const struct list *list, const struct list_row *row, const char *text)
{
	for (size_t i = 0; i < list->column_count; i++)
		if (list->columns[i].kind == LIST_TEXT && strcasestr(row->cells[i], text) != NULL)
			return true;
	return false;
}

void list_filter(struct list *list, const char *text)
{
	size_t kept = 0;
	if (text[0] == '\0')
		return;
	for (size_t i = 0; i < list->row_count; i++) {
		if (!has_text(list, &list->rows[i], text))
			continue;
		if (kept != i)
			list->rows[kept] = list->rows[i];
		kept++;
	}
	list->row_count = kept;
}

/* Rows are large, so pointers to them are sorted. */
struct order {
	const struct list *list;
	size_t column;
	bool is_reverse;
};

static int compare(const void *a_pointer, const void *b_pointer, void *order_pointer)
{
	const struct list_row *a = *(const struct list_row *const *)a_pointer;
	const struct list_row *b = *(const struct list_row *const *)b_pointer;
	const struct order *order = order_pointer;
	int result;
	if (order->list->columns[order->column].kind == LIST_NUMBER)
		result = (a->values[order->column] < b->values[order->column]) -
			 (a->values[order->column] > b->values[order->column]);
	else
		result = strcmp(a->cells[order->column], b->cells[order->column]);
	if (result == 0)
		return (a > b) - (a < b);
	return order->is_reverse ? -result : result;
}

void list_sort(struct list *list, size_t column, bool is_reverse)
{
	struct order order = { list, column, is_reverse };
	if (list->row_count < 2 || column >= list->column_count)
		return;
	const struct list_row **pointers = memory_alloc_zeroed(list->row_count, sizeof(struct list_row *));
	struct list_row *sorted = memory_alloc_zeroed(list->row_count, sizeof(*sorted));
	for (size_t i = 0; i < list->row_count; i++)
		pointers[i] = &list->rows[i];
	qsort_r(pointers, list->row_count, sizeof(struct list_row *), compare, &order);
	for (size_t i = 0; i < list->row_count; i++)
		sorted[i] = *pointers[i];
	free(pointers);
	free(list->rows);
	list->rows = sorted;
	list->row_max = list->row_count;
}

/* --- room for columns -------------------------------------------------------------------------------------------- */

/* Widths on the screen by column; 0: left out. */
struct layout {
	int widths[LIST_COLUMNS_MAX];
};

static int natural_width(const struct list *list, size_t column)
{
	const struct list_column *spec = &list->columns[column];
	size_t width = shown_text_width(spec->head);
	if (spec->kind == LIST_NUMBER)
		return (int)width > spec->width ? (int)width : spec->width;
	for (size_t i = 0; i < list->row_count; i++) {
		size_t cell_width = shown_text_width(list->rows[i].cells[column]);
		width = cell_width > width ? cell_width : width;
	}
	return (int)width;
}

static int least_width(const struct list *list, size_t column, int width)
{
	const struct list_column *spec = &list->columns[column];
	return spec->kind == LIST_TEXT && spec->width < width ? spec->width : width;
}

static int total_width(const struct list *list, const struct layout *layout)
{
	int total = -GAP;
	for (size_t i = 0; i < list->column_count; i++)
		total += layout->widths[i] > 0 ? layout->widths[i] + GAP : 0;
	return total;
}

/* Narrows the widest texts, column by column of the screen. Returns false when that is not enough. */
static bool narrow(const struct list *list, struct layout *layout, int width)
{
	for (int excess = total_width(list, layout) - width; excess > 0; excess--) {
		size_t widest = list->column_count;
		for (size_t i = 0; i < list->column_count; i++)
			if (layout->widths[i] > least_width(list, i, layout->widths[i]) &&
			    (widest == list->column_count || layout->widths[i] > layout->widths[widest]))
				widest = i;
		if (widest == list->column_count)
			return false;
		layout->widths[widest]--;
	}
	return true;
}

/* Returns false when nothing but the columns of rank 0 is left. */
static bool leave_one_out(const struct list *list, struct layout *layout)
{
	size_t chosen = list->column_count;
	for (size_t i = 0; i < list->column_count; i++)
		if (layout->widths[i] > 0 && list->columns[i].rank > 0 &&
		    (chosen == list->column_count || list->columns[i].rank >= list->columns[chosen].rank))
			chosen = i;
	if (chosen == list->column_count)
		return false;
	layout->widths[chosen] = 0;
	return true;
}

static struct layout find_layout(const struct list *list, int width)
{
	struct layout natural = { { 0 } };
	for (size_t i = 0; i < list->column_count; i++)
		natural.widths[i] = natural_width(list, i);
	struct layout layout = natural;
	while (!narrow(list, &layout, width)) {
		bool has_left_one_out = leave_one_out(list, &natural);
		layout = natural;
		if (!has_left_one_out)
			break;
	}
	return layout;
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static void draw_cell(const struct list *list, struct canvas *canvas, struct canvas_place place, size_t column,
		      const struct list_row *row)
{
	enum look look = row->look_column == column ? row->look : LOOK_PLAIN;
	if (list->columns[column].kind == LIST_NUMBER)
		canvas_put_right(canvas, place, look, row->cells[column]);
	else
		canvas_put(canvas, place, look, row->cells[column]);
}

static void draw_head(const struct list *list, struct canvas *canvas, struct canvas_place place, size_t column,
		      bool is_sorted)
{
	enum look look = is_sorted ? LOOK_TITLE : LOOK_HEAD;
	if (list->columns[column].kind == LIST_NUMBER)
		canvas_put_right(canvas, place, look, list->columns[column].head);
	else
		canvas_put(canvas, place, look, list->columns[column].head);
}

void list_draw(const struct list *list, struct canvas *canvas, struct list_window window)
{
	struct layout layout = find_layout(list, canvas->width);
	int column = 0;
	for (size_t i = 0; i < list->column_count; i++) {
		if (layout.widths[i] == 0)
			continue;
		struct canvas_place place = { window.row, column, layout.widths[i] };
		draw_head(list, canvas, place, i, window.sort_column == i);
		for (size_t j = window.first; j < list->row_count && place.row + 1 < window.row + window.height; j++) {
			place.row++;
			draw_cell(list, canvas, place, i, &list->rows[j]);
		}
		column += layout.widths[i] + GAP;
	}
}
