/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#define US UINT64_C(1)
#define MS (1000 * US)
#define S  (1000 * MS)

const struct histogram_scale histogram_flow_scale = {
	.count = 9,
	.bounds_us = { 1 * MS, 10 * MS, 100 * MS, 1 * S, 10 * S, 60 * S, 600 * S, 3600 * S, 6 * 3600 * S },
};

const struct histogram_scale histogram_answer_scale = {
	.count = 15,
	.bounds_us = { 100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
		       250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S },
};

const struct histogram_scale histogram_turn_scale = {
	.count = 13,
	.bounds_us = { 50 * US, 100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS,
		       100 * MS, 250 * MS, 1 * S },
};

void histogram_add_to(const struct histogram *histogram, struct histogram_total *total)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
		total->buckets[i] += counter_read(&histogram->buckets[i]);
	total->sum_us += counter_read(&histogram->sum_us);
}
