/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document of GET /v1/status, and parts of it, as tables for people. What is missing shows as "-" or 0. Pure, but
 * for writing to out.
 */
#ifndef CLI_STATUS_TABLE_H
#define CLI_STATUS_TABLE_H

#include "cli/table.h"

#include <jansson.h>

void status_table_print(const json_t *status, enum table_colour colour, FILE *out);

/* The array `pools` of it, a row for each server. */
void status_table_print_pools(const json_t *pools, enum table_colour colour, FILE *out);

#endif
