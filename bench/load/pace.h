/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timetable of an open loop: one request every 1/rate seconds, due whether or not earlier ones were answered.
 * Latency is counted from when a request was due, not from when a late generator sent it, so a stall is seen by every
 * request it held up (no coordinated omission).
 */
#ifndef LOAD_PACE_H
#define LOAD_PACE_H

#include "measurement.h"

struct pace {
	double due_ns;
	double interval_ns;
};

static inline void pace_init(struct pace *pace, double rate)
{
	pace->due_ns = (double)now_ns();
	pace->interval_ns = (double)NS_PER_S / rate;
}

/* When the next request is due. */
static inline uint64_t pace_due_ns(const struct pace *pace)
{
	return (uint64_t)pace->due_ns;
}

static inline void pace_advance(struct pace *pace)
{
	pace->due_ns += pace->interval_ns;
}

#endif
