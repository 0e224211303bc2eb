/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen_size.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SIZE_MAX_READ = 9999 };

static int read_size(const char *name, int otherwise)
{
	const char *text = getenv(name);
	long size = text != NULL ? strtol(text, NULL, 10) : 0;
	return size > 0 && size <= SIZE_MAX_READ ? (int)size : otherwise;
}

struct screen_size screen_size_find(void)
{
	struct screen_size size = { SCREEN_WIDTH, SCREEN_HEIGHT };
	struct winsize window;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0)
		size = (struct screen_size){ window.ws_col, window.ws_row };
	return (struct screen_size){ read_size("COLUMNS", size.width), read_size("LINES", size.height) };
}
