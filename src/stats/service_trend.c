/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/service_trend.h"

#include "base/memory.h"

#include <stdlib.h>

enum { SECONDS_OF_MINUTE = 60, USUAL_BYTES = SERVICE_MEASURE_COUNT * sizeof(struct usual) };

const char *service_measure_word(enum service_measure measure)
{
	static const char *const words[SERVICE_MEASURE_COUNT] = {
		[SERVICE_FLOWS] = "flows",
		[SERVICE_BYTES] = "bytes",
		[SERVICE_REFUSED] = "refused",
	};
	return words[measure];
}

double service_measure_floor(enum service_measure measure)
{
	static const double floors[SERVICE_MEASURE_COUNT] = {
		[SERVICE_FLOWS] = 1,
		[SERVICE_BYTES] = 16 * 1024,
		[SERVICE_REFUSED] = 1,
	};
	return floors[measure];
}

static struct usual *usual_new(struct memory_budget *budget)
{
	return memory_budget_take(budget, USUAL_BYTES)
		       ? memory_alloc_zeroed(SERVICE_MEASURE_COUNT, sizeof(struct usual))
		       : NULL;
}

static void usual_free(struct usual **usual, struct memory_budget *budget)
{
	if (*usual != NULL)
		memory_budget_give(budget, USUAL_BYTES);
	free(*usual);
	*usual = NULL;
}

void service_trend_make(struct service_trend *trend, uint64_t now_s, struct memory_budget *budget)
{
	if (trend->rings == NULL)
		trend->rings = trend_rings_new(now_s, budget);
	if (trend->rings != NULL && trend->usual == NULL)
		trend->usual = usual_new(budget);
	if (trend->usual != NULL && trend->sources == NULL)
		trend->sources = source_trends_new(now_s, budget);
}

void service_trend_done(struct service_trend *trend, struct memory_budget *budget)
{
	source_trends_free(&trend->sources, budget);
	usual_free(&trend->usual, budget);
	trend_rings_free(&trend->rings, budget);
}

void service_trend_set_time(struct service_trend *trend, uint64_t now_s, uint64_t passed_s)
{
	if (trend->rings != NULL)
		trend_rings_set_time(trend->rings, now_s > passed_s ? now_s - passed_s : 0);
	if (trend->sources != NULL)
		source_trends_set_time(trend->sources, now_s, passed_s);
}

static double per_second(const struct trend_amounts *minute, enum service_measure measure)
{
	const uint64_t counts[SERVICE_MEASURE_COUNT] = {
		[SERVICE_FLOWS] = minute->of[TREND_FLOWS],
		[SERVICE_BYTES] = minute->of[TREND_BYTES_IN] + minute->of[TREND_BYTES_OUT],
		[SERVICE_REFUSED] = minute->of[TREND_REFUSED],
	};
	return (double)counts[measure] / SECONDS_OF_MINUTE;
}

bool service_trend_note_minute(struct service_trend *trend, uint32_t hour,
			       enum usual_change ret_changes[SERVICE_MEASURE_COUNT])
{
	struct trend_amounts minute;
	if (trend->usual == NULL || !trend_rings_last(trend->rings, TREND_MINUTES, &minute))
		return false;
	for (int measure = 0; measure < SERVICE_MEASURE_COUNT; measure++)
		ret_changes[measure] = usual_note(&trend->usual[measure], hour, per_second(&minute, measure),
						  service_measure_floor(measure));
	return true;
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

void service_trend_write(const struct service_trend *trend, struct byte_writer *writer)
{
	uint8_t parts = (uint8_t)((trend->rings != NULL) + (trend->usual != NULL) + (trend->sources != NULL));
	BYTE_WRITER_PUT(writer, parts);
	if (trend->rings != NULL)
		trend_rings_write(trend->rings, writer);
	for (int measure = 0; trend->usual != NULL && measure < SERVICE_MEASURE_COUNT; measure++)
		usual_write(&trend->usual[measure], writer);
	if (trend->sources != NULL)
		source_trends_write(trend->sources, writer);
}

static void read_usual(struct service_trend *trend, struct byte_reader *reader, struct memory_budget *budget)
{
	trend->usual = usual_new(budget);
	for (int measure = 0; trend->usual != NULL && measure < SERVICE_MEASURE_COUNT; measure++)
		usual_read(&trend->usual[measure], reader);
}

/* Each part is there only with those before it. */
void service_trend_read(struct service_trend *trend, struct byte_reader *reader, uint64_t secret,
			struct memory_budget *budget)
{
	uint8_t parts;
	BYTE_READER_TAKE(reader, parts);
	if (parts > 0)
		trend->rings = trend_rings_read_new(reader, budget);
	if (parts > 1 && trend->rings != NULL)
		read_usual(trend, reader, budget);
	if (parts > 2 && trend->usual != NULL && !reader->has_failed)
		trend->sources = source_trends_read_new(reader, secret, budget);
	if (reader->has_failed)
		service_trend_done(trend, budget);
}
