/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many different things were seen, from their 64-bit hashes. Up to UNIQUE_EXACT_MAX of them are kept as they are, so
 * that small numbers are exact; beyond that it is a HyperLogLog of 2^14 registers (Flajolet and others, 2007) with a
 * standard error of 0.8 %, read with the improved raw estimator of Ertl ("New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017, algorithm 6), which needs no table of corrections. Two can be united.
 *
 * All zero is empty and owns nothing. Memory is asked of a budget, 16 KiB at most; where it is refused what does not fit is
 * not counted, and is_cut tells. The caller says which budget, always the same. One thread.
 */
#ifndef STATS_UNIQUE_COUNT_H
#define STATS_UNIQUE_COUNT_H

#include "base/byte_stream.h"
#include "stats/memory_budget.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	UNIQUE_EXACT_MAX = 1536,
	UNIQUE_INDEX_BITS = 14,
	UNIQUE_REGISTERS = 1 << UNIQUE_INDEX_BITS,
};

struct unique_count {
	uint64_t *hashes;   /* open addressing, 0 = free; NULL when there are none or registers */
	uint8_t *registers; /* NULL: still exact */
	uint32_t capacity;  /* of hashes, a power of two */
	uint32_t count;     /* of hashes */
	bool is_cut;        /* memory was refused: the true number is higher */
};

void unique_count_add(struct unique_count *unique, uint64_t hash, struct memory_budget *budget);
/* Adds to `into` all that `from` has seen. */
void unique_count_unite(struct unique_count *into, const struct unique_count *from, struct memory_budget *budget);
uint64_t unique_count_estimate(const struct unique_count *unique);
/* Empties it. */
void unique_count_clear(struct unique_count *unique, struct memory_budget *budget);

void unique_count_write(const struct unique_count *unique, struct byte_writer *writer);
/* Into an empty one. What cannot be understood sets reader->has_failed and leaves something that may be cleared. */
void unique_count_read(struct unique_count *unique, struct byte_reader *reader, struct memory_budget *budget);

#endif
