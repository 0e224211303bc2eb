/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram with one writer: how often a value fell between fixed bounds, and the sum of all values. Written like the
 * counters of counters.h: by its owner without a lock, read by control whenever it likes; an observation costs a few
 * nanoseconds and never allocates. Buckets and sum of one reading may be a few observations apart.
 *
 * Values are microseconds. Which bounds a histogram has is its owner's and its reader's agreement: the scale is not
 * stored in it.
 */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include "stats/counters.h"

#include <stddef.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

/* Upper bounds, rising; a value belongs to the first bound that is not below it, or to the bucket after the last. */
struct histogram_scale {
	size_t count;
	uint64_t bounds_us[HISTOGRAM_BOUNDS_MAX];
};

/* From a millisecond to six hours: how long flows live. */
extern const struct histogram_scale histogram_flow_scale;
/* From 100 microseconds to five seconds: connects and health checks. */
extern const struct histogram_scale histogram_answer_scale;
/* From 50 microseconds to a second: turns of a loop. */
extern const struct histogram_scale histogram_turn_scale;

struct histogram {
	counter buckets[HISTOGRAM_BOUNDS_MAX + 1];
	counter sum_us;
};

/* Only the owner of the histogram calls this. */
static inline void histogram_observe(struct histogram *histogram, const struct histogram_scale *scale,
				     uint64_t value_us)
{
	size_t bucket = 0;
	while (bucket < scale->count && value_us > scale->bounds_us[bucket])
		bucket++;
	counter_add(&histogram->buckets[bucket], 1);
	counter_add(&histogram->sum_us, value_us);
}

/* Several histograms of one scale as one. */
struct histogram_total {
	uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1];
	uint64_t sum_us;
};

/* Any thread. */
void histogram_add_to(const struct histogram *histogram, struct histogram_total *total);

#endif
