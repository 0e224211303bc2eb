/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a client may come in: the blocks of the daemon first, then the guard of the service. What follows from the
 * judgement besides the answer is done here, too: a block counts whom it keeps out, control is told of sources that are to
 * be blocked and of limits that are only on trial. The worker's thread, inside its RCU read side.
 */
#ifndef RELAY_FLOW_ADMISSION_H
#define RELAY_FLOW_ADMISSION_H

#include "guard/guard.h"
#include "relay/relay.h"

/*
 * REASON_NONE: the client has its place, which guard_release gives back. Else why not; then nothing was taken. The ticket is
 * written on success only.
 */
enum reason flow_admit(struct relay *relay, struct service *service, enum guard_kind kind,
		       const struct endpoint *client, struct guard_ticket *ret_ticket);

/* Once more, for a flow that flow_admit has refused because there are too many: see guard_admit_instead. */
enum reason flow_admit_instead(struct relay *relay, struct service *service, enum guard_kind kind,
			       const struct endpoint *client, struct guard_ticket *ret_ticket);

/* Does the client fall under a block? */
bool flow_is_blocked(const struct relay *relay, const struct endpoint *client);
/* The same, and the block counts that it has kept somebody out. For those whom the guard judges later. */
bool flow_is_kept_out(struct relay *relay, const struct endpoint *client);

/* How many of so many datagrams of a session's client may pass, from the first on; the others are counted as dropped. */
uint32_t flow_admit_packets(struct relay *relay, struct service *service, const struct endpoint *client,
			    uint32_t count);

/* A flow of the client was refused for what it has sent; that may get it blocked. */
void flow_note_misbehaviour(struct relay *relay, struct service *service, const struct endpoint *client);

#endif
