/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "base/check.h"
#include "base/memory.h"
#include "cli/shown_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 }; /* spaces between columns */

/* --- numbers ----------------------------------------------------------------------------------------------------- */

enum { NO_UNIT = -1 };

/* Divided by the base until it is less; the index of the unit, or NO_UNIT. Units are steps of 1,000 or 1,024: k, M and so on. */
static int scale(double *number, double base)
{
	enum { LAST_UNIT = 5 };
	int unit = NO_UNIT;
	while (*number >= base - 0.05 && unit < LAST_UNIT) {
		*number /= base;
		unit++;
	}
	return unit;
}

char *table_count(uint64_t number, char *buf)
{
	double scaled = (double)number;
	int unit = scale(&scaled, 1000);
	if (unit == NO_UNIT)
		snprintf(buf, TABLE_NUMBER_BYTES, "%llu", (unsigned long long)number);
	else
		snprintf(buf, TABLE_NUMBER_BYTES, "%.1f%c", scaled, "kMGTPE"[unit]);
	return buf;
}

char *table_size(uint64_t bytes, char *buf)
{
	double scaled = (double)bytes;
	int unit = scale(&scaled, 1024);
	if (unit == NO_UNIT)
		snprintf(buf, TABLE_NUMBER_BYTES, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, TABLE_NUMBER_BYTES, "%.1f %ciB", scaled, "KMGTPE"[unit]);
	return buf;
}

char *table_size_short(uint64_t bytes, char *buf)
{
	double scaled = (double)bytes;
	int unit = scale(&scaled, 1024);
	if (unit == NO_UNIT)
		snprintf(buf, TABLE_NUMBER_BYTES, "%llu", (unsigned long long)bytes);
	else
		snprintf(buf, TABLE_NUMBER_BYTES, scaled < 999.95 ? "%.1f%c" : "%.0f%c", scaled, "KMGTPE"[unit]);
	return buf;
}

char *table_rate(double rate, char *buf)
{
	if (rate < 0.05)
		snprintf(buf, TABLE_NUMBER_BYTES, "0");
	else if (rate < 9.95)
		snprintf(buf, TABLE_NUMBER_BYTES, "%.1f", rate);
	else
		table_count((uint64_t)(rate + 0.5), buf);
	return buf;
}

char *table_time(uint64_t seconds, char *buf)
{
	unsigned long long s = seconds;
	if (s < 60)
		snprintf(buf, TABLE_NUMBER_BYTES, "%llus", s);
	else if (s < 3600)
		snprintf(buf, TABLE_NUMBER_BYTES, "%llum%llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, TABLE_NUMBER_BYTES, "%lluh%llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, TABLE_NUMBER_BYTES, "%llud%lluh", s / 86400, s / 3600 % 24);
	return buf;
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

void table_begin(struct table *table, const char *const *heads, size_t column_count)
{
	CHECK(column_count <= TABLE_COLUMNS_MAX);
	*table = (struct table){ .column_count = column_count, .row_count = 1 };
	table->rows = memory_alloc_zeroed(1, sizeof(*table->rows));
	for (size_t i = 0; i < column_count; i++)
		snprintf(table->rows[0].cells[i], TABLE_CELL_BYTES, "%s", heads[i]);
}

struct table_row *table_add(struct table *table)
{
	table->rows = memory_resize(table->rows, table->row_count + 1, sizeof(*table->rows));
	struct table_row *row = &table->rows[table->row_count++];
	memset(row, 0, sizeof(*row));
	return row;
}

void table_set(struct table_row *row, size_t column, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(row->cells[column], TABLE_CELL_BYTES, format, arguments);
	va_end(arguments);
	shown_text_clean(row->cells[column]);
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = 0;
	for (size_t i = 0; i < table->row_count; i++) {
		size_t cell_width = shown_text_width(table->rows[i].cells[column]);
		width = cell_width > width ? cell_width : width;
	}
	return (int)width;
}

static void print_row(const struct table *table, const struct table_row *row, enum look_colour colour, FILE *out)
{
	for (size_t i = 0; i < table->column_count; i++) {
		bool is_last = i + 1 == table->column_count;
		bool has_look = colour == LOOK_COLOURED && row->look != LOOK_PLAIN && row->look_column == i;
		int width = is_last ? 0 : column_width(table, i) + GAP;
		int padding = width - (int)shown_text_width(row->cells[i]);
		fprintf(out, "%s%s%s%*s", has_look ? look_begin(row->look) : "", row->cells[i],
			has_look ? LOOK_END : "", padding > 0 ? padding : 0, "");
	}
	fputc('\n', out);
}

void table_print(struct table *table, enum look_colour colour, FILE *out)
{
	for (size_t i = 0; i < table->row_count; i++)
		print_row(table, &table->rows[i], colour, out);
	free(table->rows);
	*table = (struct table){ 0 };
}
