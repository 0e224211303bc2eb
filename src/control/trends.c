/* SPDX-License-Identifier: Apache-2.0 */
#include "control/trends.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "control/trends_file.h"
#include "control/trends_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TAKE_BUSY_MS = 50,
	TAKE_IDLE_MS = 100,
	TAKE_MAX = 16384, /* observations in one turn: a few milliseconds */
	TICK_MS = 1000,
	SAVE_EVERY_MS = 5 * 60 * 1000,
	SAVE_STEP_MS = 20,
	SAVE_CHUNK_BYTES = 256 * 1024,
	SAVE_WAIT_MS = 5000, /* for the disk, at the stop */
	SEEN_SHARE = 16,     /* part of the memory for the filters of seen sources */
	HOURS_OF_DAY = 24,
	US_PER_S = 1000000,
};

/* One service; of its counters what they were at the last tick. */
struct entry {
	const struct service *service;
	uint32_t number;
	char name[SERVICE_NAME_BYTES];
	uint64_t name_hash;
	struct trend_amounts counted;
	bool has_left_out; /* memory was short when something was to be made */
	struct service_trend trend;
};

/* What part of the state is to be written next. */
struct saving {
	struct trends_file *file; /* NULL: nothing is being written */
	struct byte_writer chunk;
	bool has_begun;
	size_t service; /* index of the next */
	size_t server;
};

struct trends {
	struct log_writer *log;
	struct timer_wheel *wheel; /* NULL: no timers yet */
	struct worker *const *workers;
	uint32_t worker_count;
	struct timer take_timer;
	struct timer tick_timer;
	struct timer save_timer;
	uint64_t base_s; /* of now_s */
	uint64_t base_ms;
	uint64_t minute; /* of the last tick */
	uint64_t looked_step;
	const struct snapshot *snapshot;
	struct memory_budget budget;
	struct source_prefixes prefixes;
	uint64_t secret;
	char *path; /* NULL: nothing is kept */
	bool is_save_failing;
	struct entry *entries; /* by number, ascending */
	size_t entry_count;
	struct trends_saved_service *saved; /* of a former process, until the first watch */
	size_t saved_count;
	uint64_t passed_s; /* since it was written */
	struct seen_sources seen;
	struct server_trends *servers;
	struct saving saving;
};

/* --- time -------------------------------------------------------------------------------------------------------- */

struct trends_now trends_now(const struct trends *trends)
{
	return (struct trends_now){
		.s = trends->base_s + (clock_monotonic_ms() - trends->base_ms) / CLOCK_MS_PER_S,
		.realtime_us = clock_realtime_us(),
	};
}

static uint32_t realtime_s(struct trends_now now)
{
	int64_t s = now.realtime_us / US_PER_S;
	return s > 0 && s <= UINT32_MAX ? (uint32_t)s : 0;
}

/* Of the minute that has just ended. */
static uint32_t hour_of_week(struct trends_now now)
{
	time_t s = (time_t)(now.realtime_us / US_PER_S) - 30;
	struct tm local = { 0 };
	localtime_r(&s, &local);
	return (uint32_t)(local.tm_wday * HOURS_OF_DAY + local.tm_hour);
}

