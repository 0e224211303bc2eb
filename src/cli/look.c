/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/look.h"

const char *look_begin(enum look look)
{
	static const char *const sequences[LOOK_COUNT] = {
		[LOOK_PLAIN] = "",         [LOOK_QUIET] = "\x1b[2m", [LOOK_HEAD] = "\x1b[1m",
		[LOOK_TITLE] = "\x1b[1m",  [LOOK_GOOD] = "\x1b[32m", [LOOK_CAUTION] = "\x1b[33m",
		[LOOK_BAD] = "\x1b[1;31m",
	};
	return sequences[look];
}
