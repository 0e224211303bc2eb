/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the text of a JSON document (RFC 8259) and words what is wrong with it. Stricter than the standard where that is
 * needed to know what was meant: a key stands once in its object, no string holds U+0000, whole numbers fit into 64
 * bits, and nothing is nested deeper than jansson goes (2048). One thread at a time.
 */
#ifndef CONFIG_JSON_TEXT_H
#define CONFIG_JSON_TEXT_H

#include "config/report.h"

#include <jansson.h>

/* The text is that of the report's file. Returns the document, to be released, or NULL after reporting line and column. */
json_t *json_text_read(struct report *report, uint32_t file);

#endif
