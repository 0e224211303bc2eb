/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_trends.h"

#include "base/clock.h"
#include "base/memory.h"
#include "control/json_bytes.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 10, LIMIT_MAX = 1000, US_PER_S = 1000000 };

static void put_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_bytes(text));
}

static void put_time(json_t *object, const char *key, uint64_t realtime_s)
{
	char text[CLOCK_TEXT_BYTES];
	put_text(object, key, clock_format_realtime((int64_t)realtime_s * US_PER_S, text, sizeof(text)));
}

/* --- what is asked ----------------------------------------------------------------------------------------------- */

struct question {
	bool is_by_destination;
	enum trend_window window;
	const struct service *service; /* NULL: all */
	size_t limit;
};

/* The number of the word, or -1. NULL is word number `none`. */
static int find_word(const char *text, const char *const words[], int count, int none)
{
	if (text == NULL)
		return none;
	for (int i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return -1;
}

static bool find_service(const struct admin_request *request, const char *name, struct admin_answer *answer,
			 const struct service **ret_service)
{
	*ret_service = snapshot_find_service(request->daemon->snapshot, name);
	if (*ret_service == NULL)
		admin_refuse(answer, ADMIN_NOT_FOUND, "there is no service of that name");
	return *ret_service != NULL;
}

/* Refuses, and returns false, what is no question. */
static bool read_question(const struct admin_request *request, struct admin_answer *answer,
			  struct question *ret_question)
{
	static const char *const sides[] = { "source", "destination" };
	static const char *const windows[TREND_WINDOW_COUNT] = {
		[TREND_1M] = "1m", [TREND_10M] = "10m", [TREND_1H] = "1h", [TREND_24H] = "24h"
	};
	const char *service = admin_argument(request, "service");
	int side = find_word(admin_argument(request, "by"), sides, 2, 0);
	int window = find_word(admin_argument(request, "window"), windows, TREND_WINDOW_COUNT, TREND_10M);
	*ret_question = (struct question){ .is_by_destination = side == 1 };
	if (side < 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "by is source or destination");
		return false;
	}
	if (window < 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "window is 1m, 10m, 1h or 24h");
		return false;
	}
	if (!admin_read_limit(request, LIMIT_DEFAULT, LIMIT_MAX, &ret_question->limit)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "limit is a number, at most 1000");
		return false;
	}
	ret_question->window = (enum trend_window)window;
	return service == NULL || find_service(request, service, answer, &ret_question->service);
}

/* --- one service ------------------------------------------------------------------------------------------------- */

static json_t *usual_build(const struct trends *trends, const struct service *service)
{
	json_t *array = json_array();
	for (enum service_measure measure = 0; measure < SERVICE_MEASURE_COUNT; measure++) {
		struct usual_verdict verdict;
		char basis[TRENDS_BASIS_BYTES];
		if (!trends_read_usual(trends, service, measure, &verdict))
			continue;
		json_t *object = json_object();
		put_text(object, "measure", service_measure_word(measure));
		json_object_set_new(object, "now", json_real(verdict.now));
		json_object_set_new(object, "usual", json_real(verdict.usual));
		json_object_set_new(object, "deviation", json_real(verdict.deviation));
		put_number(object, "samples", verdict.samples);
		put_text(object, "basis", trends_format_basis(&verdict, basis));
		json_object_set_new(object, "is_unusual", json_boolean(verdict.is_unusual));
		json_array_append_new(array, object);
	}
	return array;
}

/* A count that may be too high is not told as more than all. */
static json_t *share_of(uint64_t flows, uint64_t all)
{
	return json_real(flows >= all ? (double)(flows > 0) : (double)flows / (double)all);
}

static json_t *line_build(const struct source_line *line, uint64_t flows_of_all)
{
	char source[NETWORK_TEXT_BYTES];
	json_t *object = json_object();
	put_text(object, "source", source_format(&line->source, source, sizeof(source)));
	put_number(object, "flows", line->flows);
	put_number(object, "bytes_in", line->bytes_in);
	put_number(object, "bytes_out", line->bytes_out);
	put_number(object, "refused", line->refused);
	json_object_set_new(object, "share", share_of(line->flows, flows_of_all));
	put_number(object, "error", line->error);
	put_time(object, "first_seen", line->first_seen_s);
	json_object_set_new(object, "is_new", json_boolean(line->is_new));
	return object;
}

