/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strait's own flows towards strait's own listeners. A service may send to a listener of the same daemon; a flow that
 * would come back to a service it has passed already must be refused, or it would go round for ever.
 *
 * A worker that opens a flow to one of the daemon's own listeners notes both ends of it here, together with the
 * services that the flow has passed; whoever accepts a flow between those ends finds them. (One end alone would not do: the
 * kernel gives a port to many connections, as long as they go to different places.) Shared by all workers, guarded by a
 * mutex; entries are allocated. While there is none, accepting costs one look at a counter. Any worker.
 *
 * A TCP flow can be accepted by another worker a moment before it is noted; then it goes round once more.
 * Connections over unix sockets have no endpoint and are not followed.
 */
#ifndef RELAY_OWN_FLOWS_H
#define RELAY_OWN_FLOWS_H

#include "base/addr.h"
#include "pool/service.h"

#include <stdbool.h>

/* A flow that has passed so many services is refused as if it came back. */
enum { OWN_FLOWS_SERVICES_MAX = 16 };

struct own_flows;

struct own_flows *own_flows_new(void);
/* No worker runs any more. Accepts NULL; clears the pointer. */
void own_flows_free(struct own_flows **own_flows);

/* The two ends of a flow; of an own one `from` is strait's side, which the accepting service sees as its client. */
struct own_flow_key {
	struct endpoint from;
	struct endpoint to; /* the listener's address, never a wildcard */
	uint32_t protocol;  /* enum flow_protocol */
	uint32_t reserved;  /* 0 */
};

/* A flow that came to this service as `came` goes on to an own listener as `goes`. */
void own_flows_add(struct own_flows *own_flows, const struct own_flow_key *goes, const struct service *service,
		   const struct own_flow_key *came);
/* Does nothing when it is not there. */
void own_flows_remove(struct own_flows *own_flows, const struct own_flow_key *key);

/* True: own_flows_returns is false of any flow. */
bool own_flows_is_empty(const struct own_flows *own_flows);

/* Has the flow that comes like this passed the service already? */
bool own_flows_returns(struct own_flows *own_flows, const struct own_flow_key *key, const struct service *service);

#endif
