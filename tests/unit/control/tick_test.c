/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tick.h"

#include "config/config.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORKERS = 2 };

static const char configuration[] =
	"service web {\n listen 127.0.0.1:8000\n to web\n}\n"
	"service dns {\n listen 127.0.0.1:8001\n to spare\n}\n"
	"pool web {\n check tcp\n server 10.0.0.1:80 name=a\n server 10.0.0.2:80 name=b\n}\n"
	"pool spare {\n check none\n server \"unix:/run/\\xff\\\"<b>.sock\"\n}\n";

static struct config *config;
static struct snapshot *snapshot;
static struct tick *tick;
static const struct tick_head head = { .realtime_us = 1000000, .phase = "running", .is_degraded = true };

static int set_up(void **state)
{
	struct diagnostics diagnostics;
	(void)state;
	diagnostics_init(&diagnostics);
	config = config_load_text("test", span_from_text(configuration), &diagnostics);
	diagnostics_done(&diagnostics);
	assert_non_null(config);
	snapshot = snapshot_build(config, 7, WORKERS, NULL);
	tick = tick_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tick_free(&tick);
	assert_null(tick);
	tick_free(&tick);
	snapshot_free(&snapshot);
	config_free(&config);
	return 0;
}

/* The caller's reference. */
static json_t *format(enum tick_form form)
{
	size_t bytes;
	char *text = tick_format(tick, form, &bytes);
	assert_int_equal(strlen(text), bytes);
	assert_null(strpbrk(text, "\r\n"));
	json_t *document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(document);
	free(text);
	return document;
}

static size_t count(const json_t *document, const char *list)
{
	return json_array_size(json_object_get(document, list));
}

static const json_t *item(const json_t *document, const char *list, size_t index)
{
	return json_array_get(json_object_get(document, list), index);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void the_first_is_new_and_tells_everything(void **state)
{
	(void)state;
	assert_false(tick_is_of(tick, snapshot));
	assert_false(tick_take(tick, snapshot, &head));
	assert_true(tick_is_of(tick, snapshot));
	json_t *document = format(TICK_FULL);
	assert_string_equal(text_of(document, "ts"), "1970-01-01T00:00:01.000Z");
	assert_string_equal(text_of(document, "phase"), "running");
	assert_int_equal(number_of(document, "generation"), 7);
	assert_true(json_is_true(json_object_get(document, "is_degraded")));
	assert_true(json_is_true(json_object_get(document, "is_full")));
	assert_int_equal(count(document, "services"), 2);
	assert_int_equal(count(document, "servers"), 3);
	assert_string_equal(text_of(item(document, "servers", 1), "name"), "b");
	assert_string_equal(text_of(item(document, "servers", 1), "pool"), "web");
	assert_string_equal(text_of(item(document, "servers", 1), "state"), "up");
	assert_string_equal(text_of(item(document, "servers", 2), "name"), "unix:/run/?\"<b>.sock");
	json_decref(document);
}

static void only_what_has_changed_is_told(void **state)
{
	(void)state;
	struct service *dns = snapshot->services[1];
	struct server *b = snapshot->pools[0]->servers[1];
	assert_false(tick_take(tick, snapshot, &head));
	assert_true(tick_take(tick, snapshot, &head));
	json_t *document = format(TICK_CHANGES);
	assert_true(json_is_false(json_object_get(document, "is_full")));
	assert_int_equal(count(document, "services") + count(document, "servers"), 0);
	json_decref(document);

	counter_add(&dns->counters[0].packets_in, 3);
	counter_add(&dns->counters[1].packets_in, 4);
	counter_add(&dns->counters[1].refused[REASON_LIMIT_RATE], 5);
	counter_add(&b->counters[1].connect_timeout, 1);
	counter_add(&b->counters[0].connect_refused, 1);
	assert_true(tick_take(tick, snapshot, &head));
	document = format(TICK_CHANGES);
	assert_int_equal(count(document, "services"), 1);
	assert_string_equal(text_of(item(document, "services", 0), "name"), "dns");
	assert_int_equal(number_of(item(document, "services", 0), "packets_in"), 7);
	assert_int_equal(number_of(item(document, "services", 0), "refused_total"), 5);
	assert_int_equal(count(document, "servers"), 1);
	assert_string_equal(text_of(item(document, "servers", 0), "name"), "b");
	assert_int_equal(number_of(item(document, "servers", 0), "connect_failures_total"), 2);
	json_decref(document);

	/* Once told it is not told again, and everything is always there. */
	assert_true(tick_take(tick, snapshot, &head));
	document = format(TICK_CHANGES);
	assert_int_equal(count(document, "services") + count(document, "servers"), 0);
	json_decref(document);
	document = format(TICK_FULL);
	assert_int_equal(number_of(item(document, "services", 1), "packets_in"), 7);
	json_decref(document);
}

static void a_state_is_a_change(void **state)
{
	(void)state;
	tick_take(tick, snapshot, &head);
	atomic_store(&snapshot->pools[1]->servers[0]->state, SERVER_DRAIN);
	assert_true(tick_take(tick, snapshot, &head));
	json_t *document = format(TICK_CHANGES);
	assert_int_equal(count(document, "servers"), 1);
	assert_string_equal(text_of(item(document, "servers", 0), "state"), "drain");
	json_decref(document);
}

static void other_servers_begin_anew(void **state)
{
	(void)state;
	struct snapshot_leftovers leftovers;
	tick_take(tick, snapshot, &head);
	snapshot_update_pool(snapshot, config, 0, &leftovers);
	assert_false(tick_is_of(tick, snapshot));
	assert_false(tick_take(tick, snapshot, &head));
	assert_true(tick_take(tick, snapshot, &head));
	snapshot->generation++;
	assert_false(tick_take(tick, snapshot, &head));
	free(leftovers.servers);
}

static void numbers_have_all_their_digits(void **state)
{
	(void)state;
	counter_add(&snapshot->services[0]->counters[0].bytes_in, INT64_MAX);
	tick_take(tick, snapshot, &head);
	json_t *document = format(TICK_FULL);
	assert_true(number_of(item(document, "services", 0), "bytes_in") == INT64_MAX);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_is_new_and_tells_everything, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_has_changed_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_state_is_a_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_servers_begin_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_have_all_their_digits, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
