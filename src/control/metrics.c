/* SPDX-License-Identifier: Apache-2.0 */
#include "control/metrics.h"

#include "base/memory.h"
#include "control/ceilings.h"
#include "control/metrics_table.h"
#include "control/name_answer.h"

#include <stdlib.h>
#include <string.h>

/* --- the subjects of each scope, with their labels ready ---------------------------------------------------------- */

struct subjects {
	struct metric_subject *list;
	size_t count;
};

static struct metric_subject *add_subject(struct subjects *subjects, const struct daemon *daemon)
{
	struct metric_subject *subject = &subjects->list[subjects->count++];
	subject->daemon = daemon;
	subject->labels.len = 0;
	return subject;
}

static struct subjects make_subjects(size_t count_max)
{
	return (struct subjects){ .list = memory_alloc_zeroed(count_max, sizeof(struct metric_subject)) };
}

static struct subjects list_daemon(const struct daemon *daemon)
{
	struct subjects subjects = make_subjects(1);
	add_subject(&subjects, daemon);
	return subjects;
}

static struct subjects list_services(const struct daemon *daemon)
{
	const struct snapshot *snapshot = daemon->snapshot;
	struct subjects subjects = make_subjects(snapshot->service_count);
	for (size_t i = 0; i < snapshot->service_count; i++) {
		struct metric_subject *subject = add_subject(&subjects, daemon);
		subject->service = snapshot->services[i];
		metrics_labels_add(&subject->labels, "service", subject->service->name);
	}
	return subjects;
}

static struct subjects list_pools(const struct daemon *daemon)
{
	const struct snapshot *snapshot = daemon->snapshot;
	struct subjects subjects = make_subjects(snapshot->pool_count);
	for (size_t i = 0; i < snapshot->pool_count; i++) {
		struct metric_subject *subject = add_subject(&subjects, daemon);
		subject->pool = snapshot->pools[i];
		metrics_labels_add(&subject->labels, "pool", subject->pool->name);
	}
	return subjects;
}

static size_t count_servers(const struct snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->pool_count; i++)
		count += snapshot->pools[i]->server_count;
	return count;
}

static void add_servers(struct subjects *subjects, const struct daemon *daemon, const struct pool *pool)
{
	for (size_t i = 0; i < pool->server_count; i++) {
		struct metric_subject *subject = add_subject(subjects, daemon);
		subject->server = pool->servers[i];
		metrics_labels_add(&subject->labels, "pool", pool->name);
		metrics_labels_add(&subject->labels, "server", subject->server->name);
	}
}

static struct subjects list_servers(const struct daemon *daemon)
{
	struct subjects subjects = make_subjects(count_servers(daemon->snapshot));
	for (size_t i = 0; i < daemon->snapshot->pool_count; i++)
		add_servers(&subjects, daemon, daemon->snapshot->pools[i]);
	return subjects;
}

static struct subjects list_workers(const struct daemon *daemon)
{
	struct subjects subjects = make_subjects(daemon->worker_count);
	for (uint32_t i = 0; i < daemon->worker_count; i++) {
		char number[16];
		struct metric_subject *subject = add_subject(&subjects, daemon);
		subject->worker = i;
		snprintf(number, sizeof(number), "%u", i);
		metrics_labels_add(&subject->labels, "worker", number);
	}
	return subjects;
}

/* Two sinks may have the same name, in different formats; a series may be there only once. */
static struct metric_subject *find_place(struct subjects *subjects, const struct metrics_labels *labels)
{
	for (size_t i = 0; i < subjects->count; i++)
		if (subjects->list[i].labels.len == labels->len &&
		    memcmp(subjects->list[i].labels.text, labels->text, labels->len) == 0)
			return &subjects->list[i];
	return NULL;
}

static struct subjects list_log_places(const struct daemon *daemon)
{
	struct log_writer_place place;
	size_t count = 0;
	while (log_writer_read_place(daemon->log, count, &place))
		count++;
	struct subjects subjects = make_subjects(count);
	for (size_t i = 0; i < count; i++) {
		struct metrics_labels labels = { 0 };
		log_writer_read_place(daemon->log, i, &place);
		metrics_labels_add(&labels, "sink", place.name);
		struct metric_subject *subject = find_place(&subjects, &labels);
		if (subject == NULL) {
			subject = add_subject(&subjects, daemon);
			subject->labels = labels;
		}
		subject->log_dropped += place.dropped;
	}
	return subjects;
}

static struct subjects (*const listers[METRIC_SCOPE_COUNT])(const struct daemon *daemon) = {
	[METRIC_OF_DAEMON] = list_daemon,  [METRIC_OF_SERVICE] = list_services, [METRIC_OF_POOL] = list_pools,
	[METRIC_OF_SERVER] = list_servers, [METRIC_OF_WORKER] = list_workers,   [METRIC_OF_LOG] = list_log_places,
};

