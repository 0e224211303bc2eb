/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through all flows of a worker to close those that have lost their right: connections whose server has gone while
 * their pool says `on-down close`, and flows whose client has been blocked. In slices, so that closing thousands stalls
 * nobody. The worker's thread.
 */
#ifndef WORKER_FLOW_SWEEP_H
#define WORKER_FLOW_SWEEP_H

#include "worker/flow_walk.h"

#include <stdbool.h>
#include <stdint.h>

struct flow_sweep {
	bool is_under_way;
	struct flow_walk walk;
};

/* From the first flow on, whatever has been done before. */
void flow_sweep_begin(struct flow_sweep *sweep);
/* Does a slice, if a sweep is under way. Returns true when there is more to do. */
bool flow_sweep_continue(struct flow_sweep *sweep, struct relay *relay);

#endif
