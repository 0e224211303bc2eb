/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/usual.h"

#include "base/check.h"

#include <math.h>

#define DEVIATIONS    4.0
#define PART_OF_USUAL 0.5

static double margin_of(const struct usual_learnt *learnt, double floor)
{
	double margin = DEVIATIONS * (double)learnt->deviation;
	if (margin < PART_OF_USUAL * (double)learnt->mean)
		margin = PART_OF_USUAL * (double)learnt->mean;
	return margin > floor ? margin : floor;
}

static bool is_outside(const struct usual_learnt *learnt, double value, double floor)
{
	return fabs(value - (double)learnt->mean) > margin_of(learnt, floor);
}

/* samples_min: what has been learnt for so long is not moved further than to the border by one value. */
static void learn(struct usual_learnt *learnt, double value, double floor, uint32_t samples_min, uint32_t memory)
{
	double mean = (double)learnt->mean;
	double margin = margin_of(learnt, floor);
	if (learnt->samples >= samples_min && value > mean + margin)
		value = mean + margin;
	else if (learnt->samples >= samples_min && value < mean - margin)
		value = mean - margin;
	learnt->samples += learnt->samples < memory;
	/* The plain mean, until there are as many as are remembered. */
	double weight = 1.0 / learnt->samples;
	double distance = fabs(value - mean);
	learnt->mean = (float)(mean + weight * (value - mean));
	if (learnt->samples > 1)
		learnt->deviation =
			(float)((double)learnt->deviation + weight * (distance - (double)learnt->deviation));
}

static const struct usual_learnt *choose(const struct usual *usual, uint32_t hour, enum usual_basis *ret_basis)
{
	const struct usual_learnt *of_hour = &usual->hours[hour];
	bool is_all_known = usual->all.samples >= USUAL_ALL_SAMPLES_MIN;
	*ret_basis = is_all_known ? USUAL_ALL_HOURS : USUAL_NOTHING;
	if (of_hour->samples >= USUAL_HOUR_SAMPLES_MIN)
		*ret_basis = USUAL_HOUR;
	return *ret_basis == USUAL_HOUR ? of_hour : &usual->all;
}

static enum usual_change judge(struct usual *usual, bool is_outside_now)
{
	struct usual_verdict *last = &usual->last;
	usual->run_length = is_outside_now != last->is_unusual ? usual->run_length + 1 : 0;
	if (usual->run_length < USUAL_MINUTES)
		return USUAL_SAME;
	usual->run_length = 0;
	last->is_unusual = is_outside_now;
	return is_outside_now ? USUAL_DEPARTURE : USUAL_RETURN;
}

enum usual_change usual_note(struct usual *usual, uint32_t hour, double value, double floor)
{
	enum usual_basis basis;
	CHECK(hour < USUAL_HOURS);
	const struct usual_learnt *learnt = choose(usual, hour, &basis);
	bool is_known = basis != USUAL_NOTHING;
	usual->last = (struct usual_verdict){
		.now = value,
		.usual = is_known ? (double)learnt->mean : 0,
		.deviation = is_known ? (double)learnt->deviation : 0,
		.samples = learnt->samples,
		.basis = basis,
		.hour = hour,
		.is_unusual = usual->last.is_unusual,
	};
	enum usual_change change = judge(usual, is_known && is_outside(learnt, value, floor));
	learn(&usual->hours[hour], value, floor, USUAL_HOUR_SAMPLES_MIN, USUAL_HOUR_MEMORY);
	learn(&usual->all, value, floor, USUAL_ALL_SAMPLES_MIN, USUAL_ALL_MEMORY);
	return change;
}

void usual_write(const struct usual *usual, struct byte_writer *writer)
{
	byte_writer_put(writer, usual->hours, sizeof(usual->hours));
	BYTE_WRITER_PUT(writer, usual->all);
}

static bool is_learnt(const struct usual_learnt *learnt, uint32_t memory)
{
	return isfinite(learnt->mean) && learnt->mean >= 0 && isfinite(learnt->deviation) && learnt->deviation >= 0 &&
	       learnt->samples <= memory;
}

void usual_read(struct usual *usual, struct byte_reader *reader)
{
	*usual = (struct usual){ 0 };
	BYTE_READER_TAKE(reader, usual->hours);
	BYTE_READER_TAKE(reader, usual->all);
	bool is_good = is_learnt(&usual->all, USUAL_ALL_MEMORY);
	for (uint32_t i = 0; i < USUAL_HOURS; i++)
		is_good = is_good && is_learnt(&usual->hours[i], USUAL_HOUR_MEMORY);
	if (!is_good)
		reader->has_failed = true;
	if (reader->has_failed)
		*usual = (struct usual){ 0 };
}
