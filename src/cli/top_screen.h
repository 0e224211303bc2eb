/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live screen: which view is shown and how it is sorted, filtered and scrolled; what each key does; and the picture of
 * it all. It fits into anything from TOP_WIDTH_MIN by TOP_HEIGHT_MIN; below that the right and lower parts are cut. Pure:
 * keys come in as numbers, and the picture is a canvas.
 */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "cli/canvas.h"
#include "cli/top_model.h"
#include "cli/top_view.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TOP_WIDTH_MIN = 40,
	TOP_HEIGHT_MIN = 10,
	TOP_FILTER_BYTES = 128,
	TOP_WHERE_BYTES = 128,
};

/* A key is a character of Unicode, or one of these. */
enum top_key {
	TOP_KEY_NONE = -1,
	TOP_KEY_BACKSPACE = 0x08,
	TOP_KEY_ENTER = 0x0a,
	TOP_KEY_REDRAW = 0x0c, /* Ctrl-L */
	TOP_KEY_ESCAPE = 0x1b,
	TOP_KEY_UP = 0x110000,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
};

struct top_screen {
	size_t view;
	struct {
		size_t sort_column;
		bool is_reverse;
		size_t first; /* row at the top */
	} lists[TOP_VIEW_COUNT];
	char filter[TOP_FILTER_BYTES];
	bool is_typing; /* the filter */
	bool is_paused;
	bool is_helping;
	bool is_over;
	char where[TOP_WHERE_BYTES]; /* the daemon's address */
	/* Of the last picture: what page keys go by. */
	size_t page_rows;
	size_t row_count;
};

void top_screen_init(struct top_screen *screen, const char *where);

/* Returns false when the key means nothing here. */
bool top_screen_press(struct top_screen *screen, int key);

/* now_ms: of the clock of the model. Brings what is scrolled too far back into view. */
void top_screen_draw(struct top_screen *screen, const struct top_model *model, uint64_t now_ms, struct canvas *canvas);

/* All rows without a screen: the lines that it takes, for a canvas of that height. */
int top_screen_height_whole(const struct top_screen *screen, const struct top_model *model);

#endif
