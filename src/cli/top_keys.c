/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_keys.h"

#include <stddef.h>

static const struct {
	const char *keys;
	const char *meaning;
	const char *briefly; /* in at most 10 columns */
} keys[] = {
	{ "s", "services", "services" },
	{ "p", "pools and servers", "servers" },
	{ "f", "live flows", "flows" },
	{ "t", "talkers: who uses it most", "talkers" },
	{ "e", "events", "events" },
	{ "r", "refused, by reason", "refused" },
	{ "< >", "sort by another column", "sort by" },
	{ "o", "the other way round", "reverse" },
	{ "/", "only rows that have a text", "filter" },
	{ "Esc", "all rows again", "no filter" },
	{ "arrows", "scroll up and down, sort left and right", "scroll" },
	{ "PgUp/Dn", "scroll by pages", "by pages" },
	{ "Home/End", "first and last rows", "first last" },
	{ "space", "stand still, go on", "pause" },
	{ "Ctrl-L", "draw the screen anew", "draw anew" },
	{ "q", "quit", "quit" },
};

enum {
	KEY_COUNT = sizeof(keys) / sizeof(keys[0]),
	KEY_WIDTH = 9,
	MEANING_WIDTH = 40,
};

void top_keys_draw(struct canvas *canvas)
{
	int lines = canvas->height - 2;
	int columns = lines >= KEY_COUNT ? 1 : (KEY_COUNT + lines - 1) / (lines > 0 ? lines : 1);
	int width = columns > 1 ? canvas->width / columns : canvas->width;
	lines = (KEY_COUNT + columns - 1) / columns;
	canvas_paint(canvas, 0, LOOK_TITLE);
	canvas_put(canvas, canvas_rest(canvas, 0, 0), LOOK_TITLE, "strait top: keys");
	for (int i = 0; i < KEY_COUNT; i++) {
		int left = i / lines * width;
		struct canvas_place key = { 1 + i % lines, left, KEY_WIDTH - 1 };
		struct canvas_place meaning = { key.row, left + KEY_WIDTH, width - KEY_WIDTH - 1 };
		canvas_put(canvas, key, LOOK_HEAD, keys[i].keys);
		canvas_put(canvas, meaning, LOOK_PLAIN,
			   meaning.width < MEANING_WIDTH ? keys[i].briefly : keys[i].meaning);
	}
	canvas_put(canvas, canvas_rest(canvas, canvas->height - 1, 0), LOOK_QUIET, "any key goes back, q quits");
}
