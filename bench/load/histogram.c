/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <math.h>

/* Values below two rows of steps have a bucket each; above, the leading HISTOGRAM_STEP_BITS + 1 bits choose it. */
static unsigned bucket_of(uint64_t value)
{
	if (value < 2 * HISTOGRAM_STEPS)
		return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
	return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

static uint64_t last_value_of(unsigned bucket)
{
	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;
	unsigned shift = bucket / HISTOGRAM_STEPS - 1;
	uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
	return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[bucket_of(value)]++;
	histogram->total++;
	if (value > histogram->max)
		histogram->max = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
	uint64_t rank = (uint64_t)ceil((double)histogram->total * percent / 100);
	uint64_t seen = 0;
	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		seen += histogram->counts[bucket];
		if (seen >= rank && seen > 0) {
			uint64_t value = last_value_of(bucket);
			return value < histogram->max ? value : histogram->max;
		}
	}
	return histogram->max;
}
