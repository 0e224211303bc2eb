/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sinks of one configuration, and what each of them wants. A set is made from the one before: a sink of the same name
 * (stderr, or the path) is kept, with its open file, its buffer and its counter; only what it wants may differ.
 *
 * Sets form a chain, oldest first. Control appends to it; the writer goes along it and frees what it has left behind. A
 * set belongs to nobody else, and does not change but for `next`.
 */
#ifndef CONTROL_LOG_SINK_SET_H
#define CONTROL_LOG_SINK_SET_H

#include "config/config.h"
#include "control/log_sink.h"
#include "control/record_format.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_sink_entry {
	struct log_sink *sink;
	enum config_log_format format;
	enum config_log_level level;
	uint64_t sample;   /* of so many flows one; up to 1: all */
	uint64_t every_us; /* 0: no records of flows that go on */
};

struct log_sink_set {
	_Atomic(struct log_sink_set *) next;
	/* Where in the rings its first messages stand. */
	uint64_t first_event;
	uint64_t first_records[CONFIG_WORKERS_MAX];
	bool wants_form[RECORD_FORM_COUNT];
	bool wants_flows;
	uint64_t progress_ms; /* the shortest of its sinks' every_us; 0: none */
	size_t count;
	struct log_sink_entry entries[];
};

/*
 * Opens what config wants and before (NULL: none) does not have. Returns 0, or -errno with *ret_failed set to the log
 * directive whose file could not be opened: then nothing has changed. Drops are also counted in *all_dropped.
 */
int log_sink_set_open(const struct config *config, const struct log_sink_set *before, _Atomic uint64_t *all_dropped,
		      struct log_sink_set **ret_set, const struct config_log **ret_failed);

/* Closes the sinks that other (NULL: none) does not have, and clears the pointer. Accepts NULL. */
void log_sink_set_free(struct log_sink_set **set, const struct log_sink_set *other);

bool log_sink_set_has(const struct log_sink_set *set, const struct log_sink *sink);

/* The same sinks in the same order, wanting the same. */
bool log_sink_set_equal(const struct log_sink_set *a, const struct log_sink_set *b);

#endif