char *trends_format_basis(const struct usual_verdict *verdict, char buf[TRENDS_BASIS_BYTES])
{
	static const char *const days[] = {
		"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"
	};
	uint32_t hour = verdict->hour % HOURS_OF_DAY;
	buf[0] = '\0';
	if (verdict->basis == USUAL_ALL_HOURS)
		snprintf(buf, TRENDS_BASIS_BYTES, "all hours");
	else if (verdict->basis == USUAL_HOUR)
		snprintf(buf, TRENDS_BASIS_BYTES, "%s %02u:00-%02u:00", days[verdict->hour / HOURS_OF_DAY], hour,
			 hour + 1);
	return buf;
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static struct entry *find(const struct trends *trends, uint32_t number)
{
	size_t low = 0;
	size_t high = trends->entry_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (trends->entries[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < trends->entry_count && trends->entries[low].number == number ? &trends->entries[low] : NULL;
}

static uint64_t sum_array(const struct service *service, size_t offset, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += service_sum(service, offset + i * sizeof(counter));
	return sum;
}

static struct trend_amounts read_counters(const struct service *service)
{
	return (struct trend_amounts){ .of = {
					       [TREND_FLOWS] =
						       sum_array(service, offsetof(struct service_counters, flows),
								 FLOW_PROTOCOL_COUNT),
					       [TREND_BYTES_IN] = service_sum(
						       service, offsetof(struct service_counters, bytes_in)),
					       [TREND_BYTES_OUT] = service_sum(
						       service, offsetof(struct service_counters, bytes_out)),
					       [TREND_REFUSED] =
						       sum_array(service, offsetof(struct service_counters, refused),
								 REASON_COUNT),
					       [TREND_FLOWS_ACTIVE] = sum_array(
						       service, offsetof(struct service_counters, flows_active),
						       FLOW_PROTOCOL_COUNT),
				       } };
}

static bool is_idle(const struct trend_amounts *amounts)
{
	for (int measure = 0; measure < TREND_MEASURE_COUNT; measure++)
		if (amounts->of[measure] != 0)
			return false;
	return true;
}

/* What has come since the counters were last read. */
static struct trend_amounts take_amounts(struct entry *entry)
{
	struct trend_amounts now = read_counters(entry->service);
	struct trend_amounts since = now;
	for (int measure = 0; measure < TREND_FLOWS_ACTIVE; measure++)
		since.of[measure] -= entry->counted.of[measure];
	entry->counted = now;
	return since;
}

static void make(struct trends *trends, struct entry *entry, uint64_t now_s)
{
	service_trend_make(&entry->trend, now_s, &trends->budget);
	entry->has_left_out = entry->trend.sources == NULL;
}

static void count(struct trends *trends, struct entry *entry, uint64_t now_s)
{
	struct trend_amounts since = take_amounts(entry);
	struct service_trend *trend = &entry->trend;
	bool has_traffic = !is_idle(&since);
	if (has_traffic)
		make(trends, entry, now_s);
	if (trend->sources != NULL) {
		struct source_totals totals = {
			.flows = since.of[TREND_FLOWS],
			.bytes_in = since.of[TREND_BYTES_IN],
			.bytes_out = since.of[TREND_BYTES_OUT],
			.refused = since.of[TREND_REFUSED],
		};
		source_trends_advance(trend->sources, now_s, trends->secret, &trends->budget);
		source_trends_add_totals(trend->sources, &totals);
	}
	if (trend->rings != NULL)
		trend_rings_add(trend->rings, now_s, &since);
}

/* --- what is usual ----------------------------------------------------------------------------------------------- */

static void tell_change(struct trends *trends, const struct entry *entry, enum service_measure measure,
			enum usual_change change)
{
	const struct usual_verdict *verdict = &entry->trend.usual[measure].last;
	bool is_departure = change == USUAL_DEPARTURE;
	char basis[TRENDS_BASIS_BYTES];
	log_event(trends->log, is_departure ? CONFIG_LEVEL_WARNING : CONFIG_LEVEL_INFO,
		  is_departure ? "service_anomaly" : "service_anomaly_over", record_text("service", entry->name),
		  record_text("measure", service_measure_word(measure)), record_decimal("now", verdict->now),
		  record_decimal("usual", verdict->usual), record_decimal("deviation", verdict->deviation),
		  record_text("basis", trends_format_basis(verdict, basis)),
		  record_number("samples", verdict->samples));
}

static void note_minute(struct trends *trends, struct entry *entry, uint32_t hour)
{
	enum usual_change changes[SERVICE_MEASURE_COUNT];
	if (!service_trend_note_minute(&entry->trend, hour, changes))
		return;
	for (int measure = 0; measure < SERVICE_MEASURE_COUNT; measure++)
		if (changes[measure] != USUAL_SAME)
			tell_change(trends, entry, measure, changes[measure]);
}

/* --- observations ------------------------------------------------------------------------------------------------ */

static void note_if_new(struct trends *trends, const struct entry *entry, const struct source_seen *seen,
			struct talker *talker, uint64_t now_s)
{
	if (talker != NULL)
		talker->is_new =
			!seen_sources_note(&trends->seen, seen->hash ^ entry->name_hash, now_s, &trends->budget);
}

void trends_observe(struct trends *trends, const struct flow_observation *observation, struct trends_now now)
{
	struct entry *entry = find(trends, observation->service);
	if (entry == NULL)
		return;
	struct source_trends *sources = entry->trend.sources;
	if (sources == NULL) {
		make(trends, entry, now.s);
		sources = entry->trend.sources;
	}
	if (sources == NULL)
		return;
	struct source_seen seen = {
		.source = source_from_endpoint(&observation->source, trends->prefixes),
		.bytes_in = observation->bytes_in,
		.bytes_out = observation->bytes_out,
		.now_realtime_s = realtime_s(now),
	};
	seen.hash = source_hash(&seen.source, trends->secret);
	source_trends_advance(sources, now.s, trends->secret, &trends->budget);
	switch ((enum flow_observation_kind)observation->kind) {
	case FLOW_OBSERVED_BEGIN:
		note_if_new(trends, entry, &seen, source_trends_begin(sources, &seen, &trends->budget), now.s);
		break;
	case FLOW_OBSERVED_END:
		source_trends_end(sources, &seen, &trends->budget);
		break;
	case FLOW_OBSERVED_REFUSAL:
		source_trends_refuse(sources, &seen, &trends->budget);
		break;
	}
}

/* Returns how many there were. */
static uint32_t take_observations(struct trends *trends, uint32_t max)
{
	struct trends_now now = trends_now(trends);
	struct flow_observation observation;
	uint32_t taken = 0;
	for (uint32_t i = 0; i < trends->worker_count; i++) {
		struct ring *ring = worker_observations(trends->workers[i]);
		/* Each worker gets its share of the turn. */
		uint32_t share = max / trends->worker_count;
		for (; share > 0 && ring_take(ring, &observation, sizeof(observation)) > 0; share--, taken++)
			trends_observe(trends, &observation, now);
	}
	return taken;
}

static void on_take(struct timer *timer, uint64_t now_ms)
{
	struct trends *trends = LIST_OWNER(timer, struct trends, take_timer);
	uint32_t taken = take_observations(trends, TAKE_MAX);
	timer_arm(trends->wheel, timer, now_ms + (taken > 0 ? TAKE_BUSY_MS : TAKE_IDLE_MS));
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

static void look_at_servers(struct trends *trends, uint64_t now_s)
{
	uint64_t step = now_s / trend_window_shape(TREND_1M).step_s;
	if (step == trends->looked_step)
		return;
	trends->looked_step = step;
	server_trends_look(trends->servers, trends->snapshot, now_s);
}

static void count_all(struct trends *trends, uint64_t now_s)
{
	for (size_t i = 0; i < trends->entry_count; i++)
		count(trends, &trends->entries[i], now_s);
}

void trends_tick(struct trends *trends, struct trends_now now)
{
	if (trends->snapshot == NULL)
		return;
	count_all(trends, now.s);
	look_at_servers(trends, now.s);
	if (now.s / 60 == trends->minute)
		return;
	trends->minute = now.s / 60;
	uint32_t hour = hour_of_week(now);
	for (size_t i = 0; i < trends->entry_count; i++)
		note_minute(trends, &trends->entries[i], hour);
}

static void on_tick(struct timer *timer, uint64_t now_ms)
{
	struct trends *trends = LIST_OWNER(timer, struct trends, tick_timer);
	trends_tick(trends, trends_now(trends));
	timer_arm(trends->wheel, timer, now_ms + TICK_MS);
}

void trends_refresh(struct trends *trends)
{
	uint64_t now_s = trends_now(trends).s;
	take_observations(trends, TAKE_MAX);
	if (trends->snapshot == NULL)
		return;
	count_all(trends, now_s);
	server_trends_look(trends->servers, trends->snapshot, now_s);
}

/* --- keeping the state ------------------------------------------------------------------------------------------- */

static void tell_problem(struct trends *trends, const char *event, const char *cause)
{
	log_event(trends->log, CONFIG_LEVEL_WARNING, event, record_text("file", trends->path),
		  record_text("cause", cause));
}

/* The beginning of the file: what all the rest depends on. */
static void put_general(struct trends *trends)
{
	struct byte_writer *chunk = &trends->saving.chunk;
	struct trends_general general = {
		.secret = trends->secret,
		.written_realtime_s = realtime_s(trends_now(trends)),
	};
	size_t mark = trends_state_begin_section(chunk, TRENDS_SECTION_GENERAL);
	BYTE_WRITER_PUT(chunk, general);
	trends_state_end_section(chunk, mark);
	mark = trends_state_begin_section(chunk, TRENDS_SECTION_SEEN);
	seen_sources_write(&trends->seen, chunk);
	trends_state_end_section(chunk, mark);
}

static bool put_server(struct trends *trends)
{
	struct byte_writer *chunk = &trends->saving.chunk;
	size_t len_before = chunk->len;
	size_t mark = trends_state_begin_section(chunk, TRENDS_SECTION_SERVER);
	bool is_there = server_trends_write(trends->servers, trends->saving.server++, chunk);
	trends_state_end_section(chunk, mark);
	if (!is_there)
		chunk->len = len_before; /* without the head of a section that has no content */
	return is_there;
}

/* Fills the chunk with what comes next. False when all is in. */
static bool put_next(struct trends *trends)
{
	struct saving *saving = &trends->saving;
	if (!saving->has_begun) {
		saving->has_begun = true;
		put_general(trends);
		return true;
	}
	while (saving->service < trends->entry_count && saving->chunk.len < SAVE_CHUNK_BYTES) {
		const struct entry *entry = &trends->entries[saving->service++];
		if (entry->trend.rings != NULL)
			trends_state_write_service(&saving->chunk, entry->name, &entry->trend);
	}
	if (saving->service < trends->entry_count)
		return true;
	while (saving->chunk.len < SAVE_CHUNK_BYTES)
		if (!put_server(trends))
			return false;
	return true;
}

static void end_saving(struct trends *trends)
{
	trends_file_close(&trends->saving.file);
	byte_writer_done(&trends->saving.chunk);
	trends->saving = (struct saving){ 0 };
}

/* Once for each series of failures. */
static void note_save_failure(struct trends *trends, int error)
{
	if (!trends->is_save_failing)
		tell_problem(trends, "trends_not_written", strerror(error));
	trends->is_save_failing = true;
}

static bool begin_saving(struct trends *trends)
{
	int result = trends_file_begin(trends->path, &trends->saving.file);
	if (result < 0)
		note_save_failure(trends, -result);
	return result == 0;
}

/* One step. False when it is over, well or not. */
static bool go_on_saving(struct trends *trends, enum trends_file_progress progress, int error)
{
	struct saving *saving = &trends->saving;
	switch (progress) {
	case TRENDS_FILE_BUSY:
		return true;
	case TRENDS_FILE_READY:
		if (put_next(trends) || saving->chunk.len > 0)
			trends_file_put(saving->file, &saving->chunk);
		else
			trends_file_finish(saving->file);
		return true;
	case TRENDS_FILE_FAILED:
		note_save_failure(trends, error);
		return false;
	case TRENDS_FILE_DONE:
		trends->is_save_failing = false;
		return false;
	}
	return false;
}

static void on_save(struct timer *timer, uint64_t now_ms)
{
	struct trends *trends = LIST_OWNER(timer, struct trends, save_timer);
	uint64_t next_ms = SAVE_STEP_MS;
	if (trends->saving.file == NULL) {
		if (trends->path == NULL || !begin_saving(trends))
			next_ms = SAVE_EVERY_MS;
	} else {
		int error = 0;
		enum trends_file_progress progress = trends_file_progress(trends->saving.file, &error);
		if (!go_on_saving(trends, progress, error)) {
			end_saving(trends);
			next_ms = SAVE_EVERY_MS;
		}
	}
	timer_arm(trends->wheel, timer, now_ms + next_ms);
}

/* All at once, at the stop. */
static void save_now(struct trends *trends)
{
	int error = 0;
	bool is_going_on = true;
	end_saving(trends);
	if (trends->path == NULL || !begin_saving(trends))
		return;
	while (is_going_on) {
		enum trends_file_progress progress = trends_file_wait(trends->saving.file, SAVE_WAIT_MS, &error);
		if (progress == TRENDS_FILE_BUSY) {
			note_save_failure(trends, ETIMEDOUT);
			break;
		}
		is_going_on = go_on_saving(trends, progress, error);
	}
	end_saving(trends);
}

/* --- the state of a former process ------------------------------------------------------------------------------- */

static void on_general(void *owner, const struct trends_general *general)
{
	struct trends *trends = owner;
	trends->secret = general->secret;
	trends->passed_s =
		trends->base_s > general->written_realtime_s ? trends->base_s - general->written_realtime_s : 0;
}

static void on_seen(void *owner, struct byte_reader *reader)
{
	struct trends *trends = owner;
	if (trends->seen.words == NULL)
		seen_sources_read(&trends->seen, reader, &trends->budget);
}

static void on_service(void *owner, const struct trends_saved_service *service)
{
	struct trends *trends = owner;
	trends->saved = memory_resize(trends->saved, trends->saved_count + 1, sizeof(*trends->saved));
	trends->saved[trends->saved_count++] = *service;
}

static void on_server(void *owner, struct byte_reader *reader)
{
	struct trends *trends = owner;
	server_trends_read_in(trends->servers, trends->base_s, trends->passed_s, reader);
}

static int compare_saved(const void *left, const void *right)
{
	const struct trends_saved_service *a = left;
	const struct trends_saved_service *b = right;
	return strcmp(a->name, b->name);
}

static void set_aside(struct trends *trends, const char *cause)
{
	int result = trends_file_set_aside(trends->path);
	tell_problem(trends, "trends_damaged", cause);
	if (result < 0)
		tell_problem(trends, "trends_not_set_aside", strerror(-result));
}

static void load(struct trends *trends)
{
	const struct trends_state_reader reader = {
		.owner = trends,
		.budget = &trends->budget,
		.on_general = on_general,
		.on_seen = on_seen,
		.on_service = on_service,
		.on_server = on_server,
	};
	struct span bytes;
	int result = trends_file_read(trends->path, &bytes);
	if (result == -ENOENT)
		return;
	if (result < 0) {
		tell_problem(trends, "trends_not_read", strerror(-result));
		return;
	}
	const char *problem = trends_state_read(bytes, &reader);
	if (problem != NULL)
		set_aside(trends, problem);
	if (trends->saved_count > 0)
		qsort(trends->saved, trends->saved_count, sizeof(*trends->saved), compare_saved);
	free((void *)(uintptr_t)bytes.data);
}

static void take_saved(struct trends *trends, struct entry *entry, uint64_t now_s)
{
	struct trends_saved_service wanted;
	if (trends->saved_count == 0)
		return;
	memcpy(wanted.name, entry->name, sizeof(wanted.name));
	struct trends_saved_service *saved =
		bsearch(&wanted, trends->saved, trends->saved_count, sizeof(*trends->saved), compare_saved);
	if (saved == NULL || saved->is_taken)
		return;
	saved->is_taken = true;
	entry->trend = saved->trend;
	service_trend_set_time(&entry->trend, now_s, trends->passed_s);
}

static void forget_saved(struct trends *trends)
{
	for (size_t i = 0; i < trends->saved_count; i++)
		if (!trends->saved[i].is_taken)
			service_trend_done(&trends->saved[i].trend, &trends->budget);
	free(trends->saved);
	trends->saved = NULL;
	trends->saved_count = 0;
}

/* --- settings and services of the configuration ------------------------------------------------------------------ */

/* systemd names the folders of StateDirectory=, with colons between them. */
static char *default_path(void)
{
	const char *folders = getenv("STATE_DIRECTORY");
	if (folders == NULL || folders[0] != '/')
		return NULL;
	char *path = NULL;
	int len = asprintf(&path, "%.*s/trends", (int)strcspn(folders, ":"), folders);
	return len > 0 ? path : NULL;
}

static void set_path(struct trends *trends, const char *file)
{
	char *path = file != NULL ? memory_copy_text(file) : default_path();
	bool is_same = path == NULL || trends->path == NULL ? path == trends->path : strcmp(path, trends->path) == 0;
	if (is_same) {
		free(path);
		return;
	}
	end_saving(trends);
	free(trends->path);
	trends->path = path;
	trends->is_save_failing = false;
}

static void apply_settings(struct trends *trends, const struct config *config)
{
	trends->budget.max_bytes = config->trends.memory_bytes;
	trends->prefixes =
		(struct source_prefixes){ config->trends.prefixes.ipv4_bits, config->trends.prefixes.ipv6_bits };
	set_path(trends, config->trends.file);
}

static struct entry entry_of(const struct service *service, uint64_t secret)
{
	struct entry entry = { .service = service, .number = service->number };
	memcpy(entry.name, service->name, sizeof(entry.name));
	/* Sources are the same for all services, keys of those that were seen are not. */
	struct network name = { .family = 0 };
	uint64_t hash = secret;
	for (size_t i = 0; i < sizeof(entry.name) && entry.name[i] != '\0'; i += sizeof(name.ip)) {
		memcpy(name.ip, entry.name + i, sizeof(name.ip));
		hash = source_hash(&name, hash);
	}
	entry.name_hash = hash;
	return entry;
}

static int compare_numbers(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;
	return a->number < b->number ? -1 : a->number > b->number;
}

void trends_watch(struct trends *trends, const struct snapshot *snapshot, const struct config *config)
{
	struct entry *entries = memory_alloc_zeroed(snapshot->service_count, sizeof(*entries));
	uint64_t now_s = trends->wheel != NULL ? trends_now(trends).s : trends->base_s;
	apply_settings(trends, config);
	for (size_t i = 0; i < snapshot->service_count; i++) {
		struct entry *known = find(trends, snapshot->services[i]->number);
		entries[i] = known != NULL ? *known : entry_of(snapshot->services[i], trends->secret);
		if (known != NULL)
			known->trend = (struct service_trend){ 0 };
		else
			take_saved(trends, &entries[i], now_s);
	}
	forget_saved(trends);
	for (size_t i = 0; i < trends->entry_count; i++)
		service_trend_done(&trends->entries[i].trend, &trends->budget);
	free(trends->entries);
	trends->entries = entries;
	trends->entry_count = snapshot->service_count;
	trends->snapshot = snapshot;
	if (trends->entry_count > 0)
		qsort(entries, trends->entry_count, sizeof(*entries), compare_numbers);
	/* What is half written goes by places in the old list. */
	end_saving(trends);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

struct trends *trends_new(const struct config *config, struct log_writer *log, struct trends_now started)
{
	struct trends *trends = memory_alloc_zeroed(1, sizeof(*trends));
	trends->log = log;
	trends->base_s = started.s;
	trends->base_ms = clock_monotonic_ms();
	trends->minute = started.s / 60;
	trends->secret = random_unguessable();
	apply_settings(trends, config);
	seen_sources_init(&trends->seen, trends->budget.max_bytes / SEEN_SHARE);
	trends->servers = server_trends_new(&trends->budget);
	if (trends->path != NULL)
		load(trends);
	return trends;
}

void trends_start(struct trends *trends, struct timer_wheel *wheel, struct worker *const *workers,
		  uint32_t worker_count)
{
	uint64_t now_ms = clock_monotonic_ms();
	trends->wheel = wheel;
	trends->workers = workers;
	trends->worker_count = worker_count;
	trends->take_timer.on_expiry = on_take;
	trends->tick_timer.on_expiry = on_tick;
	trends->save_timer.on_expiry = on_save;
	timer_arm(wheel, &trends->take_timer, now_ms + TAKE_IDLE_MS);
	timer_arm(wheel, &trends->tick_timer, now_ms + TICK_MS);
	timer_arm(wheel, &trends->save_timer, now_ms + SAVE_EVERY_MS);
}

void trends_stop(struct trends *trends)
{
	if (trends == NULL || trends->wheel == NULL)
		return;
	timer_disarm(trends->wheel, &trends->take_timer);
	timer_disarm(trends->wheel, &trends->tick_timer);
	timer_disarm(trends->wheel, &trends->save_timer);
	take_observations(trends, UINT32_MAX);
	trends_tick(trends, trends_now(trends));
	if (trends->snapshot != NULL)
		server_trends_look(trends->servers, trends->snapshot, trends_now(trends).s);
	save_now(trends);
	trends->wheel = NULL;
	trends->worker_count = 0;
}

void trends_free(struct trends **trends)
{
	struct trends *freed = *trends;
	if (freed == NULL)
		return;
	end_saving(freed);
	forget_saved(freed);
	for (size_t i = 0; i < freed->entry_count; i++)
		service_trend_done(&freed->entries[i].trend, &freed->budget);
	free(freed->entries);
	server_trends_free(&freed->servers);
	seen_sources_done(&freed->seen, &freed->budget);
	free(freed->path);
	free(freed);
	*trends = NULL;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

const struct service_trend *trends_of_service(const struct trends *trends, const struct service *service)
{
	const struct entry *entry = find(trends, service->number);
	return entry != NULL && entry->trend.rings != NULL ? &entry->trend : NULL;
}

const struct server_trends *trends_of_servers(const struct trends *trends)
{
	return trends->servers;
}

bool trends_report_sources(const struct trends *trends, const struct service *service, enum trend_window window,
			   struct source_report *ret_report)
{
	const struct service_trend *trend = trends_of_service(trends, service);
	if (trend == NULL || trend->sources == NULL)
		return false;
	source_trends_report(trend->sources, window, trends_now(trends).s, trends->secret, ret_report);
	return true;
}

bool trends_has_left_out(const struct trends *trends, const struct service *service)
{
	const struct entry *entry = find(trends, service->number);
	return entry != NULL && entry->has_left_out;
}

bool trends_read_usual(const struct trends *trends, const struct service *service, enum service_measure measure,
		       struct usual_verdict *ret_verdict)
{
	const struct service_trend *trend = trends_of_service(trends, service);
	if (trend == NULL || trend->usual == NULL)
		return false;
	*ret_verdict = trend->usual[measure].last;
	return true;
}

struct trends_usage trends_usage(const struct trends *trends)
{
	struct trends_usage usage = {
		.used_bytes = trends->budget.used_bytes,
		.max_bytes = trends->budget.max_bytes,
		.refused_count = trends->budget.refused_count,
		.queue_bytes = (uint64_t)trends->worker_count * OBSERVATION_RING_BYTES,
		.file = trends->path,
	};
	for (uint32_t i = 0; i < trends->worker_count; i++) {
		struct worker_usage worker;
		worker_read_usage(trends->workers[i], &worker);
		usage.observations_dropped += worker.observations_dropped;
	}
	return usage;
}

uint64_t trends_bytes_max(const struct config *config, uint32_t worker_count)
{
	return config->trends.memory_bytes + (uint64_t)worker_count * OBSERVATION_RING_BYTES;
}
