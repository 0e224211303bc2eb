/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference page of the configuration language, in Markdown, from the schema table: docs/configuration.md is what
 * this writes. Pure, but for writing to out.
 */
#ifndef CLI_REFERENCE_H
#define CLI_REFERENCE_H

#include <stdio.h>

void reference_print(FILE *out);

#endif
