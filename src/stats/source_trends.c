/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/source_trends.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* What was seen in one step. */
struct part {
	uint64_t step; /* its number: seconds of the clock by seconds of the step */
	struct source_totals totals;
	struct top_talkers talkers; /* counts are flows */
	struct top_talkers refused; /* counts are refusals */
	struct unique_count unique;
};

/* The steps of one length. */
struct level {
	struct part open;
	struct part ended[TREND_WINDOW_STEPS_MAX - 1];
	uint32_t ended_count; /* in no order */
};

struct source_trends {
	uint64_t start_s;
	bool is_cut; /* memory was refused */
	struct level levels[TREND_WINDOW_COUNT];
};

static_assert(sizeof(struct source_trends) < 16 * 1024, "it is there for every service with traffic");

/* --- one step ---------------------------------------------------------------------------------------------------- */

static void part_init(struct part *part, uint64_t step)
{
	*part = (struct part){
		.step = step,
		.talkers = { .capacity_max = SOURCE_TALKERS_MAX },
		.refused = { .capacity_max = SOURCE_REFUSED_MAX },
	};
}

static void part_clear(struct part *part, struct memory_budget *budget)
{
	top_talkers_clear(&part->talkers, budget);
	top_talkers_clear(&part->refused, budget);
	unique_count_clear(&part->unique, budget);
}

static bool part_is_empty(const struct part *part)
{
	const struct source_totals *totals = &part->totals;
	return part->talkers.count == 0 && part->refused.count == 0 && totals->flows == 0 && totals->refused == 0 &&
	       totals->bytes_in == 0 && totals->bytes_out == 0;
}

static void totals_add(struct source_totals *to, const struct source_totals *from)
{
	to->flows += from->flows;
	to->bytes_in += from->bytes_in;
	to->bytes_out += from->bytes_out;
	to->refused += from->refused;
}

/* Counts and errors add up (Agarwal and others, "Mergeable summaries", 2012). */
static void talkers_unite(struct top_talkers *into, const struct top_talkers *from, uint64_t secret,
			  struct memory_budget *budget)
{
	for (uint32_t i = 0; i < from->count; i++) {
		const struct talker *talker = &from->talkers[i];
		uint64_t hash = source_hash(&talker->source, secret);
		bool is_fresh;
		struct talker *to = top_talkers_add(into, &talker->source, hash, talker->count, budget, &is_fresh);
		if (to == NULL)
			continue;
		to->error = to->error <= UINT32_MAX - talker->error ? to->error + talker->error : UINT32_MAX;
		to->bytes_in += talker->bytes_in;
		to->bytes_out += talker->bytes_out;
		to->is_new = to->is_new || talker->is_new;
		if (is_fresh || talker->first_seen_s < to->first_seen_s)
			to->first_seen_s = talker->first_seen_s;
	}
}

static void part_unite(struct part *into, const struct part *from, uint64_t secret, struct memory_budget *budget)
{
	totals_add(&into->totals, &from->totals);
	talkers_unite(&into->talkers, &from->talkers, secret, budget);
	talkers_unite(&into->refused, &from->refused, secret, budget);
	unique_count_unite(&into->unique, &from->unique, budget);
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void drop_old(struct level *level, uint64_t oldest, struct memory_budget *budget)
{
	for (uint32_t i = 0; i < level->ended_count;) {
		if (level->ended[i].step >= oldest) {
			i++;
			continue;
		}
		part_clear(&level->ended[i], budget);
		level->ended[i] = level->ended[--level->ended_count];
	}
}

/* The oldest step that the window still covers when `now` goes on. */
static uint64_t oldest_of(enum trend_window window, uint64_t now)
{
	uint32_t steps = trend_window_shape(window).steps;
	return now + 1 > steps ? now + 1 - steps : 0;
}

static void end_step(struct source_trends *trends, enum trend_window window, uint64_t now, uint64_t secret,
		     struct memory_budget *budget)
{
	struct level *level = &trends->levels[window];
	bool is_worth_keeping = !part_is_empty(&level->open);
	if (is_worth_keeping && window + 1 < TREND_WINDOW_COUNT)
		part_unite(&trends->levels[window + 1].open, &level->open, secret, budget);
	drop_old(level, oldest_of(window, now), budget);
	if (is_worth_keeping && level->open.step >= oldest_of(window, now) &&
	    level->ended_count < TREND_WINDOW_STEPS_MAX - 1) {
		top_talkers_close(&level->open.talkers, SOURCE_TALKERS_KEPT_MAX, budget);
		top_talkers_close(&level->open.refused, SOURCE_REFUSED_KEPT_MAX, budget);
		level->ended[level->ended_count++] = level->open;
	} else {
		part_clear(&level->open, budget);
	}
	part_init(&level->open, now);
}

/* Shorter ones first: what they have seen belongs to the longer step that it was seen in. */
void source_trends_advance(struct source_trends *trends, uint64_t now_s, uint64_t secret, struct memory_budget *budget)
{
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		uint64_t now = now_s / trend_window_shape(window).step_s;
		if (now > trends->levels[window].open.step)
			end_step(trends, window, now, secret, budget);
	}
}

