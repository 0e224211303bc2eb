/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log-linear histogram of times in nanoseconds, in the manner of HdrHistogram: every power of two is divided into
 * HISTOGRAM_STEPS equal parts, so a percentile is at most 1.6 % above the true value, from nanoseconds to hours.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_STEP_BITS = 6,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
	HISTOGRAM_BUCKETS = (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

/* All zero is empty. */
struct histogram {
	uint64_t total;
	uint64_t max;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The value that `percent` of all values do not exceed, rounded up to the end of its bucket; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
