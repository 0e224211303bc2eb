/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing and closing live flows of all workers. Control waits for each worker, a slice at a time: some milliseconds
 * with tens of thousands of flows. Control thread.
 */
#ifndef CONTROL_LIVE_FLOWS_H
#define CONTROL_LIVE_FLOWS_H

#include "control/daemon.h"
#include "worker/flow_visit.h"

#include <jansson.h>

/*
 * Up to `limit` of the flows that fit, in no particular order, as objects with the keys of an access record, appended
 * to the array `flows`. Returns how many fit; *ret_is_whole is false when a worker did not answer.
 */
size_t live_flows_list(struct daemon *daemon, const struct flow_filter *filter, size_t limit, json_t *flows,
		       bool *ret_is_whole);

/* Closes all flows that fit, for this reason, TCP connections with a reset. Returns how many. */
size_t live_flows_close(struct daemon *daemon, const struct flow_filter *filter, enum reason reason);

#endif