static json_t *lines_build(const struct source_report *report, bool is_new_only, size_t limit)
{
	json_t *array = json_array();
	for (uint32_t i = 0; i < report->line_count && json_array_size(array) < limit; i++)
		if (!is_new_only || report->lines[i].is_new)
			json_array_append_new(array, line_build(&report->lines[i], report->totals.flows));
	return array;
}

/* --- servers ----------------------------------------------------------------------------------------------------- */

struct destination {
	const struct server *server;
	struct server_counts counts;
};

static int compare_destinations(const void *left, const void *right)
{
	const struct destination *a = left;
	const struct destination *b = right;
	if (a->counts.flows != b->counts.flows)
		return a->counts.flows > b->counts.flows ? -1 : 1;
	if (a->counts.failures != b->counts.failures)
		return a->counts.failures > b->counts.failures ? -1 : 1;
	return strcmp(a->server->name, b->server->name);
}

static json_t *destination_build(const struct pool *pool, const struct destination *destination, uint64_t flows_of_all)
{
	json_t *object = json_object();
	put_text(object, "pool", pool->name);
	put_text(object, "server", destination->server->name);
	put_number(object, "flows", destination->counts.flows);
	put_number(object, "bytes_in", destination->counts.bytes_in);
	put_number(object, "bytes_out", destination->counts.bytes_out);
	put_number(object, "connect_failures", destination->counts.failures);
	json_object_set_new(object, "share", share_of(destination->counts.flows, flows_of_all));
	return object;
}

