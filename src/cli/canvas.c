/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/canvas.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int bounded(int value, int max)
{
	return value < 1 ? 1 : value > max ? max : value;
}

static const struct shown_character blank = { .bytes = " ", .width = 1 };

void canvas_init(struct canvas *canvas, int width, int height)
{
	canvas->width = bounded(width, CANVAS_WIDTH_MAX);
	canvas->height = bounded(height, CANVAS_HEIGHT_MAX);
	size_t count = (size_t)canvas->width * (size_t)canvas->height;
	canvas->cells = memory_alloc_zeroed(count, sizeof(*canvas->cells));
	for (size_t i = 0; i < count; i++)
		canvas->cells[i].character = blank;
}

void canvas_done(struct canvas *canvas)
{
	free(canvas->cells);
	*canvas = (struct canvas){ 0 };
}

static struct canvas_cell *cell_at(const struct canvas *canvas, int row, int column)
{
	return &canvas->cells[row * canvas->width + column];
}

struct canvas_place canvas_rest(const struct canvas *canvas, int row, int column)
{
	return (struct canvas_place){ row, column, canvas->width - column };
}

/* A character of two columns that loses one of them leaves a blank. */
static void clear(struct canvas *canvas, int row, int column)
{
	struct canvas_cell *cell = cell_at(canvas, row, column);
	if (cell->character.width == 0 && column > 0)
		cell_at(canvas, row, column - 1)->character = blank;
	if (cell->character.width == 2 && column + 1 < canvas->width)
		cell_at(canvas, row, column + 1)->character = blank;
	cell->character = blank;
}

static void set(struct canvas *canvas, struct canvas_place place, enum look look,
		const struct shown_character *character)
{
	for (int i = 0; i < character->width; i++) {
		struct canvas_cell *cell = cell_at(canvas, place.row, place.column + i);
		clear(canvas, place.row, place.column + i);
		cell->look = look;
	}
	cell_at(canvas, place.row, place.column)->character = *character;
	if (character->width == 2)
		cell_at(canvas, place.row, place.column + 1)->character = (struct shown_character){ .bytes = "" };
}

static bool cut_to_canvas(const struct canvas *canvas, struct canvas_place *place)
{
	if (place->row < 0 || place->row >= canvas->height || place->column < 0 || place->column >= canvas->width)
		return false;
	if (place->width > canvas->width - place->column)
		place->width = canvas->width - place->column;
	return place->width > 0;
}

int canvas_put(struct canvas *canvas, struct canvas_place place, enum look look, const char *text)
{
	static const struct shown_character cut = { .bytes = "~", .width = 1 };
	if (!cut_to_canvas(canvas, &place))
		return 0;
	int first = place.column;
	int end = place.column + place.width;
	bool fits = shown_text_width(text) <= (size_t)place.width;
	while (*text != '\0') {
		struct shown_character character;
		text = shown_text_next(text, &character);
		if (!fits && place.column + character.width >= end) {
			set(canvas, place, look, &cut);
			place.column++;
			break;
		}
		set(canvas, place, look, &character);
		place.column += character.width;
	}
	return place.column - first;
}

int canvas_put_right(struct canvas *canvas, struct canvas_place place, enum look look, const char *text)
{
	int width = (int)shown_text_width(text);
	if (width < place.width) {
		place.column += place.width - width;
		place.width = width;
	}
	return canvas_put(canvas, place, look, text);
}

int canvas_format(struct canvas *canvas, struct canvas_place place, enum look look, const char *format, ...)
{
	char text[CANVAS_TEXT_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return canvas_put(canvas, place, look, text);
}

void canvas_paint(struct canvas *canvas, int row, enum look look)
{
	for (int column = 0; row >= 0 && row < canvas->height && column < canvas->width; column++)
		cell_at(canvas, row, column)->look = look;
}

enum look canvas_look(const struct canvas *canvas, int row, int column)
{
	return cell_at(canvas, row, column)->look;
}

char *canvas_run(const struct canvas *canvas, int row, int *column, char *buf, size_t buf_bytes)
{
	enum look look = cell_at(canvas, row, *column)->look;
	size_t len = 0;
	buf[0] = '\0';
	while (*column < canvas->width) {
		const struct canvas_cell *cell = cell_at(canvas, row, *column);
		size_t bytes = strlen(cell->character.bytes);
		if (cell->look != look || bytes >= buf_bytes - len)
			break;
		memcpy(buf + len, cell->character.bytes, bytes + 1);
		len += bytes;
		(*column)++;
	}
	return buf;
}

static int used_columns(const struct canvas *canvas, int row)
{
	int count = canvas->width;
	while (count > 0 && strcmp(cell_at(canvas, row, count - 1)->character.bytes, " ") == 0)
		count--;
	return count;
}

static void print_row(const struct canvas *canvas, int row, enum look_colour colour, FILE *out)
{
	int count = used_columns(canvas, row);
	enum look look = LOOK_PLAIN;
	for (int column = 0; column < count; column++) {
		const struct canvas_cell *cell = cell_at(canvas, row, column);
		if (colour == LOOK_COLOURED && cell->look != look) {
			fputs(look != LOOK_PLAIN ? LOOK_END : "", out);
			fputs(look_begin(cell->look), out);
			look = cell->look;
		}
		fputs(cell->character.bytes, out);
	}
	fputs(look != LOOK_PLAIN ? LOOK_END "\n" : "\n", out);
}

void canvas_print(const struct canvas *canvas, enum look_colour colour, FILE *out)
{
	for (int row = 0; row < canvas->height; row++)
		print_row(canvas, row, colour, out);
}
