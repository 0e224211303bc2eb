/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of the live view: asks the daemon, draws, and does what keys and signals say; or one picture as text. Ends by a
 * key, by INT, TERM or HUP, or when the terminal is gone; the terminal is given back first.
 */
#ifndef CLI_TOP_SESSION_H
#define CLI_TOP_SESSION_H

#include "cli/admin_client.h"
#include "cli/look.h"
#include "cli/top_screen.h"

#include <stdint.h>

struct top_session {
	struct admin_client client;
	uint64_t every_ms;
	enum look_colour colour;
	struct top_screen screen;
	struct top_model model;
};

/* Returns an exit code, or does not return: a signal that ended it ends the program, too. */
int top_session_run(struct top_session *session);

/*
 * One picture on stdout, of two answers every_ms apart, as a rate needs. Of the height of `height` lines, or, if that is 0,
 * of as many as there are rows. Returns an exit code.
 */
int top_session_print_once(struct top_session *session, int width, int height);

#endif
