/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters with one writer: a worker adds to its own, control reads them whenever it likes. Relaxed atomics, so that an
 * add compiles to a plain add and a reader never sees half a number; sums over workers may be a moment apart.
 */
#ifndef STATS_COUNTERS_H
#define STATS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum { CACHE_LINE_BYTES = 64 };

typedef _Atomic uint64_t counter;

/* Only the owner of the counter calls this. */
static inline void counter_add(counter *c, uint64_t amount)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + amount, memory_order_relaxed);
}

static inline void counter_subtract(counter *c, uint64_t amount)
{
	counter_add(c, -amount);
}

static inline uint64_t counter_read(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif
