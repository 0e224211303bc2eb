/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of sources that have no entry of their own in the table of sources: those that had to make room
 * there, and those that found all places taken by sources with flows. A count-min sketch (Cormode and Muthukrishnan,
 * 2005): each source has a cell in each of four rows, cells are shared with others, and the least of the four is the
 * answer. So nothing is ever forgotten, and what is remembered may be too much but never too little: a source is refused
 * in error only where others that strain their limits share all its four cells.
 *
 * Bounded and never grows. Any thread; what is told of one source is told under one lock (that of its set), what
 * other sources tell of the same cells meanwhile is atomic.
 */
#ifndef GUARD_SOURCE_SKETCH_H
#define GUARD_SOURCE_SKETCH_H

#include <stddef.h>
#include <stdint.h>

enum { SOURCE_SKETCH_ROWS = 4 };

/* What there is to know of a source. */
struct source_account {
	uint64_t flow_arrival_ns;   /* of the rate of new flows, see rate.h */
	uint64_t packet_arrival_ns; /* of the rate of packets */
	uint32_t active;            /* flows now */
};

struct source_sketch;

/* cells: in each row; a power of two. Memory is used as cells are. */
struct source_sketch *source_sketch_new(uint64_t cells);
/* Accepts NULL; clears the pointer. */
void source_sketch_free(struct source_sketch **sketch);

/* key: a keyed hash of the source. */
struct source_account source_sketch_read(const struct source_sketch *sketch, uint64_t key);
/* Remembers the arrival times, where they are later than what is known; not the flows. */
void source_sketch_remember(struct source_sketch *sketch, uint64_t key, const struct source_account *account);
/* One flow more, or one less of those that were counted here. */
void source_sketch_enter(struct source_sketch *sketch, uint64_t key);
void source_sketch_leave(struct source_sketch *sketch, uint64_t key);

size_t source_sketch_bytes(const struct source_sketch *sketch);

#endif
