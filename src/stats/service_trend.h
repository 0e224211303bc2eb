/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is remembered of one service: how much there was (trend_rings.h), who it was from (source_trends.h), and what
 * is usual (usual.h). Made at its first traffic. When memory is short a service has the first of them only, or nothing, and is
 * tried again with later traffic. One thread.
 */
#ifndef STATS_SERVICE_TREND_H
#define STATS_SERVICE_TREND_H

#include "stats/source_trends.h"
#include "stats/trend_rings.h"
#include "stats/usual.h"

enum service_measure { SERVICE_FLOWS, SERVICE_BYTES, SERVICE_REFUSED, SERVICE_MEASURE_COUNT };

struct service_trend {
	struct trend_rings *rings; /* this and the others: NULL when there is none */
	struct usual *usual;       /* SERVICE_MEASURE_COUNT of them */
	struct source_trends *sources;
};

/* "flows", "bytes" (both ways) or "refused" */
const char *service_measure_word(enum service_measure measure);
/* What a minute may differ by without being unusual, per second. */
double service_measure_floor(enum service_measure measure);

/* Makes what is not there yet, as far as the budget allows. */
void service_trend_make(struct service_trend *trend, uint64_t now_s, struct memory_budget *budget);
void service_trend_done(struct service_trend *trend, struct memory_budget *budget);

/* After reading: it is now this time, and so much of it has passed since it was written. */
void service_trend_set_time(struct service_trend *trend, uint64_t now_s, uint64_t passed_s);

/* Tells usual[] about the minute that ended last. changes: one for each measure. False when there is none. */
bool service_trend_note_minute(struct service_trend *trend, uint32_t hour,
			       enum usual_change ret_changes[SERVICE_MEASURE_COUNT]);

void service_trend_write(const struct service_trend *trend, struct byte_writer *writer);
/* Into an empty one. Nonsense sets reader->has_failed and leaves it empty; what the budget refuses is left out. */
void service_trend_read(struct service_trend *trend, struct byte_reader *reader, uint64_t secret,
			struct memory_budget *budget);

#endif
