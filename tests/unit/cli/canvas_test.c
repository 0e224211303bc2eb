/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/canvas.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct canvas canvas;

static void assert_picture(const char *expected, enum look_colour colour)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	canvas_print(&canvas, colour, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	canvas_done(&canvas);
}

static void text_stays_in_its_place(void **state)
{
	(void)state;
	canvas_init(&canvas, 10, 3);
	assert_int_equal(canvas_put(&canvas, (struct canvas_place){ 0, 2, 4 }, LOOK_PLAIN, "ab"), 2);
	assert_int_equal(canvas_put(&canvas, (struct canvas_place){ 1, 2, 4 }, LOOK_PLAIN, "abcdef"), 4);
	assert_int_equal(canvas_put_right(&canvas, (struct canvas_place){ 2, 2, 4 }, LOOK_PLAIN, "ab"), 2);
	assert_picture("  ab\n  abc~\n    ab\n", LOOK_COLOURLESS);
}

static void what_is_outside_is_not_drawn(void **state)
{
	(void)state;
	canvas_init(&canvas, 4, 1);
	canvas_put(&canvas, (struct canvas_place){ -1, 0, 4 }, LOOK_PLAIN, "x");
	canvas_put(&canvas, (struct canvas_place){ 1, 0, 4 }, LOOK_PLAIN, "x");
	canvas_put(&canvas, (struct canvas_place){ 0, 4, 4 }, LOOK_PLAIN, "x");
	canvas_put(&canvas, (struct canvas_place){ 0, -1, 4 }, LOOK_PLAIN, "x");
	canvas_put(&canvas, (struct canvas_place){ 0, 0, -2 }, LOOK_PLAIN, "x");
	canvas_put(&canvas, (struct canvas_place){ 0, 2, 100 }, LOOK_PLAIN, "abc");
	assert_picture("  a~\n", LOOK_COLOURLESS);
	canvas_init(&canvas, -5, 0);
	assert_int_equal(canvas.width, 1);
	assert_picture("\n", LOOK_COLOURLESS);
}

static void wide_characters_are_never_halved(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	canvas_init(&canvas, 6, 3);
	canvas_put(&canvas, (struct canvas_place){ 0, 0, 3 }, LOOK_PLAIN, "\xe4\xb8\xad\xe4\xb8\xad");
	canvas_put(&canvas, (struct canvas_place){ 1, 0, 6 }, LOOK_PLAIN, "\xe4\xb8\xad\xe4\xb8\xad");
	canvas_put(&canvas, (struct canvas_place){ 1, 1, 2 }, LOOK_PLAIN, "xy");
	canvas_put(&canvas, (struct canvas_place){ 2, 5, 1 }, LOOK_PLAIN, "\xe4\xb8\xad");
	assert_picture("\xe4\xb8\xad~\n xy\n     ~\n", LOOK_COLOURLESS);
}

static void looks_come_and_go(void **state)
{
	(void)state;
	canvas_init(&canvas, 8, 1);
	canvas_put(&canvas, canvas_rest(&canvas, 0, 0), LOOK_PLAIN, "ab");
	canvas_put(&canvas, canvas_rest(&canvas, 0, 2), LOOK_BAD, "cd");
	canvas_put(&canvas, canvas_rest(&canvas, 0, 4), LOOK_PLAIN, "e");
	assert_picture("ab\x1b[1;31mcd\x1b[0me\n", LOOK_COLOURED);
}

static void runs_have_one_look(void **state)
{
	(void)state;
	char text[32];
	int column = 0;
	canvas_init(&canvas, 5, 1);
	canvas_put(&canvas, canvas_rest(&canvas, 0, 1), LOOK_GOOD, "up");
	assert_string_equal(canvas_run(&canvas, 0, &column, text, sizeof(text)), " ");
	assert_int_equal(canvas_look(&canvas, 0, column), LOOK_GOOD);
	assert_string_equal(canvas_run(&canvas, 0, &column, text, sizeof(text)), "up");
	assert_string_equal(canvas_run(&canvas, 0, &column, text, sizeof(text)), "  ");
	assert_int_equal(column, 5);
	canvas_done(&canvas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_in_its_place),
		cmocka_unit_test(what_is_outside_is_not_drawn),
		cmocka_unit_test(wide_characters_are_never_halved),
		cmocka_unit_test(looks_come_and_go),
		cmocka_unit_test(runs_have_one_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
