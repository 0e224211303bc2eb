/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts how often each source was refused lately, to tell when one is to be blocked: when the refusals within a window,
 * which begins with a source's first one, have reached a number.
 *
 * Bounded and never grows: sets of eight, found with a keyed hash. A newcomer to a full set takes the place of a source
 * whose window is over, else of the one refused least, so that invented sources push each other out and not the one that
 * keeps coming. Shared by all workers; each set has a lock of its own, held for a few dozen instructions. Only refusals
 * come here, admitted flows never.
 */
#ifndef GUARD_REFUSAL_TABLE_H
#define GUARD_REFUSAL_TABLE_H

#include "base/addr.h"
#include "stats/source.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	REFUSAL_SET_WAYS = 7,
	REFUSAL_SETS = 4096, /* 512 KiB of address space; used as sources are refused */
};

/* When a source is to be blocked. */
struct refusal_threshold {
	uint32_t count;     /* refusals, */
	uint64_t window_ms; /* within this time of the first */
};

struct refusal_table;

struct refusal_table *refusal_table_new(void);
/* Accepts NULL; clears the pointer. */
void refusal_table_free(struct refusal_table **table);

/*
 * The source was refused `count` times more. True when it has reached the threshold just now; it is counted from zero
 * then. now_ms: monotonic.
 */
bool refusal_table_note(struct refusal_table *table, const struct refusal_threshold *threshold,
			const struct network *source, uint64_t now_ms, uint32_t count);

#endif
