/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct list_column columns[] = {
	{ "NAME", LIST_TEXT, 4, 0 },
	{ "FLOWS", LIST_NUMBER, 6, 1 },
	{ "WHERE", LIST_TEXT, 5, 2 },
};

static struct list list;

static void add(const char *name, double flows, const char *where)
{
	char text[32];
	struct list_row *row = list_add(&list);
	snprintf(text, sizeof(text), "%.0f", flows);
	list_set(row, 0, "%s", name);
	list_set_number(row, 1, flows, text);
	list_set(row, 2, "%s", where);
}

static int begin(void **state)
{
	(void)state;
	list_init(&list, columns, 3);
	add("web", 10, "10.0.0.1:8080");
	add("dns-with-a-long-name", 30, "10.0.0.2:53");
	add("mail", 20, "10.0.0.3:25");
	return 0;
}

static int end(void **state)
{
	(void)state;
	list_done(&list);
	return 0;
}

static void assert_order(const char *names)
{
	char text[256] = "";
	for (size_t i = 0; i < list.row_count; i++) {
		strncat(text, list.rows[i].cells[0], 3);
		strcat(text, " ");
	}
	assert_string_equal(text, names);
}

static void numbers_sort_from_the_greatest(void **state)
{
	(void)state;
	list_sort(&list, 1, false);
	assert_order("dns mai web ");
	list_sort(&list, 1, true);
	assert_order("web mai dns ");
}

static void texts_sort_from_a_to_z(void **state)
{
	(void)state;
	list_sort(&list, 0, false);
	assert_order("dns mai web ");
	list_sort(&list, 99, false);
	assert_order("dns mai web ");
}

static void equals_keep_their_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < list.row_count; i++)
		list.rows[i].values[1] = 5;
	list_sort(&list, 1, true);
	assert_order("web dns mai ");
}

static void a_filter_keeps_what_has_its_text(void **state)
{
	(void)state;
	list_filter(&list, "");
	assert_order("web dns mai ");
	list_filter(&list, "10.0.0.");
	assert_order("web dns mai ");
	list_filter(&list, "WeB");
	assert_order("web ");
	list_filter(&list, "10"); /* of a text: yes; the number 10 alone would not be */
	assert_order("web ");
	list_filter(&list, "nothing has this");
	assert_order("");
}

static char *draw(int width, int height, size_t first)
{
	struct canvas canvas;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	canvas_init(&canvas, width, height);
	list_draw(&list, &canvas, (struct list_window){ 0, height, first, 3 });
	canvas_print(&canvas, LOOK_COLOURLESS, out);
	canvas_done(&canvas);
	fclose(out);
	return text;
}

static void assert_drawn(int width, int height, size_t first, const char *expected)
{
	char *text = draw(width, height, first);
	assert_string_equal(text, expected);
	free(text);
}

static void columns_find_room(void **state)
{
	(void)state;
	assert_drawn(50, 4, 0,
		     "NAME                  FLOWS WHERE\n"
		     "web                      10 10.0.0.1:8080\n"
		     "dns-with-a-long-name     30 10.0.0.2:53\n"
		     "mail                     20 10.0.0.3:25\n");
	assert_drawn(30, 3, 1,
		     "NAME         FLOWS WHERE\n"
		     "dns-with-a~     30 10.0.0.2:53\n"
		     "mail            20 10.0.0.3:25\n");
	assert_drawn(16, 2, 1, "NAME       FLOWS\ndns-with~     30\n");
	assert_drawn(6, 2, 1, "NAME\ndns-w~\n");
	assert_drawn(1, 1, 0, "~\n");
}

static void no_size_is_too_small(void **state)
{
	(void)state;
	for (int width = 1; width < 60; width++)
		for (int height = 1; height < 6; height++)
			free(draw(width, height, (size_t)width));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_sort_from_the_greatest, begin, end),
		cmocka_unit_test_setup_teardown(texts_sort_from_a_to_z, begin, end),
		cmocka_unit_test_setup_teardown(equals_keep_their_order, begin, end),
		cmocka_unit_test_setup_teardown(a_filter_keeps_what_has_its_text, begin, end),
		cmocka_unit_test_setup_teardown(columns_find_room, begin, end),
		cmocka_unit_test_setup_teardown(no_size_is_too_small, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
