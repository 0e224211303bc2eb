/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Was this seen in the last weeks? Four Bloom filters (Bloom, 1970) of four bits a key, the newest of which is written to;
 * after a week, or sooner when half of its bits are set, the oldest is emptied and becomes the newest. So what comes at
 * least once a week is always known, and what has not come for four weeks is not. With every filter half full one key in
 * four is thought to be known that is not; usually far fewer.
 *
 * Owns its memory, which is taken whole at the first key. One thread.
 */
#ifndef STATS_SEEN_SOURCES_H
#define STATS_SEEN_SOURCES_H

#include "base/byte_stream.h"
#include "stats/memory_budget.h"

#include <stdbool.h>
#include <stdint.h>

enum { SEEN_GENERATIONS = 4, SEEN_GENERATION_S = 7 * 24 * 3600 };

struct seen_sources {
	uint64_t *words;    /* one filter after the other; NULL: nothing was seen, or there was no memory */
	uint64_t bit_count; /* of one filter, a power of two, at least 64 */
	uint64_t set_count; /* bits set in the newest */
	uint64_t begun_s;   /* when the newest was begun */
	uint32_t newest;
};

/* bytes: at most so many for all filters together, at least 32. */
void seen_sources_init(struct seen_sources *seen, uint64_t bytes);
void seen_sources_done(struct seen_sources *seen, struct memory_budget *budget);

/* Notes the key, by a 64-bit hash of it. Returns whether it was seen before. now_s: any clock in seconds. */
bool seen_sources_note(struct seen_sources *seen, uint64_t hash, uint64_t now_s, struct memory_budget *budget);

void seen_sources_write(const struct seen_sources *seen, struct byte_writer *writer);
/* Into one that was initialised; filters of another size are forgotten. Nonsense sets reader->has_failed. */
void seen_sources_read(struct seen_sources *seen, struct byte_reader *reader, struct memory_budget *budget);

#endif
