/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When one server is checked. All servers with the same interval share a grid: server number i of n has its place at
 * i/n of the period, for good, and each check comes a random moment after its place. So checks stay evenly spread
 * however long strait runs, and never keep step with something else.
 *
 * The period is the interval less the widest jitter: two checks are never further apart than the interval, and a row
 * of `rise` checks never takes longer than `rise` intervals. Plain values, pure. Any thread.
 */
#ifndef HEALTH_SCHEDULE_H
#define HEALTH_SCHEDULE_H

#include "base/check.h"
#include "base/random.h"

#include <stdint.h>

enum {
	SCHEDULE_JITTER_PERCENT = 3,
	/* The first round is at most this long, so that a server that was dead from the start is found soon. */
	SCHEDULE_FIRST_ROUND_MS = 2000,
};

struct schedule {
	uint64_t origin_ms; /* of the grid */
	uint64_t phase_ms;
	uint64_t period_ms;
	uint64_t jitter_ms;
};

/* For server number `index` of the `count` that are checked every every_ms (at least 1). */
static inline struct schedule schedule_make(uint64_t origin_ms, uint64_t every_ms, uint64_t index, uint64_t count)
{
	CHECK(every_ms > 0);
	CHECK(index < count);
	uint64_t jitter_ms = every_ms * SCHEDULE_JITTER_PERCENT / 100;
	uint64_t period_ms = every_ms - jitter_ms;
	return (struct schedule){
		.origin_ms = origin_ms,
		.phase_ms = period_ms * index / count,
		.period_ms = period_ms,
		.jitter_ms = jitter_ms,
	};
}

/* The first check of a server that has been watched from start_ms on. */
static inline uint64_t schedule_first_ms(const struct schedule *schedule, uint64_t start_ms)
{
	if (schedule->period_ms <= SCHEDULE_FIRST_ROUND_MS)
		return start_ms + schedule->phase_ms;
	return start_ms + schedule->phase_ms * SCHEDULE_FIRST_ROUND_MS / schedule->period_ms;
}

/*
 * The check after the one made at after_ms. Rounds that were missed are left out. On the way from the first round to
 * its place in the grid, a server may be asked again after a quarter of the period, or only after one and a quarter.
 */
static inline uint64_t schedule_next_ms(const struct schedule *schedule, uint64_t after_ms, struct random *random)
{
	/* A quarter is more than jitter and lateness, so that no place of the grid is used twice. */
	uint64_t earliest_ms = after_ms + schedule->period_ms / 4 + 1;
	uint64_t place_ms = schedule->origin_ms + schedule->phase_ms;
	if (place_ms < earliest_ms) {
		uint64_t rounds = (earliest_ms - place_ms + schedule->period_ms - 1) / schedule->period_ms;
		place_ms += rounds * schedule->period_ms;
	}
	return place_ms + random_below(random, (uint32_t)schedule->jitter_ms + 1);
}

#endif
