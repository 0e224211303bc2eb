/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two configurations, in words: one line for each service, pool or server that was added, removed or
 * changed, and for the top level. For people who reload; nothing is decided by it. Any thread.
 */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "config/config.h"

struct diff {
	char **lines; /* without newlines */
	size_t count;
};

/* Lines stand in the order of the newer configuration, removals after them. */
void diff_make(const struct config *older, const struct config *newer, struct diff *ret_diff);
void diff_done(struct diff *diff);

/* Parts that cannot be changed while strait runs; NULL when none of them differs, else the name of the directive. */
const char *diff_find_fixed(const struct config *older, const struct config *newer);

#endif
