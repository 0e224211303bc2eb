/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one server was given over the windows of trend_windows.h, from its counters alone: their values are remembered as
 * of the beginning of each step, and a window is what has come since its first step. One thread.
 */
#ifndef STATS_SERVER_TREND_H
#define STATS_SERVER_TREND_H

#include "base/byte_stream.h"
#include "stats/trend_windows.h"

#include <stdint.h>

struct server_counts {
	uint64_t flows;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t failures; /* connects that failed */
};

struct server_mark {
	uint64_t step; /* number of the step that began with these counts */
	struct server_counts counts;
};

struct server_trend {
	struct server_mark marks[TREND_WINDOW_COUNT][TREND_WINDOW_STEPS_MAX];
	uint32_t mark_count[TREND_WINDOW_COUNT]; /* in use, in no order */
	uint64_t newest[TREND_WINDOW_COUNT];     /* step of the latest mark */
};

/* counts: those at its beginning, which for a server without traffic are zero. */
void server_trend_init(struct server_trend *trend, uint64_t now_s, const struct server_counts *counts);
/* Remembers the counts where a step has begun. Call at least once in 15 seconds. */
void server_trend_advance(struct server_trend *trend, uint64_t now_s, const struct server_counts *counts);
/* What has come in the window. */
struct server_counts server_trend_read(const struct server_trend *trend, enum trend_window window, uint64_t now_s,
				       const struct server_counts *counts);

/* Written as differences from these counts, and read as such from counts of zero: they begin anew with a process. */
void server_trend_write(const struct server_trend *trend, const struct server_counts *counts,
			struct byte_writer *writer);
/* passed_s: since it was written. Nonsense sets reader->has_failed. */
void server_trend_read_in(struct server_trend *trend, uint64_t now_s, uint64_t passed_s, struct byte_reader *reader);

#endif
