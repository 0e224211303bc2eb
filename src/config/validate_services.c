/* SPDX-License-Identifier: Apache-2.0 */
#include "config/validate.h"

#include "config/suggest.h"
#include "config/values.h"

enum {
	POOLS_LISTED_MAX = 20,
	GUESSES_MAX = 100000, /* comparisons of names in a load: many services times many pools would take its time */
};

/* One service while it is checked. */
struct checked_service {
	struct parsed *parsed;
	struct report *report;
	struct config_service *service;
	const struct marks *marks;
	bool has_tcp;
	bool has_udp;
	size_t *guess_count; /* of all services together */
};

static const struct config_place *written(const struct checked_service *checked, const char *directive,
					  const char *value)
{
	return marks_find_named(checked->marks, SCHEMA_SERVICE, directive, value);
}

static const char *pools_list(const struct parsed *parsed)
{
	const struct config *config = parsed->config;
	const char *list = "";
	for (size_t i = 0; i < config->pool_count && i < POOLS_LISTED_MAX; i++)
		list = report_text(parsed->report, "%s%s%s", list, i > 0 ? " " : "", config->pools[i].name);
	if (config->pool_count > POOLS_LISTED_MAX)
		list = report_text(parsed->report, "%s ...", list);
	return config->pool_count > 0 ? list : NULL;
}

static void unknown_pool_report(struct checked_service *checked)
{
	const struct config *config = checked->parsed->config;
	struct report *report = checked->report;
	struct suggestion suggestion;
	if (report->kept_count[DIAGNOSTIC_ERROR] == REPORT_FINDINGS_MAX) {
		/* It is only counted. */
		report_error(report, checked->service->to_place, "%s", "");
		return;
	}
	suggest_begin(&suggestion, span_from_text(checked->service->to));
	for (size_t i = 0; i < config->pool_count && *checked->guess_count < GUESSES_MAX; i++) {
		suggest_offer(&suggestion, config->pools[i].name);
		++*checked->guess_count;
	}
	struct finding finding = {
		.severity = DIAGNOSTIC_ERROR,
		.place = checked->service->to_place,
		.message = report_text(report, "there is no pool \"%s\"", checked->service->to),
		.hint = suggestion.word != NULL ? report_text(report, "did you mean \"%s\"?", suggestion.word) : NULL,
		.accepted = pools_list(checked->parsed),
	};
	report_add(report, &finding);
}

static void pool_find(struct checked_service *checked, const struct name_index *pools)
{
	struct config_service *service = checked->service;
	size_t same_name = 0;
	service->pool_index = (size_t)VALIDATE_NO_POOL;
	if (service->to != NULL) {
		if (!name_index_find(pools, span_from_text(service->to), &service->pool_index) &&
		    !checked->parsed->has_lost_pools)
			unknown_pool_report(checked);
	} else if (written(checked, "to", NULL) == NULL) {
		const char *hint = name_index_find(pools, span_from_text(service->name), &same_name)
					   ? report_text(checked->report, "add: to %s", service->name)
					   : "add: to POOL";
		report_error_hint(checked->report, service->place, hint, "service \"%s\" goes to no pool",
				  service->name);
	}
}

static void protocols_find(struct checked_service *checked)
{
	const struct config_service *service = checked->service;
	for (size_t i = 0; i < service->listen_count; i++) {
		checked->has_tcp = checked->has_tcp || service->listens[i].protocol == CONFIG_TCP;
		checked->has_udp = checked->has_udp || service->listens[i].protocol == CONFIG_UDP;
	}
	if (service->listen_count == 0 && written(checked, "listen", NULL) == NULL)
		report_error_hint(checked->report, service->place, "add: listen ADDRESS",
				  "service \"%s\" listens nowhere", service->name);
}

/* Settings for a protocol that the service does not listen for. */
static void unused_settings_check(struct checked_service *checked)
{
	static const struct {
		const char *directive;
		const char *value;
		bool is_for_udp;
	} settings[] = {
		{ "session", NULL, true },       { "limit", "sessions", true }, { "limit", "connections", false },
		{ "timeout", "connect", false }, { "timeout", "idle", false },  { "timeout", "half-closed", false },
		{ "timeout", "queue", false },   { "limit", "queue", false },   { "timeout", "proxy-header", false },
		{ "timeout", "hello", false },
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *value = settings[i].value;
		const struct config_place *place = written(checked, settings[i].directive, value);
		bool is_unused = settings[i].is_for_udp ? !checked->has_udp : !checked->has_tcp;
		if (place == NULL || !is_unused || checked->service->listen_count == 0)
			continue;
		report_warning_hint(checked->report, *place, NULL,
				    "\"%s%s%s\" is for %s, which this service has none of", settings[i].directive,
				    value != NULL ? " " : "",
				    value != NULL ? report_text(checked->report, "%s=", value) : "",
				    settings[i].is_for_udp ? "UDP" : "TCP");
	}
}