/* Steps keep their distances from the one that was open. */
void source_trends_set_time(struct source_trends *trends, uint64_t now_s, uint64_t passed_s)
{
	uint64_t then_s = now_s > passed_s ? now_s - passed_s : 0;
	if (trends->start_s > now_s)
		trends->start_s = now_s;
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		struct level *level = &trends->levels[window];
		uint64_t then = then_s / trend_window_shape(window).step_s;
		for (uint32_t i = 0; i < level->ended_count; i++) {
			uint64_t distance = level->open.step - level->ended[i].step;
			level->ended[i].step = then > distance ? then - distance : 0;
		}
		level->open.step = then;
	}
}

/* --- what is seen ------------------------------------------------------------------------------------------------ */

static struct part *part_of_now(struct source_trends *trends)
{
	return &trends->levels[0].open;
}

static void note_shortage(struct source_trends *trends, const struct talker *talker)
{
	trends->is_cut = trends->is_cut || talker == NULL;
}

struct talker *source_trends_begin(struct source_trends *trends, const struct source_seen *seen,
				   struct memory_budget *budget)
{
	struct part *part = part_of_now(trends);
	bool is_fresh;
	struct talker *talker = top_talkers_add(&part->talkers, &seen->source, seen->hash, 1, budget, &is_fresh);
	note_shortage(trends, talker);
	unique_count_add(&part->unique, seen->hash, budget);
	if (talker == NULL || !is_fresh)
		return NULL;
	talker->first_seen_s = seen->now_realtime_s;
	return talker;
}

void source_trends_end(struct source_trends *trends, const struct source_seen *seen, struct memory_budget *budget)
{
	bool is_fresh;
	struct talker *talker =
		top_talkers_add(&part_of_now(trends)->talkers, &seen->source, seen->hash, 0, budget, &is_fresh);
	if (talker == NULL)
		return;
	talker->bytes_in += seen->bytes_in;
	talker->bytes_out += seen->bytes_out;
	if (is_fresh)
		talker->first_seen_s = seen->now_realtime_s;
}

void source_trends_refuse(struct source_trends *trends, const struct source_seen *seen, struct memory_budget *budget)
{
	struct part *part = part_of_now(trends);
	bool is_fresh;
	struct talker *talker = top_talkers_add(&part->refused, &seen->source, seen->hash, 1, budget, &is_fresh);
	note_shortage(trends, talker);
	unique_count_add(&part->unique, seen->hash, budget);
	if (talker != NULL && is_fresh)
		talker->first_seen_s = seen->now_realtime_s;
}

void source_trends_add_totals(struct source_trends *trends, const struct source_totals *totals)
{
	totals_add(&part_of_now(trends)->totals, totals);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct source_trends *source_trends_new(uint64_t now_s, struct memory_budget *budget)
{
	if (!memory_budget_take(budget, sizeof(struct source_trends)))
		return NULL;
	struct source_trends *trends = memory_alloc_zeroed(1, sizeof(*trends));
	trends->start_s = now_s;
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		part_init(&trends->levels[window].open, now_s / trend_window_shape(window).step_s);
	return trends;
}

void source_trends_free(struct source_trends **trends, struct memory_budget *budget)
{
	if (*trends == NULL)
		return;
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		struct level *level = &(*trends)->levels[window];
		part_clear(&level->open, budget);
		drop_old(level, UINT64_MAX, budget);
	}
	memory_budget_give(budget, sizeof(**trends));
	free(*trends);
	*trends = NULL;
}

/* --- a window's report ------------------------------------------------------------------------------------------- */

enum { REPORT_TALKERS_MAX = 8192 };

/* All steps of the window, and what has not been added to them yet. */
static void unite_window(const struct source_trends *trends, enum trend_window window, uint64_t now_s, uint64_t secret,
			 struct part *united, struct memory_budget *budget)
{
	const struct level *level = &trends->levels[window];
	uint64_t oldest = oldest_of(window, now_s / trend_window_shape(window).step_s);
	for (uint32_t i = 0; i < level->ended_count; i++)
		if (level->ended[i].step >= oldest)
			part_unite(united, &level->ended[i], secret, budget);
	for (int i = 0; i <= (int)window; i++)
		part_unite(united, &trends->levels[i].open, secret, budget);
}

static int compare_lines(const void *left, const void *right)
{
	const struct source_line *a = left;
	const struct source_line *b = right;
	if (a->flows != b->flows)
		return a->flows > b->flows ? -1 : 1;
	if (a->refused != b->refused)
		return a->refused > b->refused ? -1 : 1;
	uint64_t bytes_a = a->bytes_in + a->bytes_out;
	uint64_t bytes_b = b->bytes_in + b->bytes_out;
	if (bytes_a != bytes_b)
		return bytes_a > bytes_b ? -1 : 1;
	return memcmp(&a->source, &b->source, sizeof(a->source));
}

static struct source_line line_of(const struct talker *talker)
{
	return (struct source_line){
		.source = talker->source,
		.flows = talker->count,
		.error = talker->error,
		.bytes_in = talker->bytes_in,
		.bytes_out = talker->bytes_out,
		.first_seen_s = talker->first_seen_s,
		.is_new = talker->is_new,
	};
}

