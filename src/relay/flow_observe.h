/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling control about flows, for the trends: who a flow is from when it begins, its bytes when it ends, who was refused.
 * Called on the worker's thread, beside the counter that counts the same. Costs a copy of 48 bytes; never waits. What
 * does not fit into the ring is dropped and counted, refusals first: they get no more than half of it, so that a flood of
 * them does not hide the flows.
 */
#ifndef RELAY_FLOW_OBSERVE_H
#define RELAY_FLOW_OBSERVE_H

#include "relay/relay.h"
#include "stats/flow_observation.h"

void flow_observe_begin(struct relay *relay, const struct service *service, const struct endpoint *client);
void flow_observe_end(struct relay *relay, const struct service *service, const struct endpoint *client,
		      uint64_t bytes_in, uint64_t bytes_out);
void flow_observe_refusal(struct relay *relay, const struct service *service, const struct endpoint *client);

#endif
