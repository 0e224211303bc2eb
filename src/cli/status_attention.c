/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_attention.h"

#include "cli/document.h"
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 3, 4)))
add(struct status_attention *attention, enum look look, const char *format, ...)
{
	va_list arguments;
	size_t index = attention->count++;
	if (index >= STATUS_ATTENTION_MAX)
		return;
	attention->items[index].look = look;
	va_start(arguments, format);
	vsnprintf(attention->items[index].text, STATUS_ATTENTION_BYTES, format, arguments);
	va_end(arguments);
}

static bool is_state(const json_t *server, const char *state)
{
	return strcmp(document_text(server, "state"), state) == 0;
}

static char *age(const json_t *server, char *buf)
{
	return table_time(document_number(server, "state_age_ms") / 1000, buf);
}

/* --- the daemon -------------------------------------------------------------------------------------------------- */

static void find_limit(const json_t *status, const char *name, struct status_attention *attention)
{
	char used_text[TABLE_NUMBER_BYTES];
	char max_text[TABLE_NUMBER_BYTES];
	const json_t *limit = json_object_get(json_object_get(status, "limits"), name);
	uint64_t used = document_number(limit, "used");
	uint64_t max = document_number(limit, "max");
	if (max == 0 || (double)used < (double)max * STATUS_ATTENTION_NEAR_PERCENT / 100)
		return;
	add(attention, used >= max ? LOOK_BAD : LOOK_CAUTION, "limit %s: %s, %s of %s used", name,
	    used >= max ? "reached" : "nearly reached", table_count(used, used_text), table_count(max, max_text));
}

const json_t *status_attention_last_event(const json_t *history, const char *const *names)
{
	const json_t *events = json_object_get(history, "events");
	for (size_t i = json_array_size(events); i > 0; i--) {
		const json_t *event = json_array_get(events, i - 1);
		for (const char *const *name = names; *name != NULL; name++)
			if (strcmp(document_text(event, "event"), *name) == 0)
				return event;
	}
	return NULL;
}

static void find_reload(const json_t *status, const json_t *history, struct status_attention *attention)
{
	static const char *const names[] = { "reload_failed", NULL };
	if (!json_is_false(json_object_get(json_object_get(status, "reloads"), "is_last_good")))
		return;
	const json_t *event = status_attention_last_event(history, names);
	const char *cause = document_find_text(event, "cause");
	add(attention, LOOK_BAD, "the last reload failed, the configuration before it runs on%s%s",
	    cause != NULL ? ": " : "", cause != NULL ? cause : "");
}

static void find_log_drops(const json_t *status, struct status_attention *attention)
{
	char number[TABLE_NUMBER_BYTES];
	const json_t *log = json_object_get(status, "log");
	size_t index;
	const json_t *place;
	uint64_t dropped = document_number(log, "dropped");
	json_array_foreach(json_object_get(log, "places"), index, place)
	{
		uint64_t count = document_number(place, "dropped");
		if (count > 0)
			add(attention, LOOK_CAUTION, "log %s: %s records dropped since the start",
			    document_text(place, "name"), table_count(count, number));
		dropped = count > 0 ? 0 : dropped;
	}
	if (dropped > 0)
		add(attention, LOOK_CAUTION, "log: %s records dropped since the start", table_count(dropped, number));
}

/* Unavailable as a whole it is no trouble, but the lot of those who have few privileges. */
static void find_unguarded(const json_t *status, struct status_attention *attention)
{
	const json_t *guard = json_object_get(status, "packet_guard");
	const char *why = document_find_text(guard, "why");
	if (why != NULL && strcmp(document_text(guard, "state"), "active") == 0)
		add(attention, LOOK_CAUTION, "packet guard: %s", why);
}

/* A part of what was asked for is missing. */
static void find_kernel_path(const json_t *status, struct status_attention *attention)
{
	const json_t *path = json_object_get(status, "kernel_path");
	const char *why = document_find_text(path, "why");
	const char *why_not_pinned = document_find_text(path, "why_not_pinned");
	if (strcmp(document_text(path, "state"), "active") != 0)
		return;
	if (why != NULL)
		add(attention, LOOK_CAUTION, "kernel path: %s", why);
	if (why_not_pinned != NULL)
		add(attention, LOOK_CAUTION, "flows in the kernel end when the daemon is killed: %s", why_not_pinned);
}

/* --- services ---------------------------------------------------------------------------------------------------- */

