/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sources of one service over the windows of trend_windows.h: who began most flows, who was refused most, how many
 * different ones there were, and the totals beside which their shares are told.
 *
 * Observations go into the step of 15 seconds that goes on, and nowhere else. A step that ends is added to the longer one
 * that it is a part of, and kept in short form as long as its window needs it:
 *
 *   15 s x 4  -->  2 min x 5  -->  10 min x 6  -->  2 h x 12
 *
 * So one observation costs the same however many windows there are. Counts of a window are sums over its steps, and so
 * are their errors (top_talkers.h). Memory is asked of a budget and grows with the number of sources, up to a bound
 * (SOURCE_TRENDS_BYTES_MAX). The clock counts seconds and does not go back, but for source_trends_set_time. One thread.
 */
#ifndef STATS_SOURCE_TRENDS_H
#define STATS_SOURCE_TRENDS_H

#include "base/byte_stream.h"
#include "stats/top_talkers.h"
#include "stats/trend_windows.h"
#include "stats/unique_count.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	SOURCE_TALKERS_MAX = 256,      /* of a step that goes on */
	SOURCE_TALKERS_KEPT_MAX = 128, /* of one that has ended */
	SOURCE_REFUSED_MAX = 64,       /* likewise, of those who were refused */
	SOURCE_REFUSED_KEPT_MAX = 32,
	SOURCE_TRENDS_BYTES_MAX = 768 * 1024,
};

struct source_totals {
	uint64_t flows;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t refused;
};

struct source_trends;

/* What is told of one observation. */
struct source_seen {
	struct network source;
	uint64_t hash;     /* source_hash */
	uint64_t bytes_in; /* of a flow that ends */
	uint64_t bytes_out;
	uint32_t now_realtime_s;
};

/* NULL when the budget refuses. */
struct source_trends *source_trends_new(uint64_t now_s, struct memory_budget *budget);
/* Accepts NULL; clears the pointer. */
void source_trends_free(struct source_trends **trends, struct memory_budget *budget);

/* Ends what is over. Before anything is told of this moment, and at least every few seconds. */
void source_trends_advance(struct source_trends *trends, uint64_t now_s, uint64_t secret, struct memory_budget *budget);
/* After reading: it is now this time, and so much of it has passed since it was written. */
void source_trends_set_time(struct source_trends *trends, uint64_t now_s, uint64_t passed_s);

/*
 * A flow of the source begins. Returns the source's entry when it has none yet in this step, so that the caller finds out
 * whether it is new and says so (first_seen_s is set already); else NULL.
 */
struct talker *source_trends_begin(struct source_trends *trends, const struct source_seen *seen,
				   struct memory_budget *budget);
void source_trends_end(struct source_trends *trends, const struct source_seen *seen, struct memory_budget *budget);
void source_trends_refuse(struct source_trends *trends, const struct source_seen *seen, struct memory_budget *budget);
/* What the service's counters say has come since they were last read. */
void source_trends_add_totals(struct source_trends *trends, const struct source_totals *totals);

/* What a window says of one source. */
struct source_line {
	struct network source;
	uint64_t flows;
	uint64_t error; /* flows that may be too many */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t refused;
	uint32_t first_seen_s; /* in the window, since 1970 */
	bool is_new;           /* it had not been seen for weeks before */
};

struct source_report {
	struct source_totals totals;
	uint64_t unique;
	uint64_t covered_s;        /* so many of the window's seconds are behind these numbers */
	bool is_whole;             /* memory was not short */
	struct source_line *lines; /* heap, the caller's; most flows first, then most refusals */
	uint32_t line_count;
};

void source_trends_report(const struct source_trends *trends, enum trend_window window, uint64_t now_s, uint64_t secret,
			  struct source_report *ret_report);
void source_report_done(struct source_report *report);

void source_trends_write(const struct source_trends *trends, struct byte_writer *writer);
/* NULL, with reader->has_failed, for nonsense; NULL without it when the budget refuses. */
struct source_trends *source_trends_read_new(struct byte_reader *reader, uint64_t secret, struct memory_budget *budget);

#endif