/* --- the page ---------------------------------------------------------------------------------------------------- */

void metrics_write(const struct daemon *daemon, struct metrics_text *text)
{
	struct subjects scopes[METRIC_SCOPE_COUNT];
	for (size_t scope = 0; scope < METRIC_SCOPE_COUNT; scope++)
		scopes[scope] = listers[scope](daemon);
	for (size_t i = 0; i < metrics_table_count; i++) {
		const struct metric *metric = &metrics_table[i];
		const struct subjects *subjects = &scopes[metric->scope];
		metrics_text_header(text, metric->name, metric_type_word(metric->type), metric->help);
		for (size_t subject = 0; subject < subjects->count; subject++)
			metric->write(text, metric, &subjects->list[subject]);
	}
	for (size_t scope = 0; scope < METRIC_SCOPE_COUNT; scope++)
		free(scopes[scope].list);
}

void metrics_answer(struct admin_request *request, struct admin_answer *answer)
{
	struct metrics_text text = { 0 };
	metrics_write(request->daemon, &text);
	*answer = (struct admin_answer){
		.status = ADMIN_OK,
		.type = "text/plain; version=0.0.4; charset=utf-8",
		.body = text.data,
		.body_bytes = text.len,
	};
}

/* --- the bound --------------------------------------------------------------------------------------------------- */

static uint64_t count_servers_max(const struct config *config)
{
	uint64_t count = 0;
	for (size_t i = 0; i < config->pool_count; i++)
		for (size_t j = 0; j < config->pools[i].server_count; j++)
			count += config->pools[i].servers[j].host[0] != '\0' ? NAME_ADDRESSES_MAX : 1;
	return count;
}

uint64_t metrics_series_max(const struct config *config)
{
	const uint64_t subjects[METRIC_SCOPE_COUNT] = {
		[METRIC_OF_DAEMON] = 1,
		[METRIC_OF_SERVICE] = config->service_count,
		[METRIC_OF_POOL] = config->pool_count,
		[METRIC_OF_SERVER] = count_servers_max(config),
		[METRIC_OF_WORKER] = ceilings_worker_count(config),
		[METRIC_OF_LOG] = config->log_count + 2, /* the rings, and sinks that were removed */
	};
	uint64_t count = 0;
	for (size_t i = 0; i < metrics_table_count; i++)
		count += subjects[metrics_table[i].scope] * metrics_table[i].series;
	return count;
}

/* --- the reference ----------------------------------------------------------------------------------------------- */

static const char introduction[] =
	"<!-- Written by `strait explain --metrics-reference`; change src/control/metrics_table.c or "
	"src/control/metrics.c and run `make reference`. -->\n"
	"# Metrics\n\n"
	"`GET /metrics` on an `admin` address, in the Prometheus text format. Units are seconds and bytes; counters "
	"end in\n"
	"`_total`; durations are histograms. A scrape reads counters and asks no worker for anything.\n\n"
	"Every series is there from the start, at 0, so that a rate sees the first step. Client addresses are never "
	"labels: the\n"
	"number of series depends on the configuration alone, and `strait check` prints how many there can be.\n\n"
	"| metric | type | labels | meaning |\n|---|---|---|---|\n";

static void print_escaped(const char *text, FILE *out)
{
	for (; *text != '\0'; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void print_metric(const struct metric *metric, FILE *out)
{
	const char *scope = metric_scope_labels(metric->scope);
	fprintf(out, "| `%s` | %s | %s", metric->name, metric_type_word(metric->type), scope);
	if (metric->labels != NULL) {
		fputs(scope[0] != '\0' ? ", " : "", out);
		print_escaped(metric->labels, out);
	}
	fprintf(out, " | %s |\n", metric->help);
}

static void print_packet_classes(FILE *out)
{
	fputs("\n## Reasons for which packets are dropped\n\n| reason | meaning |\n|---|---|\n", out);
	for (enum packet_class class = PACKET_PASSED + 1; class < PACKET_CLASS_COUNT; class ++)
		fprintf(out, "| `%s` | %s |\n", packet_class_word(class), packet_class_meaning(class));
}

static void print_reasons(FILE *out)
{
	fputs("\n## Reasons\n\n| reason | the flow began | meaning |\n|---|---|---|\n", out);
	for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
		fprintf(out, "| `%s` | %s | %s |\n", reason_word(reason), reason_is_refusal(reason) ? "no" : "yes",
			reason_meaning(reason));
	fputs("\nOne exception: a UDP session ends with `connect_refused` when an ICMP message says that nobody "
	      "listens.\n",
	      out);
}

void metrics_reference_print(FILE *out)
{
	fputs(introduction, out);
	for (size_t i = 0; i < metrics_table_count; i++)
		print_metric(&metrics_table[i], out);
	print_reasons(out);
	print_packet_classes(out);
}
