/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out whose the flows are that a daemon before this one has left in the kernel: the service by the address that
 * their clients have asked, the server by its address in the service's pool. Each goes to one of the workers. A flow whose
 * service is gone ends. Control thread, after workers were started.
 */
#ifndef CONTROL_ADOPTED_FLOWS_H
#define CONTROL_ADOPTED_FLOWS_H

#include "kernel/flow_table.h"
#include "pool/snapshot.h"
#include "worker/worker.h"

struct adopted_counts {
	uint64_t adopted;
	uint64_t ended; /* nobody wants them any more */
};

struct adopted_counts adopted_flows_hand_out(struct flow_table *table, const struct snapshot *snapshot,
					     struct worker *const *workers, uint32_t worker_count);

#endif
