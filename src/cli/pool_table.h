/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pools of the document of GET /v1/status as a table for people, a row for each server. What is missing shows as "-"
 * or 0. Pure, but for writing to out.
 */
#ifndef CLI_POOL_TABLE_H
#define CLI_POOL_TABLE_H

#include "cli/table.h"

#include <jansson.h>

/* pools: the array. */
void pool_table_print(const json_t *pools, enum look_colour colour, FILE *out);

#endif
