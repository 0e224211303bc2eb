/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a whole tree in the language, and as the JSON of docs/configuration-json.md. Both are canonical: equal trees
 * give equal texts, in the order of unparse.h, and reading a text again gives an equal tree. Includes and variables are
 * resolved in the tree, so they do not come back. Any thread, while nobody changes the tree.
 */
#ifndef CONFIG_WRITE_H
#define CONFIG_WRITE_H

#include "config/config.h"

#include <jansson.h>

/* To be released with free; a zero stands behind it. */
char *config_write_text(const struct config *config, size_t *ret_len);

/* To be released with json_decref. */
json_t *config_write_json(const struct config *config);

#endif
