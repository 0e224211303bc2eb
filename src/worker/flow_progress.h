/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of flows that go on, for log sinks with `every=`. The worker goes through its flows once in each period, in
 * slices of FLOW_PROGRESS_SLOTS a millisecond, and puts a record of each that is at least a period old; flows carry no
 * timer and no memory of it. All records of one round are of the moment at which the round was due, so a flow's age grows
 * by exactly one period from round to round, and a sink with a longer period finds out from the age at the former round
 * whether it is its turn.
 *
 * When the log writer falls behind, a round waits until its ring is half empty. Costs one timer a second when no sink
 * wants it. The worker's thread.
 */
#ifndef WORKER_FLOW_PROGRESS_H
#define WORKER_FLOW_PROGRESS_H

#include "worker/flow_walk.h"

enum { FLOW_PROGRESS_SLOTS = 512 };

struct flow_progress {
	struct timer timer;
	struct relay *relay;
	uint64_t period_ms;   /* of the round under way, or the next; 0: none */
	uint64_t round_ns;    /* when the round under way was due, or the next one is; monotonic */
	uint64_t previous_ns; /* the same of the round before; 0: there was none */
	bool is_under_way;
	struct flow_walk walk; /* where the round goes on */
};

void flow_progress_start(struct flow_progress *progress, struct relay *relay);
void flow_progress_stop(struct flow_progress *progress);

#endif