static void find_trials(const json_t *status, struct status_attention *attention)
{
	size_t index;
	const json_t *service;
	json_array_foreach(json_object_get(status, "services"), index, service)
	{
		if (json_is_true(json_object_get(service, "is_on_trial")))
			add(attention, LOOK_CAUTION, "service %s: guard dry-run, rules and limits refuse nobody",
			    document_text(service, "name"));
	}
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

static void find_empty_pool(const json_t *pool, struct status_attention *attention)
{
	size_t count = json_array_size(json_object_get(pool, "servers"));
	if (json_is_integer(json_object_get(pool, "available_count")) && document_number(pool, "available_count") == 0)
		add(attention, LOOK_BAD, "pool %s: none of %zu servers is available, new flows are refused",
		    document_text(pool, "name"), count);
}

static void find_troubled_source(const json_t *pool, struct status_attention *attention)
{
	const char *problem = document_find_text(json_object_get(pool, "source"), "problem");
	if (problem != NULL)
		add(attention, LOOK_BAD, "pool %s: source cannot be used: %s", document_text(pool, "name"), problem);
}

static void find_down(const json_t *pool, const json_t *server, struct status_attention *attention)
{
	char since[TABLE_NUMBER_BYTES];
	const json_t *last = json_object_get(server, "last_check");
	bool is_ejected = json_is_true(json_object_get(server, "is_ejected"));
	const char *cause = json_is_false(json_object_get(last, "good")) ? document_text(last, "cause") : NULL;
	if (!is_state(server, "down"))
		return;
	if (cause == NULL)
		cause = is_ejected ? "ejected, because of failures of its flows" : "no check says why";
	add(attention, LOOK_BAD, "server %s/%s: down for %s: %s", document_text(pool, "name"),
	    document_text(server, "name"), age(server, since), cause);
}

static void find_set_aside(const json_t *pool, const json_t *server, struct status_attention *attention)
{
	char since[TABLE_NUMBER_BYTES];
	if (is_state(server, "drain") || is_state(server, "maint"))
		add(attention, LOOK_CAUTION, "server %s/%s: %s for %s, %llu flows", document_text(pool, "name"),
		    document_text(server, "name"), document_text(server, "state"), age(server, since),
		    (unsigned long long)document_number(server, "flows_active"));
}

static void find_troubled_name(const json_t *pool, const json_t *name, struct status_attention *attention)
{
	char age_text[TABLE_NUMBER_BYTES];
	const json_t *age_ms = json_object_get(name, "age_ms");
	size_t count = json_array_size(json_object_get(name, "addresses"));
	if (!json_is_string(json_object_get(name, "last_error")))
		return;
	table_time(document_number(name, "age_ms") / 1000, age_text);
	add(attention, strcmp(document_text(name, "state"), "failed") == 0 ? LOOK_BAD : LOOK_CAUTION,
	    "pool %s, name %s: %s: %s; %zu address%s known%s%s%s", document_text(pool, "name"),
	    document_text(name, "host"), document_text(name, "state"), document_text(name, "last_error"), count,
	    count == 1 ? "" : "es", json_is_integer(age_ms) ? ", of " : "", json_is_integer(age_ms) ? age_text : "",
	    json_is_integer(age_ms) ? " ago" : "");
}

static void for_each(const json_t *status, const char *key,
		     void (*find)(const json_t *pool, const json_t *item, struct status_attention *attention),
		     struct status_attention *attention)
{
	size_t index;
	size_t item_index;
	const json_t *pool;
	const json_t *item;
	json_array_foreach(json_object_get(status, "pools"), index, pool)
		json_array_foreach(json_object_get(pool, key), item_index, item) find(pool, item, attention);
}

bool status_attention_find_since(const json_t *status, uint64_t *ret_seconds)
{
	size_t index;
	size_t server_index;
	const json_t *pool;
	const json_t *server;
	uint64_t longest_ms = 0;
	bool is_found = false;
	json_array_foreach(json_object_get(status, "pools"), index, pool)
	{
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
		{
			uint64_t age_ms = document_number(server, "state_age_ms");
			if (!is_state(server, "down"))
				continue;
			longest_ms = age_ms > longest_ms ? age_ms : longest_ms;
			is_found = true;
		}
	}
	if (is_found)
		*ret_seconds = longest_ms / 1000;
	return is_found;
}

/* --- trends ------------------------------------------------------------------------------------------------------ */

static void find_unusual(const json_t *service, const json_t *usual, struct status_attention *attention)
{
	char now_text[TABLE_NUMBER_BYTES];
	char usual_text[TABLE_NUMBER_BYTES];
	double now = json_number_value(json_object_get(usual, "now"));
	double expected = json_number_value(json_object_get(usual, "usual"));
	if (!json_is_true(json_object_get(usual, "is_unusual")))
		return;
	add(attention, LOOK_CAUTION, "service %s: %s/s %s, usual is %s/s (%s)", document_text(service, "name"),
	    table_rate(now, now_text), document_text(usual, "measure"), table_rate(expected, usual_text),
	    document_text(usual, "basis"));
}

static void find_anomalies(const json_t *trends, struct status_attention *attention)
{
	size_t index;
	size_t usual_index;
	const json_t *service;
	const json_t *usual;
	json_array_foreach(json_object_get(trends, "services"), index, service)
		json_array_foreach(json_object_get(service, "usual"), usual_index, usual)
			find_unusual(service, usual, attention);
}

void status_attention_find(const json_t *status, const json_t *history, const json_t *trends,
			   struct status_attention *ret_attention)
{
	static const char *const limits[] = { "connections", "sessions", "descriptors" };
	size_t index;
	const json_t *pool;
	ret_attention->count = 0;
	if (strcmp(document_text(status, "phase"), "draining") == 0)
		add(ret_attention, LOOK_BAD, "strait is stopping: it takes no new flows");
	json_array_foreach(json_object_get(status, "pools"), index, pool) find_empty_pool(pool, ret_attention);
	json_array_foreach(json_object_get(status, "pools"), index, pool) find_troubled_source(pool, ret_attention);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		find_limit(status, limits[i], ret_attention);
	find_reload(status, history, ret_attention);
	find_log_drops(status, ret_attention);
	find_kernel_path(status, ret_attention);
	find_unguarded(status, ret_attention);
	for_each(status, "names", find_troubled_name, ret_attention);
	for_each(status, "servers", find_down, ret_attention);
	find_anomalies(trends, ret_attention);
	for_each(status, "servers", find_set_aside, ret_attention);
	find_trials(status, ret_attention);
}
