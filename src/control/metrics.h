/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of GET /metrics, its bound and its reference, all from the table of metrics. Reading the counters disturbs no
 * worker: they are not asked for anything. Control thread.
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "control/admin_answer.h"
#include "control/metrics_text.h"

#include <stdio.h>

void metrics_write(const struct daemon *daemon, struct metrics_text *text);

/* GET /metrics */
void metrics_answer(struct admin_request *request, struct admin_answer *answer);

/* How many series the page can have at most with this configuration. Names count with as many servers as they may have. */
uint64_t metrics_series_max(const struct config *config);

/* docs/metrics.md */
void metrics_reference_print(FILE *out);

#endif
