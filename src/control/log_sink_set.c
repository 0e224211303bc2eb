/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_sink_set.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

static struct log_sink *find(const struct log_sink_set *set, const struct config_log *config)
{
	for (size_t i = 0; set != NULL && i < set->count; i++)
		if (log_sink_is_of(set->entries[i].sink, config))
			return set->entries[i].sink;
	return NULL;
}

static void add(struct log_sink_set *set, struct log_sink *sink, const struct config_log *config)
{
	bool wants_flows = config->level >= CONFIG_LEVEL_INFO;
	set->entries[set->count++] = (struct log_sink_entry){
		.sink = sink,
		.format = config->format,
		.level = config->level,
		.sample = config->sample,
		.every_us = wants_flows ? config->every_ms * CLOCK_US_PER_MS : 0,
	};
	set->wants_form[config->format] = true;
	set->wants_form[RECORD_FORM_JOURNAL] |= sink->wants_journal;
	set->wants_flows |= wants_flows;
	if (wants_flows && config->every_ms > 0 && (set->progress_ms == 0 || config->every_ms < set->progress_ms))
		set->progress_ms = config->every_ms;
}

int log_sink_set_open(const struct config *config, const struct log_sink_set *before, _Atomic uint64_t *all_dropped,
		      struct log_sink_set **ret_set, const struct config_log **ret_failed)
{
	struct log_sink_set *set = memory_alloc_zeroed(1, sizeof(*set) + config->log_count * sizeof(set->entries[0]));
	for (size_t i = 0; i < config->log_count; i++) {
		struct log_sink *sink = find(before, &config->logs[i]);
		int error = sink != NULL ? 0 : log_sink_open(&config->logs[i], all_dropped, &sink);
		if (error < 0) {
			*ret_failed = &config->logs[i];
			log_sink_set_free(&set, before);
			return error;
		}
		add(set, sink, &config->logs[i]);
	}
	*ret_set = set;
	return 0;
}

void log_sink_set_free(struct log_sink_set **set_pointer, const struct log_sink_set *other)
{
	struct log_sink_set *set = *set_pointer;
	*set_pointer = NULL;
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		if (other == NULL || !log_sink_set_has(other, set->entries[i].sink))
			log_sink_close(&set->entries[i].sink);
	free(set);
}

bool log_sink_set_has(const struct log_sink_set *set, const struct log_sink *sink)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->entries[i].sink == sink)
			return true;
	return false;
}

bool log_sink_set_equal(const struct log_sink_set *a, const struct log_sink_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].sink != b->entries[i].sink || a->entries[i].format != b->entries[i].format ||
		    a->entries[i].level != b->entries[i].level || a->entries[i].sample != b->entries[i].sample ||
		    a->entries[i].every_us != b->entries[i].every_us)
			return false;
	return true;
}
