/* SPDX-License-Identifier: Apache-2.0 */
/* How a word looks on a terminal. Looks only repeat what the words say. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

enum look {
	LOOK_PLAIN,
	LOOK_QUIET, /* of less interest */
	LOOK_HEAD,  /* of a column */
	LOOK_TITLE, /* a bar over the whole width */
	LOOK_GOOD,
	LOOK_CAUTION,
	LOOK_BAD,
	LOOK_COUNT
};

enum look_colour { LOOK_COLOURLESS, LOOK_COLOURED };

/* The escape sequence (ECMA-48, SGR) that begins a look in a stream of text; "" for none. */
const char *look_begin(enum look look);

/* The one that ends any of them. */
#define LOOK_END "\x1b[0m"

#endif
