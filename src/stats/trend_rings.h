/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much there was of each measure, by the second for 10 minutes, by the minute for 24 hours, by the quarter of an hour
 * for 30 days. A step that has ended takes 16 bits for each measure: numbers up to 2047 are exact, larger ones are right to
 * 0.05 % (11 binary digits and an exponent). So the rings of one service take 48 KiB. The steps that go on are counted
 * in full.
 *
 * Steps are those of the clock that the caller counts seconds with. When it jumps forward the steps between are empty;
 * when it jumps back nothing is lost: what was counted stays, and counting goes on from the new time. One thread.
 */
#ifndef STATS_TREND_RINGS_H
#define STATS_TREND_RINGS_H

#include "base/byte_stream.h"
#include "stats/memory_budget.h"

#include <stdbool.h>
#include <stdint.h>

enum trend_measure {
	TREND_FLOWS,
	TREND_BYTES_IN,
	TREND_BYTES_OUT,
	TREND_REFUSED,
	TREND_FLOWS_ACTIVE, /* not a count in the step, but the value at its end */
	TREND_MEASURE_COUNT
};

enum trend_step { TREND_SECONDS, TREND_MINUTES, TREND_QUARTERS, TREND_STEP_COUNT };

enum { TREND_SLOTS_MAX = 2880 };

struct trend_amounts {
	uint64_t of[TREND_MEASURE_COUNT];
};

struct trend_rings;

/* NULL when the budget refuses. */
struct trend_rings *trend_rings_new(uint64_t now_s, struct memory_budget *budget);
/* Accepts NULL; clears the pointer. */
void trend_rings_free(struct trend_rings **rings, struct memory_budget *budget);

/* Ends the steps that are over, then adds to those that go on; TREND_FLOWS_ACTIVE is set, not added. */
void trend_rings_add(struct trend_rings *rings, uint64_t now_s, const struct trend_amounts *amounts);
/* What was counted last is of this time; it is not added to. After reading, for the time that has passed meanwhile. */
void trend_rings_set_time(struct trend_rings *rings, uint64_t now_s);

uint32_t trend_step_seconds(enum trend_step step);
/* How many steps are remembered at most. */
uint32_t trend_step_slots(enum trend_step step);
/* How many steps have ended and are remembered. */
uint32_t trend_rings_count(const struct trend_rings *rings, enum trend_step step);
/* They, oldest first, into so many values. */
void trend_rings_read(const struct trend_rings *rings, enum trend_step step, enum trend_measure measure,
		      uint64_t *ret_values);
/* When the last of them ended. */
uint64_t trend_rings_end_s(const struct trend_rings *rings, enum trend_step step);
/* The step that ended last. False when there is none. */
bool trend_rings_last(const struct trend_rings *rings, enum trend_step step, struct trend_amounts *ret_amounts);

void trend_rings_write(const struct trend_rings *rings, struct byte_writer *writer);
/* NULL, with reader->has_failed, for nonsense; NULL without it when the budget refuses. */
struct trend_rings *trend_rings_read_new(struct byte_reader *reader, struct memory_budget *budget);

#endif
