/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_screen.h"

#include "cli/document.h"
#include "cli/table.h"
#include "cli/top_keys.h"

#include <stdio.h>
#include <string.h>

enum {
	LATE_MS = 3000,  /* numbers older than that are said to be old */
	HEIGHT_FULL = 6, /* below, only the title stands above the list */
};

void top_screen_init(struct top_screen *screen, const char *where)
{
	*screen = (struct top_screen){ .view = TOP_SERVICES };
	snprintf(screen->where, sizeof(screen->where), "%s", where);
	for (size_t i = 0; i < TOP_VIEW_COUNT; i++)
		screen->lists[i].sort_column = top_views[i]->sort_column;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static bool is_there(const struct top_model *model, const struct top_view *view)
{
	return model->documents[view->document] != NULL && !model->is_missing[view->document];
}

static void make_rows(const struct top_screen *screen, const struct top_model *model, struct list *ret_list)
{
	const struct top_view *view = top_views[screen->view];
	list_init(ret_list, view->columns, view->column_count);
	if (!is_there(model, view))
		return;
	view->fill(model, ret_list);
	list_filter(ret_list, screen->filter);
	list_sort(ret_list, screen->lists[screen->view].sort_column, screen->lists[screen->view].is_reverse);
}

/* --- above the list ---------------------------------------------------------------------------------------------- */

static void draw_title(const struct top_screen *screen, const struct top_model *model, struct canvas *canvas, int row)
{
	char age[TABLE_NUMBER_BYTES];
	const json_t *status = model->documents[TOP_STATUS];
	bool is_degraded = json_is_true(json_object_get(status, "is_degraded"));
	const char *word = is_degraded ? "DEGRADED" : "well";
	int width = (int)strlen(word);
	canvas_paint(canvas, row, LOOK_TITLE);
	if (status == NULL) {
		canvas_format(canvas, canvas_rest(canvas, row, 0), LOOK_TITLE, "strait at %s", screen->where);
		return;
	}
	struct canvas_place left = { row, 0, canvas->width - width - 1 };
	canvas_format(canvas, left, LOOK_TITLE, "strait %s  %s %s  generation %llu  %s",
		      document_text(status, "version"), document_text(status, "phase"),
		      table_time(document_number(status, "uptime_seconds"), age),
		      (unsigned long long)document_number(status, "generation"), screen->where);
	canvas_put_right(canvas, (struct canvas_place){ row, canvas->width - width, width },
			 is_degraded ? LOOK_BAD : LOOK_TITLE, word);
}

static void draw_totals(const struct top_model *model, struct canvas *canvas, int row)
{
	char numbers[5][TABLE_NUMBER_BYTES];
	const json_t *status = model->documents[TOP_STATUS];
	const struct top_counts *services = &model->services;
	canvas_format(canvas, canvas_rest(canvas, row, 0), LOOK_PLAIN,
		      "%s active  %s flows/s  in %sB/s  out %sB/s  refused %s/s",
		      table_count(document_sum(json_object_get(status, "services"), "flows_active"), numbers[0]),
		      table_rate(top_model_rate_sum(services, "flows_total"), numbers[1]),
		      table_size_short((uint64_t)top_model_rate_sum(services, "bytes_in"), numbers[2]),
		      table_size_short((uint64_t)top_model_rate_sum(services, "bytes_out"), numbers[3]),
		      table_rate(top_model_rate_sum(services, "refused_total"), numbers[4]));
}

/* "[services] pools flows talkers events refused", by first letters where there is no room. */
static void draw_tabs(const struct top_screen *screen, struct canvas *canvas, int row)
{
	bool is_narrow = canvas->width < 60;
	int column = 0;
	for (size_t i = 0; i < TOP_VIEW_COUNT; i++) {
		bool is_chosen = i == screen->view;
		int len = is_narrow && !is_chosen ? 1 : (int)strlen(top_views[i]->name);
		column += canvas_format(canvas, canvas_rest(canvas, row, column), is_chosen ? LOOK_TITLE : LOOK_PLAIN,
					"%s%.*s%s", is_chosen ? "[" : " ", len, top_views[i]->name,
					is_chosen ? "]" : " ");
	}
	canvas_put_right(canvas, canvas_rest(canvas, row, column), LOOK_PLAIN, is_narrow ? "? q" : "? help  q quit");
}

/* --- below it ---------------------------------------------------------------------------------------------------- */

/* What is wrong with the numbers, or NULL. */
static const char *find_trouble(const struct top_model *model, uint64_t now_ms, char *text, size_t bytes)
{
	char age[TABLE_NUMBER_BYTES];
	uint64_t old_ms = now_ms > model->answered_ms ? now_ms - model->answered_ms : 0;
	table_time(old_ms / 1000, age);
	if (model->problem[0] != '\0' && model->answered_ms == 0)
		snprintf(text, bytes, "no answer yet: %s; asking again", model->problem);
	else if (model->problem[0] != '\0')
		snprintf(text, bytes, "no answer for %s: %s; asking again", age, model->problem);
	else if (model->answered_ms > 0 && old_ms > LATE_MS)
		snprintf(text, bytes, "waiting for the daemon: these numbers are %s old", age);
	else
		return NULL;
	return text;
}

static int draw_place(const struct top_screen *screen, const struct list *list, struct canvas *canvas, int row)
{
	const struct top_view *view = top_views[screen->view];
	size_t first = screen->lists[screen->view].first;
	size_t last = first + screen->page_rows < list->row_count ? first + screen->page_rows : list->row_count;
	char text[128];
	snprintf(text, sizeof(text), "%zu-%zu of %zu, by %s%s", list->row_count > 0 ? first + 1 : 0, last,
		 list->row_count, view->columns[screen->lists[screen->view].sort_column].head,
		 screen->lists[screen->view].is_reverse ? ", reversed" : "");
	canvas_put_right(canvas, canvas_rest(canvas, row, 0), LOOK_PLAIN, text);
	return canvas->width - (int)strlen(text) - 1;
}

/* The most important of what there is to say, and where in the list this is. */
static void draw_bottom(const struct top_screen *screen, const struct top_model *model, uint64_t now_ms,
			const struct list *list, struct canvas *canvas)
{
	char text[CANVAS_TEXT_BYTES] = "";
	char note[TOP_NOTE_BYTES] = "";
	enum look look = LOOK_PLAIN;
	const struct top_view *view = top_views[screen->view];
	int row = canvas->height - 1;
	struct canvas_place left = { row, 0, canvas->width };
	if (screen->is_typing) {
		canvas_format(canvas, left, LOOK_TITLE, "/%s_  (Enter keeps, Esc clears)", screen->filter);
		return;
	}
	if (screen->is_paused)
		snprintf(text, sizeof(text), "PAUSED, space goes on");
	else if (find_trouble(model, now_ms, text, sizeof(text)) != NULL)
		look = LOOK_BAD;
	else if (view->note != NULL && is_there(model, view))
		view->note(model, note);
	if (look == LOOK_PLAIN)
		left.width = draw_place(screen, list, canvas, row);
	int used = canvas_put(canvas, left, look, text[0] != '\0' ? text : note);
	if (screen->filter[0] != '\0' && look == LOOK_PLAIN) {
		left.column = used > 0 ? used + 2 : 0;
		left.width -= left.column;
		canvas_format(canvas, left, LOOK_TITLE, "/%s", screen->filter);
	}
}

/* --- the picture ------------------------------------------------------------------------------------------------- */

static void draw_nothing(const struct top_screen *screen, const struct top_model *model, struct canvas *canvas, int row)
{
	const struct top_view *view = top_views[screen->view];
	const char *text = view->nothing;
	if (model->is_missing[view->document])
		text = view->missing;
	else if (model->documents[view->document] == NULL)
		text = "asking ...";
	else if (screen->filter[0] != '\0')
		text = "nothing has that text";
	canvas_put(canvas, canvas_rest(canvas, row, 0), LOOK_QUIET, text);
}

static void draw_list(struct top_screen *screen, const struct list *list, struct canvas *canvas, int row)
{
	size_t *first = &screen->lists[screen->view].first;
	screen->row_count = list->row_count;
	screen->page_rows = canvas->height - row > 2 ? (size_t)(canvas->height - row - 2) : 1;
	size_t last_first = list->row_count > screen->page_rows ? list->row_count - screen->page_rows : 0;
	*first = *first < last_first ? *first : last_first;
	struct list_window window = { row, (int)screen->page_rows + 1, *first,
				      screen->lists[screen->view].sort_column };
	list_draw(list, canvas, window);
}

static int draw_top(const struct top_screen *screen, const struct top_model *model, struct canvas *canvas)
{
	int row = 0;
	draw_title(screen, model, canvas, row++);
	if (canvas->height < HEIGHT_FULL)
		return row;
	draw_totals(model, canvas, row++);
	draw_tabs(screen, canvas, row++);
	return row;
}

void top_screen_draw(struct top_screen *screen, const struct top_model *model, uint64_t now_ms, struct canvas *canvas)
{
	struct list list;
	if (screen->is_helping) {
		top_keys_draw(canvas);
		return;
	}
	int row = draw_top(screen, model, canvas);
	make_rows(screen, model, &list);
	draw_list(screen, &list, canvas, row);
	if (list.row_count == 0)
		draw_nothing(screen, model, canvas, row + 1);
	draw_bottom(screen, model, now_ms, &list, canvas);
	list_done(&list);
}

int top_screen_height_whole(const struct top_screen *screen, const struct top_model *model)
{
	struct list list;
	make_rows(screen, model, &list);
	int height = (int)(list.row_count > 0 ? list.row_count : 1) + 5;
	list_done(&list);
	return height;
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

/* UTF-8, RFC 3629. Control characters and what has no room are ignored. */
static void type(struct top_screen *screen, int key)
{
	size_t len = strlen(screen->filter);
	unsigned char *at = (unsigned char *)screen->filter + len;
	if (key < 0x20 || key == 0x7f || key >= 0x110000 || (key >= 0xd800 && key < 0xe000) ||
	    len + 5 > TOP_FILTER_BYTES)
		return;
	if (key < 0x80) {
		*at++ = (unsigned char)key;
	} else {
		int count = key < 0x800 ? 1 : key < 0x10000 ? 2 : 3;
		static const unsigned char heads[] = { 0, 0xc0, 0xe0, 0xf0 };
		*at++ = (unsigned char)(heads[count] | (key >> (6 * count)));
		while (count-- > 0)
			*at++ = (unsigned char)(0x80 | ((key >> (6 * count)) & 0x3f));
	}
	*at = '\0';
}

static void rub_out(struct top_screen *screen)
{
	size_t len = strlen(screen->filter);
	while (len > 0 && ((unsigned char)screen->filter[len - 1] & 0xc0) == 0x80)
		len--;
	screen->filter[len > 0 ? len - 1 : 0] = '\0';
}

static void press_typing(struct top_screen *screen, int key)
{
	if (key == TOP_KEY_ENTER)
		screen->is_typing = false;
	else if (key == TOP_KEY_BACKSPACE || key == 0x7f)
		rub_out(screen);
	else if (key == TOP_KEY_ESCAPE) {
		screen->filter[0] = '\0';
		screen->is_typing = false;
	} else
		type(screen, key);
	screen->lists[screen->view].first = 0;
}

/* What is too far is brought back when it is drawn. */
static bool scroll(struct top_screen *screen, int key)
{
	size_t *first = &screen->lists[screen->view].first;
	size_t page = screen->page_rows > 0 ? screen->page_rows : 1;
	if (key == TOP_KEY_UP)
		*first -= *first > 0;
	else if (key == TOP_KEY_DOWN)
		*first += 1;
	else if (key == TOP_KEY_PAGE_UP)
		*first -= *first > page ? page : *first;
	else if (key == TOP_KEY_PAGE_DOWN)
		*first += page;
	else if (key == TOP_KEY_HOME)
		*first = 0;
	else if (key == TOP_KEY_END)
		*first = screen->row_count;
	else
		return false;
	return true;
}

static bool sort(struct top_screen *screen, int key)
{
	size_t count = top_views[screen->view]->column_count;
	size_t *column = &screen->lists[screen->view].sort_column;
	if (key == '<' || key == TOP_KEY_LEFT)
		*column = (*column + count - 1) % count;
	else if (key == '>' || key == TOP_KEY_RIGHT)
		*column = (*column + 1) % count;
	else if (key == 'o')
		screen->lists[screen->view].is_reverse = !screen->lists[screen->view].is_reverse;
	else
		return false;
	if (key != 'o')
		screen->lists[screen->view].is_reverse = false;
	screen->lists[screen->view].first = 0;
	return true;
}

static bool choose_view(struct top_screen *screen, int key)
{
	for (size_t i = 0; i < TOP_VIEW_COUNT; i++)
		if (top_views[i]->key == key) {
			screen->view = i;
			return true;
		}
	return false;
}

static bool press_command(struct top_screen *screen, int key)
{
	switch (key) {
	case 'q':
		screen->is_over = true;
		return true;
	case '?':
	case 'h':
		screen->is_helping = true;
		return true;
	case ' ':
		screen->is_paused = !screen->is_paused;
		return true;
	case '/':
		screen->is_typing = true;
		return true;
	case TOP_KEY_ESCAPE:
		screen->filter[0] = '\0';
		return true;
	case TOP_KEY_REDRAW:
		return true;
	default:
		return false;
	}
}

bool top_screen_press(struct top_screen *screen, int key)
{
	if (screen->is_typing) {
		press_typing(screen, key);
		return true;
	}
	if (screen->is_helping) {
		screen->is_helping = false;
		screen->is_over = key == 'q';
		return true;
	}
	return press_command(screen, key) || choose_view(screen, key) || scroll(screen, key) || sort(screen, key);
}
