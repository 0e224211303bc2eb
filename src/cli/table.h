/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and short numbers on a terminal. What comes from the daemon cannot steer the terminal. Pure, but for out. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/look.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	TABLE_NUMBER_BYTES = 32,
	TABLE_COLUMNS_MAX = 10,
	TABLE_CELL_BYTES = 160,
};

struct table_row {
	enum look look; /* of one cell */
	size_t look_column;
	char cells[TABLE_COLUMNS_MAX][TABLE_CELL_BYTES];
};

struct table {
	size_t column_count;
	size_t row_count;
	struct table_row *rows; /* the first is the head */
};

void table_begin(struct table *table, const char *const *heads, size_t column_count);
/* An empty row, valid until the next is added. */
struct table_row *table_add(struct table *table);
/* Cut to the cell, and made fit for a terminal (cli/shown_text.h). */
void table_set(struct table_row *row, size_t column, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Ends it: releases the rows. */
void table_print(struct table *table, enum look_colour colour, FILE *out);

/* "812", "50.0k", "1.2M": at most three digits before the point. All return buf, of TABLE_NUMBER_BYTES. */
char *table_count(uint64_t number, char *buf);
/* "812 B", "1.2 MiB" */
char *table_size(uint64_t bytes, char *buf);
/* "812", "1.2K", "3.4M": at most six characters. Bytes, in powers of 1024 */
char *table_size_short(uint64_t bytes, char *buf);
/* A rate: "0", "0.4", "9.9", "12", "1.2k" */
char *table_rate(double rate, char *buf);
/* "12s", "3m20s", "2h5m", "4d3h" */
char *table_time(uint64_t seconds, char *buf);

#endif
