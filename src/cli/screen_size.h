/* SPDX-License-Identifier: Apache-2.0 */
/* How much room there is on stdout. */
#ifndef CLI_SCREEN_SIZE_H
#define CLI_SCREEN_SIZE_H

enum {
	SCREEN_WIDTH = 80, /* where nobody knows better */
	SCREEN_HEIGHT = 24,
};

struct screen_size {
	int width;
	int height;
};

/* COLUMNS and LINES of the environment, else what the terminal says, else the sizes above. */
struct screen_size screen_size_find(void);

#endif
