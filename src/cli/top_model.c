/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_model.h"

#include "base/addr.h"
#include "cli/document.h"
#include "cli/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- counters and rates ------------------------------------------------------------------------------------------ */

static void counts_done(struct top_counts *counts)
{
	json_decref(counts->before);
	json_decref(counts->now);
	*counts = (struct top_counts){ 0 };
}

/* Takes the reference to now. */
static void counts_follow(struct top_counts *counts, json_t *now, double seconds)
{
	json_decref(counts->before);
	counts->before = counts->now;
	counts->now = now;
	counts->seconds = seconds;
}

static double difference(const struct top_counts *counts, const json_t *before, const json_t *now, const char *key)
{
	uint64_t from = document_number(before, key);
	uint64_t to = document_number(now, key);
	if (counts->seconds <= 0 || to < from)
		return -1;
	return (double)(to - from) / counts->seconds;
}

double top_model_rate(const struct top_counts *counts, const char *name, const char *key)
{
	const json_t *before = json_object_get(counts->before, name);
	const json_t *now = json_object_get(counts->now, name);
	return before != NULL && now != NULL ? difference(counts, before, now, key) : -1;
}

double top_model_rate_in(const struct top_counts *counts, const char *name, const char *part, const char *key)
{
	const json_t *before = json_object_get(counts->before, name);
	const json_t *now = json_object_get(counts->now, name);
	if (before == NULL || now == NULL)
		return -1;
	return difference(counts, json_object_get(before, part), json_object_get(now, part), key);
}

double top_model_rate_sum(const struct top_counts *counts, const char *key)
{
	double sum = 0;
	const char *name;
	json_t *item;
	json_object_foreach(counts->now, name, item)
	{
		double rate = top_model_rate(counts, name, key);
		sum += rate > 0 ? rate : 0;
	}
	return sum;
}

char *top_model_server_name(const json_t *pool, const json_t *server, char *buf)
{
	snprintf(buf, TOP_NAME_BYTES, "%s\x1f%s", document_text(pool, "name"), document_text(server, "name"));
	return buf;
}

static json_t *index_by(const json_t *list, const char *key)
{
	json_t *names = json_object();
	size_t index;
	json_t *item;
	json_array_foreach(list, index, item) json_object_set(names, document_text(item, key), item);
	return names;
}

static json_t *index_servers(const json_t *status)
{
	char name[TOP_NAME_BYTES];
	json_t *names = json_object();
	size_t index;
	size_t server_index;
	const json_t *pool;
	json_t *server;
	json_array_foreach(json_object_get(status, "pools"), index, pool)
		json_array_foreach(json_object_get(pool, "servers"), server_index, server)
			json_object_set(names, top_model_server_name(pool, server, name), server);
	return names;
}

/* --- documents --------------------------------------------------------------------------------------------------- */

void top_model_done(struct top_model *model)
{
	for (int i = 0; i < TOP_DOCUMENT_COUNT; i++)
		json_decref(model->documents[i]);
	counts_done(&model->services);
	counts_done(&model->servers);
	counts_done(&model->flows);
	*model = (struct top_model){ 0 };
}

static bool was_started_anew(const json_t *before, const json_t *now)
{
	return document_number(now, "uptime_seconds") < document_number(before, "uptime_seconds");
}

static void take_status(struct top_model *model, const json_t *status, double seconds)
{
	if (was_started_anew(model->documents[TOP_STATUS], status)) {
		counts_done(&model->services);
		counts_done(&model->servers);
		counts_done(&model->flows);
	}
	counts_follow(&model->services, index_by(json_object_get(status, "services"), "name"), seconds);
	counts_follow(&model->servers, index_servers(status), seconds);
}

void top_model_take(struct top_model *model, enum top_document which, json_t *document, uint64_t now_ms)
{
	double seconds = (double)(now_ms - model->taken_ms[which]) / 1000;
	if (which == TOP_STATUS)
		take_status(model, document, seconds);
	if (which == TOP_FLOWS)
		counts_follow(&model->flows, index_by(json_object_get(document, "flows"), "id"), seconds);
	json_decref(model->documents[which]);
	model->documents[which] = document;
	model->taken_ms[which] = model->answered_ms = now_ms;
	model->is_missing[which] = false;
	model->problem[0] = '\0';
}

void top_model_note_missing(struct top_model *model, enum top_document which)
{
	model->is_missing[which] = true;
}

void top_model_note_problem(struct top_model *model, const char *problem)
{
	snprintf(model->problem, sizeof(model->problem), "%s", problem);
}

/* --- what to ask for --------------------------------------------------------------------------------------------- */

static bool is_address(const char *text)
{
	struct network network;
	struct addr addr;
	bool had_host_bits;
	const char *problem;
	if (strchr(text, '/') != NULL)
		return false;
	return network_parse(span_from_text(text), &network, &had_host_bits, &problem) == 0 ||
	       (addr_parse(span_from_text(text), &addr, &problem) == 0 && !addr_is_unix(&addr) && !addr_is_any(&addr));
}

static char *flows_path(const struct top_model *model, const char *filter, char *buf)
{
	const char *argument = NULL;
	if (document_sum(json_object_get(model->documents[TOP_STATUS], "services"), "flows_active") > TOP_FLOWS_MAX &&
	    filter[0] != '\0') {
		if (json_object_get(model->services.now, filter) != NULL)
			argument = "service";
		else if (is_address(filter))
			argument = "client";
	}
	char *encoded = ask_encode(argument != NULL ? filter : "");
	snprintf(buf, TOP_PATH_BYTES, "/v1/flows?limit=%d%s%s%s%s", TOP_FLOWS_MAX, argument != NULL ? "&" : "",
		 argument != NULL ? argument : "", argument != NULL ? "=" : "", encoded);
	free(encoded);
	return buf;
}

static char *trends_path(const struct top_model *model, char *buf)
{
	size_t count = json_object_size(model->services.now);
	size_t limit = TOP_TALKERS_MAX / (count > 0 ? count : 1);
	snprintf(buf, TOP_PATH_BYTES, "/v1/trends?window=1m&limit=%zu", limit > 20 ? 20 : limit > 0 ? limit : 1);
	return buf;
}

char *top_model_path(const struct top_model *model, enum top_document which, const char *filter, char *buf)
{
	switch (which) {
	case TOP_FLOWS:
		return flows_path(model, filter, buf);
	case TOP_TRENDS:
		return trends_path(model, buf);
	case TOP_HISTORY:
		snprintf(buf, TOP_PATH_BYTES, "/v1/history?limit=%d", TOP_EVENTS_MAX);
		return buf;
	case TOP_STATUS:
	case TOP_DOCUMENT_COUNT:
		break;
	}
	snprintf(buf, TOP_PATH_BYTES, "/v1/status");
	return buf;
}
