/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log_sink.h"

#include "base/memory.h"
#include "config/log_target.h"

#include <stdlib.h>

static int (*const openers[])(const struct config_log *config, struct log_sink **ret_sink) = {
	[CONFIG_LOG_STDERR] = log_sink_file_open,        [CONFIG_LOG_FILE] = log_sink_file_open,
	[CONFIG_LOG_SYSLOG_UNIX] = log_sink_syslog_open, [CONFIG_LOG_SYSLOG_UDP] = log_sink_syslog_open,
	[CONFIG_LOG_SYSLOG_TCP] = log_sink_syslog_open,  [CONFIG_LOG_JOURNALD] = log_sink_journal_open,
};

int log_sink_open(const struct config_log *config, _Atomic uint64_t *all_dropped, struct log_sink **ret_sink)
{
	char name[LOG_TARGET_NAME_BYTES];
	struct log_sink *sink = NULL;
	int error = openers[config->sink](config, &sink);
	if (error < 0)
		return error;
	sink->target = *config;
	sink->target.path = memory_copy_text(config->path);
	sink->name = memory_copy_text(log_target_name(config, name));
	sink->all_dropped = all_dropped;
	*ret_sink = sink;
	return 0;
}

void log_sink_close(struct log_sink **sink_pointer)
{
	struct log_sink *sink = *sink_pointer;
	*sink_pointer = NULL;
	sink->kind->close(sink);
	free((char *)sink->target.path);
	free(sink->name);
	free(sink);
}

bool log_sink_is_of(const struct log_sink *sink, const struct config_log *config)
{
	return log_target_equal(&sink->target, config);
}

bool log_sink_is_namesake(const struct log_sink *a, const struct log_sink *b)
{
	return log_target_equal(&a->target, &b->target);
}

int log_sink_reopen(struct log_sink *sink)
{
	return log_sink_can_reopen(sink) ? sink->kind->reopen(sink) : 0;
}

/* In this order, and log_sink_dropped acquires: whoever adds up all sinks never finds more than there are in all. */
void log_sink_count_dropped(struct log_sink *sink, uint64_t records)
{
	atomic_fetch_add_explicit(sink->all_dropped, records, memory_order_relaxed);
	atomic_fetch_add_explicit(&sink->dropped, records, memory_order_release);
}

uint64_t log_sink_dropped(const struct log_sink *sink)
{
	return atomic_load_explicit(&sink->dropped, memory_order_acquire);
}
