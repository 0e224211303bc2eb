/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the schema looks in JSON, for those who read and write it (docs/configuration-json.md):
 *
 *   a block                     an object of its directives; services and pools stand in objects by name
 *   a directive                 an object of its values; "workers": 2 where one value is all it can have
 *   one that may be repeated    an array of those
 *   a positional value          called by its placeholder in small letters: ADDRESS is "address"
 *   a switch                    true or false
 *   allow and deny              in one array "access", since their order counts: [{"deny": "10.0.0.1"}, ...]
 *   bytes that JSON cannot hold {"hex": "00ff"}
 *
 * Pure; any thread.
 */
#ifndef CONFIG_JSON_FORM_H
#define CONFIG_JSON_FORM_H

#include "config/lexer.h"
#include "config/schema.h"

#define JSON_FORM_RULES "access"
#define JSON_FORM_HEX   "hex"
#define JSON_FORM_STATE "state" /* of a server, beside its switches: "up", "drain", "maint" */

enum {
	JSON_FORM_NAME_BYTES = 64,
	JSON_FORM_TEXT_BYTES_MAX = LEXER_VALUE_BYTES_MAX, /* what could not stand in a file is not accepted either */
};

/* The key of a value. Returns buf, of JSON_FORM_NAME_BYTES. */
char *json_form_name(const struct schema_value *value, char *buf);
/* The value with that key, or NULL. */
const struct schema_value *json_form_find(const struct schema_directive *directive, const char *name);
/* Whether the directive is written as its only value. */
bool json_form_is_bare(const struct schema_directive *directive);

#endif
