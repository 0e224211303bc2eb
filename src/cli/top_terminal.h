/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal of the live view, through ncurses, which is used nowhere else. There is one; the thread that opens it is the
 * only one to use it. However the program ends after that, by exit, a signal that the session takes, or a failed CHECK, the
 * terminal is given back as it was.
 */
#ifndef CLI_TOP_TERMINAL_H
#define CLI_TOP_TERMINAL_H

#include "cli/canvas.h"

#include <stdbool.h>

enum { TOP_TERMINAL_PROBLEM_BYTES = 256 };

/* Whether there is one to look at and to type on: stdin and stdout. */
bool top_terminal_is_there(void);

/* is_coloured: false leaves bold and reversed. Returns 0, or -ENOTSUP with a sentence for people. */
int top_terminal_open(enum look_colour colour, char ret_problem[TOP_TERMINAL_PROBLEM_BYTES]);
/* Gives it back; may be called when it was not opened. */
void top_terminal_close(void);

/* Gives it back for a while, until the next top_terminal_resize. */
void top_terminal_leave(void);

/* Looks how large it is now, and draws all of it the next time. */
void top_terminal_resize(void);
int top_terminal_width(void);
int top_terminal_height(void);

/* Of the size of the terminal. */
void top_terminal_draw(const struct canvas *canvas);

/* One of cli/top_screen.h, TOP_KEY_NONE when there is none now. ret_is_over: nothing can be read any more. */
int top_terminal_read_key(bool *ret_is_over);

#endif
