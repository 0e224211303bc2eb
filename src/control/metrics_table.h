/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every metric, declared once: the page of GET /metrics, its reference (docs/metrics.md), and how many series a
 * configuration can have at most all come from this table. Control thread.
 *
 * A row belongs to a scope: the daemon, or each service, pool, server, worker or log place. It writes the same number of
 * series for each of them, whatever has happened so far: a series begins at 0, so that a rate sees its first step.
 * Client addresses are never labels; so the number of series depends on the configuration alone.
 */
#ifndef CONTROL_METRICS_TABLE_H
#define CONTROL_METRICS_TABLE_H

#include "control/daemon.h"
#include "control/metrics_text.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum metric_scope {
	METRIC_OF_DAEMON,
	METRIC_OF_SERVICE, /* label service */
	METRIC_OF_POOL,    /* label pool */
	METRIC_OF_SERVER,  /* labels pool, server */
	METRIC_OF_WORKER,  /* label worker */
	METRIC_OF_LOG,     /* label sink */
	METRIC_SCOPE_COUNT
};

/* One of what the scope says. */
struct metric_subject {
	const struct daemon *daemon;
	const struct service *service;
	const struct pool *pool;
	const struct server *server;
	uint32_t worker;
	uint64_t log_dropped;
	struct metrics_labels labels;
};

struct metric {
	const char *name;
	enum metric_type type;
	enum metric_scope scope;
	const char *labels; /* beyond those of the scope, for the reference; NULL: none */
	const char *help;   /* one sentence, without a full stop */
	uint32_t series;    /* of one subject, at most */
	void (*write)(struct metrics_text *text, const struct metric *metric, const struct metric_subject *subject);
};

extern const struct metric metrics_table[];
extern const size_t metrics_table_count;

const char *metric_type_word(enum metric_type type);
/* The labels of the scope: "pool, server"; "" for the daemon. */
const char *metric_scope_labels(enum metric_scope scope);

#endif
