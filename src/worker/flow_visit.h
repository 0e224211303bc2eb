/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visiting the live flows of a worker, to tell about them or to close them. Control asks and waits; the worker does a
 * slice of at most FLOW_VISIT_SLOTS flows in each of its turns, so that no flow waits for long however many there are.
 *
 * A visit belongs to both sides while it is under way: the one that lets go last frees it, so a worker that does not
 * answer in time does not hold up control for good.
 */
#ifndef WORKER_FLOW_VISIT_H
#define WORKER_FLOW_VISIT_H

#include "base/addr.h"
#include "stats/flow_record.h"
#include "worker/flow_walk.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

enum {
	FLOW_VISIT_SLOTS = 2048,  /* looked at in one turn */
	FLOW_VISIT_RECORDS = 128, /* told in one turn */
};

/* Which flows; what is empty, NULL or 0 fits all. */
struct flow_filter {
	uint64_t id;
	char service[FLOW_NAME_BYTES];
	char pool[FLOW_NAME_BYTES];
	char server_name[FLOW_NAME_BYTES];
	const struct server *server;
	bool has_client;
	struct network client;
	uint16_t client_port;
};

enum flow_visit_action { FLOW_VISIT_TELL, FLOW_VISIT_CLOSE };

struct flow_visit {
	struct flow_filter filter;
	enum flow_visit_action action;
	enum reason close_reason;
	/* Where it goes on; the worker moves it. */
	struct flow_walk walk;
	bool is_over;
	/* What came of the last slice. */
	size_t match_count;
	size_t record_count; /* with FLOW_VISIT_TELL: as many of the matches as were wanted */
	size_t record_max;   /* at most FLOW_VISIT_RECORDS: how many more are wanted */
	struct flow_record records[FLOW_VISIT_RECORDS];
	_Atomic bool is_sliced; /* the slice that was asked for is done */
	sem_t done;             /* wakes control then */
	_Atomic int holder_count;
};

/* Heap; held by the caller. */
struct flow_visit *flow_visit_new(const struct flow_filter *filter, enum flow_visit_action action);
void flow_visit_acquire(struct flow_visit *visit);
void flow_visit_release(struct flow_visit *visit);

/* Does one slice. The worker's thread. */
void flow_visit_continue(struct flow_visit *visit, struct relay *relay);

#endif
