/* SPDX-License-Identifier: Apache-2.0 */
/* One event of the daemon on one line for people, in the form that the log has as text (control/record_format.h). Pure. */
#ifndef CLI_EVENT_LINE_H
#define CLI_EVENT_LINE_H

#include <jansson.h>
#include <stdio.h>

/* "2026-11-23T06:29:19.266Z server_down pool=web server=blue". Nothing in it can steer a terminal. */
void event_line_print(const json_t *event, FILE *out);

/* What it says but for when and what: " pool=web server=blue", with a blank before each. */
void event_line_print_details(const json_t *event, FILE *out);

#endif
