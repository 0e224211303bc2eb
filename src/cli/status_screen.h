/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of a daemon on one screen for people: is it well and since when, what needs attention, what is exposed and
 * how much flows, how the servers are. Problems come first, then what is busiest; what has no room is counted. Pure, but
 * for writing to out.
 */
#ifndef CLI_STATUS_SCREEN_H
#define CLI_STATUS_SCREEN_H

#include "cli/look.h"

#include <jansson.h>
#include <stdio.h>

struct status_screen {
	const json_t *status;  /* of GET /v1/status */
	const json_t *history; /* of GET /v1/history; NULL: not known */
	const json_t *trends;  /* of GET /v1/trends, of a short window; NULL: the daemon has none */
	int width;
	int height; /* lines at most, but never less than some of each part */
	enum look_colour colour;
};

void status_screen_print(const struct status_screen *screen, FILE *out);

#endif
