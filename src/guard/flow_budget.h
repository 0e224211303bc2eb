/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ceilings of the whole daemon: how many connections and sessions there may be at once, and how many descriptors
 * they may hold together, so that enough are left for health checks, the admin API and log files. One per daemon,
 * shared by all workers; a place is taken before the flow exists, so no ceiling is exceeded by a race.
 */
#ifndef GUARD_FLOW_BUDGET_H
#define GUARD_FLOW_BUDGET_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A count with a ceiling, on a cache line of its own: every new flow writes it. */
struct flow_ceiling {
	alignas(64) _Atomic uint64_t used;
	_Atomic uint64_t max; /* control changes it; what is above a lowered one stays */
};

struct flow_budget {
	_Atomic uint64_t tail_bytes_max; /* of one worker, for bytes that a slow side has not taken yet */
	struct flow_ceiling connections;
	struct flow_ceiling sessions;
	struct flow_ceiling descriptors;
};

/* Takes `amount` places, all or none. Any thread. */
static inline bool flow_ceiling_take(struct flow_ceiling *ceiling, uint64_t amount)
{
	uint64_t used = atomic_fetch_add_explicit(&ceiling->used, amount, memory_order_relaxed) + amount;
	if (used <= atomic_load_explicit(&ceiling->max, memory_order_relaxed))
		return true;
	atomic_fetch_sub_explicit(&ceiling->used, amount, memory_order_relaxed);
	return false;
}

static inline void flow_ceiling_give(struct flow_ceiling *ceiling, uint64_t amount)
{
	atomic_fetch_sub_explicit(&ceiling->used, amount, memory_order_relaxed);
}

static inline uint64_t flow_ceiling_used(const struct flow_ceiling *ceiling)
{
	return atomic_load_explicit(&ceiling->used, memory_order_relaxed);
}

#endif
