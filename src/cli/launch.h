/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the daemon without a file: the commands tcp, udp and demo write a configuration as text and load it like any
 * other, so that errors look alike.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdio.h>

/* Runs the daemon with the text, which messages call by `name`. Returns the exit code. */
int launch_text(const char *name, const char *text);

/* Writes the word in quotes, so that whatever it is stays one value. */
void launch_write_word(const char *word, FILE *out);

/* Could somebody listen there now? type: SOCK_STREAM or SOCK_DGRAM. */
bool launch_is_free(const struct addr *addr, int type);

/*
 * Writes the `admin` directive: for `wanted`; or, when that is NULL, for the default address if it is free, else
 * nothing, and says so on stderr. "none": nothing.
 */
void launch_write_admin(const char *wanted, FILE *out);

#endif
