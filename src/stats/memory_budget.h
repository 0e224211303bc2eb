/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory things that grow with traffic may take together. Whoever wants to grow asks first, and does without
 * when it is refused. Counts bytes asked for, not what the allocator adds. One thread.
 */
#ifndef STATS_MEMORY_BUDGET_H
#define STATS_MEMORY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct memory_budget {
	uint64_t used_bytes;
	uint64_t max_bytes;
	uint64_t refused_count; /* how often something was refused */
};

static inline bool memory_budget_take(struct memory_budget *budget, uint64_t bytes)
{
	if (budget->used_bytes + bytes > budget->max_bytes) {
		budget->refused_count++;
		return false;
	}
	budget->used_bytes += bytes;
	return true;
}

static inline void memory_budget_give(struct memory_budget *budget, uint64_t bytes)
{
	budget->used_bytes -= bytes;
}

#endif
