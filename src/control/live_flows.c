/* SPDX-License-Identifier: Apache-2.0 */
#include "control/live_flows.h"

#include "base/check.h"
#include "control/record_format.h"

/* The form of the record that will be written at its end, so that both are read alike. */
static json_t *flow_build(const struct flow_record *record)
{
	struct record_line line;
	record_format_flow(record, RECORD_FORM_JSON, 1, &line);
	json_t *flow = json_loadb(line.text, line.len, 0, NULL);
	CHECK(flow != NULL);
	json_object_del(flow, "ts");
	json_object_del(flow, "event");
	json_object_del(flow, "reason");
	return flow;
}

static void append(const struct flow_visit *visit, json_t *flows)
{
	for (size_t i = 0; i < visit->record_count; i++)
		json_array_append_new(flows, flow_build(&visit->records[i]));
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t live_flows_list(struct daemon *daemon, const struct flow_filter *filter, size_t limit, json_t *flows,
		       bool *ret_is_whole)
{
	size_t match_count = 0;
	*ret_is_whole = true;
	for (uint32_t i = 0; i < daemon->worker_count; i++) {
		struct flow_visit *visit = flow_visit_new(filter, FLOW_VISIT_TELL);
		bool is_answering = true;
		while (is_answering && !visit->is_over) {
			visit->record_max = smaller(limit - json_array_size(flows), FLOW_VISIT_RECORDS);
			is_answering = worker_visit_slice(daemon->workers[i], visit);
			if (is_answering) {
				append(visit, flows);
				match_count += visit->match_count;
			}
		}
		*ret_is_whole &= is_answering;
		flow_visit_release(visit);
	}
	return match_count;
}

size_t live_flows_close(struct daemon *daemon, const struct flow_filter *filter, enum reason reason)
{
	size_t match_count = 0;
	for (uint32_t i = 0; i < daemon->worker_count; i++) {
		struct flow_visit *visit = flow_visit_new(filter, FLOW_VISIT_CLOSE);
		visit->record_max = FLOW_VISIT_RECORDS;
		visit->close_reason = reason;
		while (!visit->is_over && worker_visit_slice(daemon->workers[i], visit))
			match_count += visit->match_count;
		flow_visit_release(visit);
	}
	return match_count;
}
