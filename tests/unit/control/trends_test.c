/* SPDX-License-Identifier: Apache-2.0 */
/* The trends as a whole, in simulated time: no timer runs, and the clock is what the test says. */
#include "control/trends.h"

#include "stats/trend_fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR, WEEK = 7 * DAY, WORKERS = 1 };
static const uint64_t monday = UINT64_C(1735516800); /* 2024-12-30 00:00 UTC */

#define POOL                "pool web {\n check none\n server 10.0.0.1:80 name=a\n}\n"
#define SERVICE(name, port) "service " name " {\n listen 127.0.0.1:" port "\n to web\n}\n"
#define SETTINGS            "log file:/dev/null\ntrends memory=16m\n"

static struct config *config;
static struct snapshot *snapshot;
static struct log_writer *event_log;
static struct trends *trends;
static json_t *events; /* all that were written */

static void on_event(void *owner, struct span record)
{
	(void)owner;
	json_t *event = json_loadb(record.data, record.len, 0, NULL);
	assert_non_null(event);
	json_array_append_new(events, event);
}

static struct config *load(const char *text)
{
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *loaded = config_load_text("test", span_from_text(text), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(loaded);
	return loaded;
}

static struct trends_now at(uint64_t s)
{
	return (struct trends_now){ .s = s, .realtime_us = (int64_t)s * 1000000 };
}

static int set_up(void **state)
{
	const struct config_log *failed = NULL;
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	unsetenv("STATE_DIRECTORY");
	config = load(SETTINGS SERVICE("web", "8000") SERVICE("dns", "8001") POOL);
	snapshot = snapshot_build(config, 1, WORKERS, NULL);
	assert_int_equal(log_writer_new(config, &event_log, &failed), 0);
	events = json_array();
	log_writer_observe(event_log, on_event, NULL);
	trends = trends_new(config, event_log, at(monday));
	trends_watch(trends, snapshot, config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	trends_free(&trends);
	assert_null(trends);
	trends_free(&trends);
	log_writer_stop(event_log);
	log_writer_free(&event_log);
	json_decref(events);
	snapshot_free(&snapshot);
	config_free(&config);
	return 0;
}

static void count_flows(struct service *service, uint64_t flows)
{
	counter_add(&service->counters[0].flows[FLOW_TCP], flows);
}

/* Flows of the first service in each minute; a tick a minute is enough for what is learnt. */
static void live(uint64_t first_s, uint64_t seconds, uint64_t flows_a_minute)
{
	for (uint64_t now_s = first_s; now_s < first_s + seconds; now_s += MINUTE) {
		count_flows(snapshot->services[0], flows_a_minute);
		trends_tick(trends, at(now_s));
	}
}

static const json_t *event_of(const char *name, size_t number)
{
	size_t i;
	json_t *event;
	json_array_foreach(events, i,
			   event) if (strcmp(json_string_value(json_object_get(event, "event")), name) == 0 &&
				      number-- == 0) return event;
	return NULL;
}

static double number_of(const json_t *event, const char *key)
{
	return json_number_value(json_object_get(event, key));
}

static void a_departure_is_an_event_with_its_numbers(void **state)
{
	(void)state;
	live(monday, 3 * WEEK, 600);
	assert_int_equal(json_array_size(events), 0);
	/* A Monday at 9:00: five times as many flows. */
	live(monday + 3 * WEEK, 9 * HOUR, 600);
	live(monday + 3 * WEEK + 9 * HOUR, 10 * MINUTE, 3000);
	const json_t *event = event_of("service_anomaly", 0);
	assert_non_null(event);
	assert_string_equal(json_string_value(json_object_get(event, "service")), "web");
	assert_string_equal(json_string_value(json_object_get(event, "measure")), "flows");
	assert_string_equal(json_string_value(json_object_get(event, "basis")), "Monday 09:00-10:00");
	assert_true(number_of(event, "now") == 50);
	assert_true(number_of(event, "usual") > 9.9 && number_of(event, "usual") < 15);
	assert_true(number_of(event, "samples") >= USUAL_HOUR_SAMPLES_MIN);
	struct usual_verdict verdict;
	assert_true(trends_read_usual(trends, snapshot->services[0], SERVICE_FLOWS, &verdict));
	assert_true(verdict.is_unusual);
	assert_false(trends_read_usual(trends, snapshot->services[1], SERVICE_FLOWS, &verdict));
	assert_null(event_of("service_anomaly_over", 0));
	live(monday + 3 * WEEK + 9 * HOUR + 10 * MINUTE, 10 * MINUTE, 600);
	assert_non_null(event_of("service_anomaly_over", 0));
	assert_int_equal(json_array_size(events), 2);
}

static void hours_are_those_of_the_place(void **state)
{
	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	live(monday, 3 * WEEK, 600);
	live(monday + 3 * WEEK, 10 * MINUTE, 3000);
	const json_t *event = event_of("service_anomaly", 0);
	assert_non_null(event);
	assert_string_equal(json_string_value(json_object_get(event, "basis")), "Monday 09:00-10:00");
}

static void observe(const struct service *service, uint32_t number, enum flow_observation_kind kind, uint64_t now_s)
{
	struct network source = fixture_source(number);
	struct flow_observation observation = {
		.service = service->number, .kind = kind, .bytes_in = 7, .bytes_out = 9
	};
	memcpy(observation.source.ip, source.ip, sizeof(source.ip));
	observation.source.family = AF_INET;
	trends_observe(trends, &observation, at(now_s));
}

static void sources_are_known_by_service(void **state)
{
	struct source_report report;
	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		observe(snapshot->services[0], i, FLOW_OBSERVED_BEGIN, monday);
		observe(snapshot->services[0], i, FLOW_OBSERVED_END, monday);
		observe(snapshot->services[1], i, FLOW_OBSERVED_REFUSAL, monday);
	}
	observe(snapshot->services[0], 3, FLOW_OBSERVED_BEGIN, monday);
	assert_true(trends_report_sources(trends, snapshot->services[0], TREND_1M, &report));
	assert_int_equal(report.unique, 10);
	struct network third = fixture_source(3);
	assert_true(source_equal(&report.lines[0].source, &third));
	assert_int_equal(report.lines[0].flows, 2);
	assert_int_equal(report.lines[0].bytes_in, 7);
	assert_true(report.lines[0].is_new);
	source_report_done(&report);
	assert_true(trends_report_sources(trends, snapshot->services[1], TREND_1M, &report));
	assert_int_equal(report.line_count, 10);
	assert_int_equal(report.lines[0].refused, 1);
	assert_int_equal(report.lines[0].flows, 0);
	source_report_done(&report);
	/* Of a service that there is no more: nothing happens. */
	struct service gone = { .number = 100000 };
	observe(&gone, 1, FLOW_OBSERVED_BEGIN, monday);
}

static void a_reload_keeps_what_stays(void **state)
{
	struct snapshot_leftovers leftovers;
	struct source_report report;
	(void)state;
	observe(snapshot->services[0], 1, FLOW_OBSERVED_BEGIN, monday);
	observe(snapshot->services[1], 1, FLOW_OBSERVED_BEGIN, monday);
	struct config *next = load(SETTINGS SERVICE("mail", "8002") SERVICE("web", "8000") POOL);
	struct snapshot *published = snapshot_build(next, 2, WORKERS, snapshot);
	struct service *gone = snapshot->services[1];
	snapshot_publish(published, next, &snapshot, &leftovers);
	snapshot = published;
	trends_watch(trends, snapshot, next);
	config_free(&config);
	config = next;
	assert_int_equal(leftovers.service_count, 1);
	assert_ptr_equal(leftovers.services[0], gone);
	assert_true(trends_report_sources(trends, snapshot->services[1], TREND_1M, &report));
	assert_int_equal(report.unique, 1);
	source_report_done(&report);
	assert_false(trends_report_sources(trends, snapshot->services[0], TREND_1M, &report));
	assert_false(trends_report_sources(trends, gone, TREND_1M, &report));
	service_free(&leftovers.services[0]);
	free(leftovers.services);
	free(leftovers.pools);
	free(leftovers.servers);
	trends_tick(trends, at(monday + 1));
}

static void little_memory_is_enough_for_some(void **state)
{
	(void)state;
	struct config *next =
		load("log file:/dev/null\ntrends memory=1m\n" SERVICE("web", "8000") SERVICE("dns", "8001") POOL);
	trends_watch(trends, snapshot, next);
	for (uint32_t i = 0; i < 200000; i++) {
		observe(snapshot->services[i % 2], i, FLOW_OBSERVED_BEGIN, monday + i / 100);
		struct trends_usage usage = trends_usage(trends);
		assert_true(usage.used_bytes <= 1 << 20);
	}
	struct trends_usage usage = trends_usage(trends);
	assert_int_equal(usage.max_bytes, 1 << 20);
	assert_null(usage.file);
	trends_watch(trends, snapshot, config);
	config_free(&next);
}

static void the_folder_of_the_service_manager_is_used(void **state)
{
	(void)state;
	setenv("STATE_DIRECTORY", "/nowhere/strait:/nowhere/else", 1);
	trends_watch(trends, snapshot, config);
	assert_string_equal(trends_usage(trends).file, "/nowhere/strait/trends");
	setenv("STATE_DIRECTORY", "relative", 1);
	trends_watch(trends, snapshot, config);
	assert_null(trends_usage(trends).file);
	unsetenv("STATE_DIRECTORY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_departure_is_an_event_with_its_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hours_are_those_of_the_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sources_are_known_by_service, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reload_keeps_what_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(little_memory_is_enough_for_some, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_folder_of_the_service_manager_is_used, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
