/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_terminal.h"

#include "cli/top_screen.h"

#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

enum { ESCAPE_MS = 50 }; /* for what follows an escape character, when it begins a key */

static SCREEN *terminal; /* NULL: not open */
static attr_t attributes[LOOK_COUNT];
static short pairs[LOOK_COUNT];

bool top_terminal_is_there(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* --- opening and closing ----------------------------------------------------------------------------------------- */

static void choose_looks(enum look_colour colour)
{
	static const short colours[LOOK_COUNT] = {
		[LOOK_GOOD] = COLOR_GREEN,
		[LOOK_CAUTION] = COLOR_YELLOW,
		[LOOK_BAD] = COLOR_RED,
	};
	attributes[LOOK_HEAD] = A_BOLD;
	attributes[LOOK_TITLE] = A_REVERSE;
	attributes[LOOK_CAUTION] = A_BOLD;
	attributes[LOOK_BAD] = A_BOLD | A_REVERSE;
	if (colour == LOOK_COLOURLESS || !has_colors() || start_color() == ERR)
		return;
	short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
	for (int look = 0; look < LOOK_COUNT; look++)
		if (colours[look] != 0 && init_pair((short)look, colours[look], background) == OK)
			pairs[look] = (short)look;
}

/* A CHECK has failed: its message is on stderr and must not be lost with the screen. */
static void on_abort(int signal_number)
{
	endwin();
	raise(signal_number);
}

static int refuse(const char *name, char *problem)
{
	snprintf(problem, TOP_TERMINAL_PROBLEM_BYTES,
		 "the terminal (TERM=%s) cannot show a full screen; use strait top --once or strait status",
		 name != NULL ? name : "");
	return -ENOTSUP;
}

static bool can_show(const char *name)
{
	int error;
	if (name == NULL || name[0] == '\0' || setupterm(name, STDOUT_FILENO, &error) == ERR)
		return false;
	bool can = cursor_address != NULL;
	del_curterm(cur_term);
	return can;
}

int top_terminal_open(enum look_colour colour, char ret_problem[TOP_TERMINAL_PROBLEM_BYTES])
{
	const char *name = getenv("TERM");
	if (!can_show(name))
		return refuse(name, ret_problem);
	terminal = newterm(name, stdout, stdin);
	if (terminal == NULL)
		return refuse(name, ret_problem);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	scrollok(stdscr, FALSE);
	leaveok(stdscr, TRUE);
	curs_set(0);
	choose_looks(colour);
	sigaction(SIGABRT, &(struct sigaction){ .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND }, NULL);
	atexit(top_terminal_close);
	top_terminal_resize();
	return 0;
}

void top_terminal_close(void)
{
	if (terminal == NULL)
		return;
	curs_set(1);
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

void top_terminal_leave(void)
{
	curs_set(1);
	endwin();
}

/* --- size -------------------------------------------------------------------------------------------------------- */

void top_terminal_resize(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
		resizeterm(size.ws_row, size.ws_col);
	curs_set(0);
	clearok(stdscr, TRUE);
}

int top_terminal_width(void)
{
	return COLS;
}

int top_terminal_height(void)
{
	return LINES;
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static void draw_row(const struct canvas *canvas, int row)
{
	char text[CANVAS_TEXT_BYTES];
	int column = 0;
	while (column < canvas->width) {
		int first = column;
		enum look look = canvas_look(canvas, row, column);
		canvas_run(canvas, row, &column, text, sizeof(text));
		attr_set(attributes[look], pairs[look], NULL);
		mvaddstr(row, first, text);
	}
}

void top_terminal_draw(const struct canvas *canvas)
{
	erase();
	for (int row = 0; row < canvas->height && row < LINES; row++)
		draw_row(canvas, row);
	attr_set(A_NORMAL, 0, NULL);
	refresh();
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

static int translate(wint_t key)
{
	static const struct {
		wint_t from;
		int to;
	} keys[] = {
		{ KEY_UP, TOP_KEY_UP },       { KEY_DOWN, TOP_KEY_DOWN },     { KEY_LEFT, TOP_KEY_LEFT },
		{ KEY_RIGHT, TOP_KEY_RIGHT }, { KEY_PPAGE, TOP_KEY_PAGE_UP }, { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, TOP_KEY_HOME },   { KEY_END, TOP_KEY_END },       { KEY_BACKSPACE, TOP_KEY_BACKSPACE },
		{ KEY_ENTER, TOP_KEY_ENTER },
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].from == key)
			return keys[i].to;
	return TOP_KEY_NONE;
}

/* A terminal that has gone away is always readable and never has anything to read. */
static bool is_gone(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int waiting;
	if (poll(&input, 1, 0) < 1)
		return false;
	return (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 || ioctl(STDIN_FILENO, FIONREAD, &waiting) < 0 ||
	       waiting == 0;
}

int top_terminal_read_key(bool *ret_is_over)
{
	wint_t key;
	*ret_is_over = false;
	for (;;) {
		int kind = get_wch(&key);
		if (kind == ERR) {
			*ret_is_over = is_gone();
			return TOP_KEY_NONE;
		}
		if (kind == OK)
			return key == '\r' ? TOP_KEY_ENTER : (int)key;
		int translated = translate(key);
		if (translated != TOP_KEY_NONE)
			return translated;
	}
}
