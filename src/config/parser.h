/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one file: takes its tokens together to statements and blocks and hands each to apply. After a mistake it goes on
 * where the next statement begins, so that all mistakes are found in one run without inventing others. Blocks nest one
 * deep; what is in the braces of anything else is passed over. Not recursive.
 *
 * Borrows everything. One thread at a time.
 */
#ifndef CONFIG_PARSER_H
#define CONFIG_PARSER_H

#include "config/apply.h"

#include <stdint.h>

enum {
	PARSER_VALUES_MAX = 4096, /* in a statement */
	PARSER_ERRORS_MAX = 1000, /* reading stops: this is no configuration */
};

/* Reads the file that was added to the report under that number. */
void parser_read(struct apply *apply, uint32_t file);

#endif
