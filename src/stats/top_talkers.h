/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who comes most often, in bounded memory: the Space-Saving summary of Metwally, Agrawal and El Abbadi ("Efficient
 * computation of frequent and top-k elements in data streams", 2005). It keeps up to capacity_max sources. One that is
 * not among them takes the place of the one with the smallest count and inherits that count, as its error:
 *
 *   true count <= count        and        count - error <= true count
 *
 * so with N in all and m places no error is above N / m, and whoever has more than N / m is in it. While places are
 * left every count is exact.
 *
 * An open summary finds a source by its hash. Closing one keeps its first ones only, most first, in as little memory as they
 * take; it is only read from then on. All zero but capacity_max is empty and owns nothing. Memory is asked of a budget;
 * where it is refused the summary has fewer places, and its errors grow. One thread.
 */
#ifndef STATS_TOP_TALKERS_H
#define STATS_TOP_TALKERS_H

#include "base/byte_stream.h"
#include "stats/memory_budget.h"
#include "stats/source.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOP_TALKERS_MAX = 16384 }; /* of capacity_max */

struct talker {
	uint64_t bytes_in;
	uint64_t bytes_out;
	struct network source;
	bool is_new;           /* the caller's, as are the next and the bytes */
	uint32_t first_seen_s; /* since 1970 */
	uint32_t count;        /* stays at UINT32_MAX */
	uint32_t error;
	uint32_t hash;
};

struct top_talkers {
	struct talker *talkers;
	uint16_t
		*index; /* open addressing over talkers, 2 * capacity places, 0 = free, else number + 1; NULL: closed */
	uint32_t count;
	uint32_t capacity;     /* a power of two while open */
	uint32_t capacity_max; /* a power of two, set by the caller before use */
	uint32_t least;        /* the smallest count, when it is full */
	uint32_t cursor;       /* where the search for the smallest goes on */
	bool has_replaced;     /* somebody has lost a place: it is not made larger any more */
};

/*
 * Adds to the source's count and returns its entry, which stays where it is until the next call. *ret_is_fresh: the entry
 * has just been made, and all of the caller's in it is zero. With weight 0 a source takes nobody's place who has been
 * counted; NULL then, or when there is no memory at all. hash: source_hash.
 */
struct talker *top_talkers_add(struct top_talkers *top, const struct network *source, uint64_t hash, uint32_t weight,
			       struct memory_budget *budget, bool *ret_is_fresh);
/* Of an open one; NULL when it is not in it. */
struct talker *top_talkers_find(const struct top_talkers *top, const struct network *source, uint64_t hash);

/* Sorts by count, most first, then by bytes; the index of an open one is lost, so nothing can be added any more. */
void top_talkers_sort(struct top_talkers *top, struct memory_budget *budget);
/* Sorts and keeps keep_max of them. */
void top_talkers_close(struct top_talkers *top, uint32_t keep_max, struct memory_budget *budget);
/* Empties it; open again. */
void top_talkers_clear(struct top_talkers *top, struct memory_budget *budget);

void top_talkers_write(const struct top_talkers *top, struct byte_writer *writer);
/*
 * Into an empty one, which is open afterwards. Hashes are made anew with the secret. What cannot be understood sets
 * reader->has_failed.
 */
void top_talkers_read(struct top_talkers *top, struct byte_reader *reader, uint64_t secret,
		      struct memory_budget *budget);

#endif
