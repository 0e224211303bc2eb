/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A screen that is only memory: rows of cells, each with a character and a look. Views draw on it, and what they drew
 * goes to a terminal (cli/top_terminal.h) or, as lines of text, to a file. Everything drawn passes shown_text, so nothing
 * from elsewhere can break a row. What is outside is not drawn. Pure, but for writing to out.
 */
#ifndef CLI_CANVAS_H
#define CLI_CANVAS_H

#include "cli/look.h"
#include "cli/shown_text.h"

#include <stdio.h>

enum {
	CANVAS_WIDTH_MAX = 1000,
	CANVAS_HEIGHT_MAX = 20000,
	CANVAS_TEXT_BYTES = 1024, /* of one canvas_format */
};

struct canvas_cell {
	struct shown_character character; /* width 0: the right half of the one before */
	enum look look;
};

struct canvas {
	int width;
	int height;
	struct canvas_cell *cells; /* heap, row by row */
};

/* A part of one row. */
struct canvas_place {
	int row;
	int column;
	int width;
};

/* Blank, of at least 1 by 1 and at most the sizes above. */
void canvas_init(struct canvas *canvas, int width, int height);
void canvas_done(struct canvas *canvas);

/* From a column to the right edge. */
struct canvas_place canvas_rest(const struct canvas *canvas, int row, int column);

/* Text that does not fit ends in '~'. Returns the columns used. */
int canvas_put(struct canvas *canvas, struct canvas_place place, enum look look, const char *text);
/* The same at the right side of its place. */
int canvas_put_right(struct canvas *canvas, struct canvas_place place, enum look look, const char *text);
int canvas_format(struct canvas *canvas, struct canvas_place place, enum look look, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Gives a whole row one look. */
void canvas_paint(struct canvas *canvas, int row, enum look look);

/* All rows as lines, without the blanks at their ends. */
void canvas_print(const struct canvas *canvas, enum look_colour colour, FILE *out);

enum look canvas_look(const struct canvas *canvas, int row, int column);

/* The characters of one row from a cell on that have its look, until `column`, which moves behind them. Returns buf. */
char *canvas_run(const struct canvas *canvas, int row, int *column, char *buf, size_t buf_bytes);

#endif