static void ceiling_check(struct checked_service *checked, const char *key, uint64_t limit, uint64_t ceiling)
{
	const struct config_place *place = written(checked, "limit", key);
	char text[VALUE_TEXT_BYTES];
	if (place != NULL && ceiling != 0 && limit > ceiling)
		report_warning_hint(
			checked->report, *place,
			report_text(checked->report, "the top level allows %s", value_format_count(ceiling, text)),
			"\"limit %s=\" is never reached", key);
}

static void limits_check(struct checked_service *checked)
{
	const struct config *config = checked->parsed->config;
	const struct config_service *service = checked->service;
	const struct config_place *per_source = written(checked, "limit", "per-source");
	ceiling_check(checked, "connections", service->limit.connections, config->limit.connections);
	ceiling_check(checked, "sessions", service->limit.sessions, config->limit.sessions);
	bool is_below = service->limit.connections != 0 && service->limit.per_source > service->limit.connections &&
			!checked->has_udp;
	if (per_source != NULL && is_below)
		report_warning_hint(checked->report, *per_source, "\"connections=\" is lower",
				    "\"limit per-source=\" is never reached");
}

/* All flows together get no more than that, so one alone does not. */
static void flow_bandwidth_check(struct checked_service *checked, const char *key, uint64_t limit)
{
	const struct config_place *place = written(checked, "limit", key);
	uint64_t bandwidth = checked->service->limit.bandwidth;
	if (place != NULL && bandwidth != 0 && limit > bandwidth)
		report_warning_hint(checked->report, *place, "\"bandwidth=\" is lower",
				    "\"limit %s=\" is never reached", key);
}

static void queue_check(struct checked_service *checked)
{
	const struct config_place *limit = written(checked, "limit", "queue");
	if (limit != NULL && written(checked, "timeout", "queue") == NULL)
		report_warning_hint(checked->report, *limit, "add: timeout queue=TIME",
				    "\"limit queue=\" has no effect: without a time-out no connection waits");
}

static const struct config_server *unix_server_find(const struct config_pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		if (addr_is_unix(&pool->servers[i].addr))
			return &pool->servers[i];
	}
	return NULL;
}

/* unix_servers: by the number of the pool. */
static void unix_servers_check(struct checked_service *checked, const struct config_server *const *unix_servers)
{
	size_t pool_index = checked->service->pool_index;
	if (!checked->has_udp || pool_index == (size_t)VALIDATE_NO_POOL || unix_servers[pool_index] == NULL)
		return;
	report_error_hint(checked->report, checked->service->to_place, "unix sockets are for TCP only",
			  "this service takes UDP, but the pool has a unix socket at %s",
			  report_place(checked->report, unix_servers[pool_index]->place));
}

void validate_services(struct parsed *parsed, const struct name_index *pools)
{
	struct config *config = parsed->config;
	size_t guess_count = 0;
	const struct config_server **unix_servers =
		config_memory_alloc(parsed->report->memory, config->pool_count * sizeof(*unix_servers));
	for (size_t i = 0; i < config->pool_count; i++)
		unix_servers[i] = unix_server_find(&config->pools[i]);
	for (size_t i = 0; i < config->service_count; i++) {
		struct checked_service checked = {
			.parsed = parsed,
			.report = parsed->report,
			.service = &config->services[i],
			.marks = &parsed->services[i],
			.guess_count = &guess_count,
		};
		protocols_find(&checked);
		pool_find(&checked, pools);
		unused_settings_check(&checked);
		limits_check(&checked);
		flow_bandwidth_check(&checked, "upload", checked.service->limit.upload);
		flow_bandwidth_check(&checked, "download", checked.service->limit.download);
		queue_check(&checked);
		unix_servers_check(&checked, unix_servers);
	}
}
