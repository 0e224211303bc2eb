/* SPDX-License-Identifier: Apache-2.0 */
/* What one run counts: completed units of work inside a window of time, and how long each took. */
#ifndef LOAD_MEASUREMENT_H
#define LOAD_MEASUREMENT_H

#include "histogram.h"
#include "options.h"

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct measurement {
	const struct options *options;
	uint64_t begin_ns; /* after the warm-up */
	uint64_t end_ns;
	uint64_t count;
	uint64_t errors; /* connections that failed, datagrams that were lost, requests without an answer */
	struct histogram latency;
};

uint64_t now_ns(void);

/* The window opens after the options' warm-up, from now. */
void measurement_init(struct measurement *measurement, const struct options *options);
bool measurement_contains(const struct measurement *measurement, uint64_t time_ns);
/* Counts a unit that belongs to time_ns, if that is inside the window. */
void measurement_record(struct measurement *measurement, uint64_t time_ns, uint64_t latency_ns);
void measurement_record_error(struct measurement *measurement, uint64_t time_ns);
/* One line of JSON: command, seconds, count, errors, rate per second, latency in microseconds. */
void measurement_print(const struct measurement *measurement);

#endif
