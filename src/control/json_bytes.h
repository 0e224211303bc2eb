/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that need not be valid UTF-8 as JSON strings, which have to be: paths of files and unix sockets, lines of a
 * configuration. Pure. Any thread.
 */
#ifndef CONTROL_JSON_BYTES_H
#define CONTROL_JSON_BYTES_H

#include <jansson.h>

/* A new reference, never NULL. Where the text is not valid UTF-8 all that is not ASCII becomes a '?'. */
json_t *json_bytes(const char *text);

#endif
