/* SPDX-License-Identifier: Apache-2.0 */
/* The document of GET /v1/status as a table for people. Pure, but for writing to out. */
#ifndef CLI_STATUS_TABLE_H
#define CLI_STATUS_TABLE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum status_colour { STATUS_PLAIN, STATUS_COLOURED };

/* Colours only repeat what the words say. What is missing in the document shows as "-" or 0. */
void status_table_print(const json_t *status, enum status_colour colour, FILE *out);

enum { STATUS_NUMBER_BYTES = 32 };

/* "812", "50.0k", "1.2M": at most three digits before the point. Both return buf, of STATUS_NUMBER_BYTES. */
char *status_table_count(uint64_t number, char *buf);
/* "812 B", "1.2 MiB" */
char *status_table_size(uint64_t bytes, char *buf);
/* "12s", "3m20s", "2h5m", "4d3h" */
char *status_table_time(uint64_t seconds, char *buf);

#endif
