/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/server_trend.h"

#include <string.h>

/* Modulo 2^64, so that marks may lie before counters that have begun anew. */
static struct server_counts difference(const struct server_counts *now, const struct server_counts *then)
{
	return (struct server_counts){
		.flows = now->flows - then->flows,
		.bytes_in = now->bytes_in - then->bytes_in,
		.bytes_out = now->bytes_out - then->bytes_out,
		.failures = now->failures - then->failures,
	};
}

static uint64_t oldest_of(enum trend_window window, uint64_t now)
{
	uint32_t steps = trend_window_shape(window).steps;
	return now + 1 > steps ? now + 1 - steps : 0;
}

static void put_mark(struct server_trend *trend, enum trend_window window, uint64_t step,
		     const struct server_counts *counts)
{
	struct server_mark *marks = trend->marks[window];
	uint32_t *count = &trend->mark_count[window];
	uint64_t oldest = oldest_of(window, step);
	for (uint32_t i = 0; i < *count;) {
		if (marks[i].step >= oldest)
			i++;
		else
			marks[i] = marks[--*count];
	}
	if (*count < TREND_WINDOW_STEPS_MAX)
		marks[(*count)++] = (struct server_mark){ step, *counts };
	trend->newest[window] = step;
}

void server_trend_init(struct server_trend *trend, uint64_t now_s, const struct server_counts *counts)
{
	*trend = (struct server_trend){ 0 };
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		put_mark(trend, window, now_s / trend_window_shape(window).step_s, counts);
}

void server_trend_advance(struct server_trend *trend, uint64_t now_s, const struct server_counts *counts)
{
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		uint64_t step = now_s / trend_window_shape(window).step_s;
		if (step > trend->newest[window])
			put_mark(trend, window, step, counts);
	}
}

struct server_counts server_trend_read(const struct server_trend *trend, enum trend_window window, uint64_t now_s,
				       const struct server_counts *counts)
{
	uint64_t oldest = oldest_of(window, now_s / trend_window_shape(window).step_s);
	const struct server_mark *first = NULL;
	for (uint32_t i = 0; i < trend->mark_count[window]; i++) {
		const struct server_mark *mark = &trend->marks[window][i];
		if (mark->step >= oldest && (first == NULL || mark->step < first->step))
			first = mark;
	}
	return first != NULL ? difference(counts, &first->counts) : (struct server_counts){ 0 };
}

void server_trend_write(const struct server_trend *trend, const struct server_counts *counts,
			struct byte_writer *writer)
{
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		BYTE_WRITER_PUT(writer, trend->mark_count[window]);
		for (uint32_t i = 0; i < trend->mark_count[window]; i++) {
			const struct server_mark *mark = &trend->marks[window][i];
			uint64_t age = trend->newest[window] - mark->step;
			struct server_counts since = difference(counts, &mark->counts);
			BYTE_WRITER_PUT(writer, age);
			BYTE_WRITER_PUT(writer, since);
		}
	}
}

static void read_window(struct server_trend *trend, enum trend_window window, uint64_t then, struct byte_reader *reader)
{
	const struct server_counts none = { 0 };
	uint32_t count;
	BYTE_READER_TAKE(reader, count);
	if (count > TREND_WINDOW_STEPS_MAX)
		reader->has_failed = true;
	for (uint32_t i = 0; i < count && !reader->has_failed; i++) {
		struct server_counts since;
		uint64_t age;
		BYTE_READER_TAKE(reader, age);
		BYTE_READER_TAKE(reader, since);
		if (age >= TREND_WINDOW_STEPS_MAX)
			reader->has_failed = true;
		trend->marks[window][i] =
			(struct server_mark){ then > age ? then - age : 0, difference(&none, &since) };
		trend->mark_count[window] = i + 1;
	}
	trend->newest[window] = then;
}

void server_trend_read_in(struct server_trend *trend, uint64_t now_s, uint64_t passed_s, struct byte_reader *reader)
{
	*trend = (struct server_trend){ 0 };
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		read_window(trend, window,
			    (now_s > passed_s ? now_s - passed_s : 0) / trend_window_shape(window).step_s, reader);
}