/* Flows and refusals of one source make one line. */
static void make_lines(const struct part *united, uint64_t secret, struct source_report *report)
{
	const struct top_talkers *talkers = &united->talkers;
	uint32_t room = talkers->count + united->refused.count;
	report->lines = memory_alloc_zeroed(room, sizeof(*report->lines));
	for (uint32_t i = 0; i < talkers->count; i++)
		report->lines[i] = line_of(&talkers->talkers[i]);
	report->line_count = talkers->count;
	for (uint32_t i = 0; i < united->refused.count; i++) {
		const struct talker *refused = &united->refused.talkers[i];
		const struct talker *same =
			top_talkers_find(talkers, &refused->source, source_hash(&refused->source, secret));
		struct source_line *line =
			same != NULL ? &report->lines[same - talkers->talkers] : &report->lines[report->line_count++];
		if (same == NULL)
			*line = (struct source_line){ .source = refused->source,
						      .first_seen_s = refused->first_seen_s };
		line->refused = refused->count;
	}
	qsort(report->lines, report->line_count, sizeof(*report->lines), compare_lines);
}

void source_trends_report(const struct source_trends *trends, enum trend_window window, uint64_t now_s, uint64_t secret,
			  struct source_report *ret_report)
{
	struct memory_budget free_budget = { .max_bytes = UINT64_MAX };
	struct part united;
	uint64_t begin_s = trend_window_begin_s(window, now_s);
	part_init(&united, 0);
	united.talkers.capacity_max = REPORT_TALKERS_MAX;
	united.refused.capacity_max = REPORT_TALKERS_MAX;
	unite_window(trends, window, now_s, secret, &united, &free_budget);
	if (begin_s < trends->start_s)
		begin_s = trends->start_s;
	*ret_report = (struct source_report){
		.totals = united.totals,
		.unique = unique_count_estimate(&united.unique),
		.covered_s = now_s > begin_s ? now_s - begin_s : 0,
		.is_whole = !trends->is_cut && !united.unique.is_cut,
	};
	make_lines(&united, secret, ret_report);
	part_clear(&united, &free_budget);
}

void source_report_done(struct source_report *report)
{
	free(report->lines);
	report->lines = NULL;
}

/* --- in a file --------------------------------------------------------------------------------------------------- */

static void part_write(const struct part *part, struct byte_writer *writer)
{
	BYTE_WRITER_PUT(writer, part->step);
	BYTE_WRITER_PUT(writer, part->totals);
	top_talkers_write(&part->talkers, writer);
	top_talkers_write(&part->refused, writer);
	unique_count_write(&part->unique, writer);
}

static void part_read(struct part *part, struct byte_reader *reader, uint64_t secret, struct memory_budget *budget)
{
	part_init(part, 0);
	BYTE_READER_TAKE(reader, part->step);
	BYTE_READER_TAKE(reader, part->totals);
	top_talkers_read(&part->talkers, reader, secret, budget);
	top_talkers_read(&part->refused, reader, secret, budget);
	unique_count_read(&part->unique, reader, budget);
}

void source_trends_write(const struct source_trends *trends, struct byte_writer *writer)
{
	BYTE_WRITER_PUT(writer, trends->is_cut);
	BYTE_WRITER_PUT(writer, trends->start_s);
	for (int window = 0; window < TREND_WINDOW_COUNT; window++) {
		const struct level *level = &trends->levels[window];
		part_write(&level->open, writer);
		BYTE_WRITER_PUT(writer, level->ended_count);
		for (uint32_t i = 0; i < level->ended_count; i++)
			part_write(&level->ended[i], writer);
	}
}

static void level_read(struct level *level, struct byte_reader *reader, uint64_t secret, struct memory_budget *budget)
{
	uint32_t count;
	part_read(&level->open, reader, secret, budget);
	BYTE_READER_TAKE(reader, count);
	if (count > TREND_WINDOW_STEPS_MAX - 1)
		reader->has_failed = true;
	while (level->ended_count < count && !reader->has_failed) {
		struct part *part = &level->ended[level->ended_count++];
		part_read(part, reader, secret, budget);
		top_talkers_close(&part->talkers, SOURCE_TALKERS_KEPT_MAX, budget);
		top_talkers_close(&part->refused, SOURCE_REFUSED_KEPT_MAX, budget);
		if (part->step > level->open.step)
			reader->has_failed = true;
	}
}

struct source_trends *source_trends_read_new(struct byte_reader *reader, uint64_t secret, struct memory_budget *budget)
{
	struct source_trends *trends = source_trends_new(0, budget);
	uint8_t is_cut;
	if (trends == NULL)
		return NULL;
	BYTE_READER_TAKE(reader, is_cut);
	BYTE_READER_TAKE(reader, trends->start_s);
	trends->is_cut = is_cut != 0;
	for (int window = 0; window < TREND_WINDOW_COUNT; window++)
		level_read(&trends->levels[window], reader, secret, budget);
	if (reader->has_failed)
		source_trends_free(&trends, budget);
	return trends;
}
