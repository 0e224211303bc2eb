/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/trend_rings.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SECONDS_SLOTS = 600, MINUTES_SLOTS = 1440, QUARTERS_SLOTS = 2880 };

static const struct {
	uint32_t seconds;
	uint32_t slot_count;
} steps[TREND_STEP_COUNT] = {
	[TREND_SECONDS] = { 1, SECONDS_SLOTS },
	[TREND_MINUTES] = { 60, MINUTES_SLOTS },
	[TREND_QUARTERS] = { 900, QUARTERS_SLOTS },
};

/* One ring: the step that goes on, and those that have ended. */
struct ring_of_steps {
	uint64_t step; /* number of the one that goes on: seconds of the clock by seconds of a step */
	struct trend_amounts open;
	uint32_t count; /* ended and remembered */
	uint32_t next;  /* slot for the one that ends next */
};

struct trend_rings {
	struct ring_of_steps rings[TREND_STEP_COUNT];
	uint16_t seconds[TREND_MEASURE_COUNT][SECONDS_SLOTS];
	uint16_t minutes[TREND_MEASURE_COUNT][MINUTES_SLOTS];
	uint16_t quarters[TREND_MEASURE_COUNT][QUARTERS_SLOTS];
};

static uint16_t *slots_of(struct trend_rings *rings, enum trend_step step, enum trend_measure measure)
{
	switch (step) {
	case TREND_SECONDS:
		return rings->seconds[measure];
	case TREND_MINUTES:
		return rings->minutes[measure];
	default:
		return rings->quarters[measure];
	}
}

/* --- numbers in 16 bits: 10 digits behind a leading one, and an exponent; small numbers as they are --------------- */

enum { DIGITS = 10, LEADING = 1 << DIGITS };

static uint16_t shorten(uint64_t number)
{
	if (number < 2 * LEADING)
		return (uint16_t)number;
	unsigned int exponent = 63u - (unsigned int)__builtin_clzll(number) - DIGITS;
	uint64_t digits = (number >> exponent) + (number >> (exponent - 1) & 1);
	if (digits == 2 * LEADING) {
		digits = LEADING;
		exponent++;
	}
	return (uint16_t)((exponent << DIGITS) + digits);
}

static uint64_t lengthen(uint16_t number)
{
	if (number < 2 * LEADING)
		return number;
	unsigned int exponent = (unsigned int)(number >> DIGITS) - 1;
	uint64_t digits = (number & (LEADING - 1)) | LEADING;
	return exponent + DIGITS < 64 ? digits << exponent : UINT64_MAX;
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void end_step(struct trend_rings *rings, enum trend_step step)
{
	struct ring_of_steps *ring = &rings->rings[step];
	for (int measure = 0; measure < TREND_MEASURE_COUNT; measure++)
		slots_of(rings, step, measure)[ring->next] = shorten(ring->open.of[measure]);
	ring->next = (ring->next + 1) % steps[step].slot_count;
	ring->count += ring->count < steps[step].slot_count;
	/* The number of active flows goes on. */
	ring->open = (struct trend_amounts){ .of[TREND_FLOWS_ACTIVE] = ring->open.of[TREND_FLOWS_ACTIVE] };
}

static void advance(struct trend_rings *rings, enum trend_step step, uint64_t now_s)
{
	struct ring_of_steps *ring = &rings->rings[step];
	uint64_t now = now_s / steps[step].seconds;
	uint64_t passed = now > ring->step ? now - ring->step : 0;
	for (uint64_t i = 0; i < passed && i <= steps[step].slot_count; i++)
		end_step(rings, step);
	ring->step = now;
}

void trend_rings_add(struct trend_rings *rings, uint64_t now_s, const struct trend_amounts *amounts)
{
	for (int step = 0; step < TREND_STEP_COUNT; step++) {
		struct trend_amounts *open = &rings->rings[step].open;
		advance(rings, step, now_s);
		for (int measure = 0; measure < TREND_MEASURE_COUNT; measure++)
			open->of[measure] += amounts->of[measure];
		open->of[TREND_FLOWS_ACTIVE] = amounts->of[TREND_FLOWS_ACTIVE];
	}
}

void trend_rings_set_time(struct trend_rings *rings, uint64_t now_s)
{
	for (int step = 0; step < TREND_STEP_COUNT; step++)
		rings->rings[step].step = now_s / steps[step].seconds;
}

/* --- life and reading -------------------------------------------------------------------------------------------- */

struct trend_rings *trend_rings_new(uint64_t now_s, struct memory_budget *budget)
{
	if (!memory_budget_take(budget, sizeof(struct trend_rings)))
		return NULL;
	struct trend_rings *rings = memory_alloc_zeroed(1, sizeof(*rings));
	trend_rings_set_time(rings, now_s);
	return rings;
}

void trend_rings_free(struct trend_rings **rings, struct memory_budget *budget)
{
	if (*rings == NULL)
		return;
	memory_budget_give(budget, sizeof(**rings));
	free(*rings);
	*rings = NULL;
}

uint32_t trend_step_seconds(enum trend_step step)
{
	return steps[step].seconds;
}

uint32_t trend_step_slots(enum trend_step step)
{
	return steps[step].slot_count;
}

uint32_t trend_rings_count(const struct trend_rings *rings, enum trend_step step)
{
	return rings->rings[step].count;
}

static const uint16_t *slots_to_read(const struct trend_rings *rings, enum trend_step step, enum trend_measure measure)
{
	return slots_of((struct trend_rings *)(uintptr_t)rings, step, measure);
}

void trend_rings_read(const struct trend_rings *rings, enum trend_step step, enum trend_measure measure,
		      uint64_t *ret_values)
{
	const struct ring_of_steps *ring = &rings->rings[step];
	const uint16_t *slots = slots_to_read(rings, step, measure);
	uint32_t slot_count = steps[step].slot_count;
	for (uint32_t i = 0; i < ring->count; i++)
		ret_values[i] = lengthen(slots[(ring->next + slot_count - ring->count + i) % slot_count]);
}

uint64_t trend_rings_end_s(const struct trend_rings *rings, enum trend_step step)
{
	return rings->rings[step].step * steps[step].seconds;
}

bool trend_rings_last(const struct trend_rings *rings, enum trend_step step, struct trend_amounts *ret_amounts)
{
	const struct ring_of_steps *ring = &rings->rings[step];
	uint32_t slot_count = steps[step].slot_count;
	if (ring->count == 0)
		return false;
	for (int measure = 0; measure < TREND_MEASURE_COUNT; measure++)
		ret_amounts->of[measure] =
			lengthen(slots_to_read(rings, step, measure)[(ring->next + slot_count - 1) % slot_count]);
	return true;
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

void trend_rings_write(const struct trend_rings *rings, struct byte_writer *writer)
{
	byte_writer_put(writer, rings, sizeof(*rings));
}

struct trend_rings *trend_rings_read_new(struct byte_reader *reader, struct memory_budget *budget)
{
	struct span bytes = byte_reader_take_span(reader, sizeof(struct trend_rings));
	if (reader->has_failed)
		return NULL;
	struct trend_rings *rings = trend_rings_new(0, budget);
	if (rings == NULL)
		return NULL;
	memcpy(rings, bytes.data, bytes.len);
	for (int step = 0; step < TREND_STEP_COUNT; step++)
		if (rings->rings[step].count > steps[step].slot_count ||
		    rings->rings[step].next >= steps[step].slot_count)
			reader->has_failed = true;
	if (reader->has_failed)
		trend_rings_free(&rings, budget);
	return rings;
}
