/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through all flows of a worker, kind by kind, in slices: connections, sessions, and flows that live in the kernel only.
 * Flows may come and go between two steps; who stays is met once. The worker's thread.
 */
#ifndef WORKER_FLOW_WALK_H
#define WORKER_FLOW_WALK_H

#include "relay/relay.h"

#include <stdbool.h>
#include <stdint.h>

enum flow_kind { FLOW_KIND_CONNECTION, FLOW_KIND_SESSION, FLOW_KIND_BARE, FLOW_KIND_COUNT };

/* Zero-initialise: from the first flow on. */
struct flow_walk {
	enum flow_kind kind; /* FLOW_KIND_COUNT: all have been met */
	uint32_t index;
};

/* One as ret_flow says, which may have ended in this turn; the pointers of other kinds are NULL. */
struct flow_met {
	struct tcp_connection *connection;
	struct udp_session *session;
	struct bare_flow *bare;
};

/* Returns false when all have been met. */
bool flow_walk_next(struct flow_walk *walk, const struct relay *relay, struct flow_met *ret_flow);

#endif