/* Those of the service's pool with anything to tell. */
static json_t *destinations_build(const struct trends *trends, const struct pool *pool, enum trend_window window,
				  size_t limit)
{
	json_t *array = json_array();
	uint64_t now_s = trends_now(trends).s;
	uint64_t flows = 0;
	size_t count = 0;
	struct destination *all = memory_alloc_zeroed(pool->server_count + 1, sizeof(*all));
	for (size_t i = 0; i < pool->server_count; i++) {
		struct server_counts counts =
			server_trends_read(trends_of_servers(trends), pool->servers[i], window, now_s);
		flows += counts.flows;
		if (counts.flows > 0 || counts.failures > 0)
			all[count++] = (struct destination){ pool->servers[i], counts };
	}
	qsort(all, count, sizeof(*all), compare_destinations);
	for (size_t i = 0; i < count && i < limit; i++)
		json_array_append_new(array, destination_build(pool, &all[i], flows));
	free(all);
	return array;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static json_t *service_build(const struct trends *trends, const struct service *service,
			     const struct question *question)
{
	struct source_report report = { .is_whole = true };
	bool is_known = trends_report_sources(trends, service, question->window, &report);
	json_t *object = json_object();
	put_text(object, "name", service->name);
	put_number(object, "flows", report.totals.flows);
	put_number(object, "bytes_in", report.totals.bytes_in);
	put_number(object, "bytes_out", report.totals.bytes_out);
	put_number(object, "refused", report.totals.refused);
	put_number(object, "unique_sources", report.unique);
	put_number(object, "covered_seconds", report.covered_s);
	json_object_set_new(object, "is_whole",
			    json_boolean(is_known ? report.is_whole : !trends_has_left_out(trends, service)));
	json_object_set_new(object, "usual", usual_build(trends, service));
	if (question->is_by_destination) {
		/* What servers got is known by pool: who sent nothing has no part in it. */
		bool has_part = report.totals.flows > 0 || trends_has_left_out(trends, service);
		json_object_set_new(object, "top",
				    destinations_build(trends, service->policy->pool, question->window,
						       has_part ? question->limit : 0));
		json_object_set_new(object, "new", json_array());
	} else {
		json_object_set_new(object, "top", lines_build(&report, false, question->limit));
		json_object_set_new(object, "new", lines_build(&report, true, question->limit));
	}
	source_report_done(&report);
	return object;
}

static json_t *memory_build(const struct trends_usage *usage)
{
	json_t *object = json_object();
	put_number(object, "used_bytes", usage->used_bytes);
	put_number(object, "max_bytes", usage->max_bytes);
	put_number(object, "queue_bytes", usage->queue_bytes);
	put_number(object, "refused_total", usage->refused_count);
	return object;
}

void admin_trends_list(struct admin_request *request, struct admin_answer *answer)
{
	const struct snapshot *snapshot = request->daemon->snapshot;
	struct trends *trends = request->daemon->trends;
	struct question question;
	if (!read_question(request, answer, &question))
		return;
	trends_refresh(trends);
	json_t *services = json_array();
	for (size_t i = 0; i < snapshot->service_count; i++)
		if (question.service == NULL || question.service == snapshot->services[i])
			json_array_append_new(services, service_build(trends, snapshot->services[i], &question));
	struct trends_usage usage = trends_usage(trends);
	json_t *document = json_object();
	put_text(document, "by", question.is_by_destination ? "destination" : "source");
	put_number(document, "window_seconds", trend_window_seconds(question.window));
	json_object_set_new(document, "file", usage.file != NULL ? json_bytes(usage.file) : json_null());
	json_object_set_new(document, "memory", memory_build(&usage));
	put_number(document, "observations_dropped", usage.observations_dropped);
	json_object_set_new(document, "services", services);
	admin_answer_json(answer, ADMIN_OK, document);
}

/* --- one service over time --------------------------------------------------------------------------------------- */

static json_t *values_build(const struct trend_rings *rings, enum trend_step step, enum trend_measure measure)
{
	uint64_t values[TREND_SLOTS_MAX];
	json_t *array = json_array();
	if (rings == NULL)
		return array;
	trend_rings_read(rings, step, measure, values);
	for (uint32_t i = 0; i < trend_rings_count(rings, step); i++)
		json_array_append_new(array, json_integer((json_int_t)values[i]));
	return array;
}

/* When the last step ended, by the wall clock: a difference of the clock that never jumps tells how long ago. */
static uint64_t end_realtime_s(const struct trends *trends, const struct trend_rings *rings, enum trend_step step)
{
	struct trends_now now = trends_now(trends);
	uint64_t end_s = rings != NULL ? trend_rings_end_s(rings, step) : now.s;
	uint64_t age_s = now.s > end_s ? now.s - end_s : 0;
	uint64_t realtime_s = now.realtime_us > 0 ? (uint64_t)now.realtime_us / US_PER_S : 0;
	return realtime_s > age_s ? realtime_s - age_s : 0;
}

void admin_trends_service(struct admin_request *request, struct admin_answer *answer)
{
	static const char *const words[TREND_STEP_COUNT] = {
		[TREND_SECONDS] = "1s", [TREND_MINUTES] = "1m", [TREND_QUARTERS] = "15m"
	};
	static const char *const keys[TREND_MEASURE_COUNT] = {
		[TREND_FLOWS] = "flows",     [TREND_BYTES_IN] = "bytes_in",         [TREND_BYTES_OUT] = "bytes_out",
		[TREND_REFUSED] = "refused", [TREND_FLOWS_ACTIVE] = "flows_active",
	};
	struct trends *trends = request->daemon->trends;
	const struct service *service;
	int found = find_word(admin_argument(request, "step"), words, TREND_STEP_COUNT, TREND_SECONDS);
	if (found < 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "step is 1s, 1m or 15m");
		return;
	}
	if (!find_service(request, request->names[0], answer, &service))
		return;
	enum trend_step step = (enum trend_step)found;
	trends_refresh(trends);
	const struct service_trend *trend = trends_of_service(trends, service);
	const struct trend_rings *rings = trend != NULL ? trend->rings : NULL;
	json_t *document = json_object();
	put_text(document, "service", service->name);
	put_number(document, "step_seconds", trend_step_seconds(step));
	put_time(document, "end", end_realtime_s(trends, rings, step));
	for (enum trend_measure measure = 0; measure < TREND_MEASURE_COUNT; measure++)
		json_object_set_new(document, keys[measure], values_build(rings, step, measure));
	admin_answer_json(answer, ADMIN_OK, document);
}
