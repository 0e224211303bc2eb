/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of bandwidth of one UDP session (throttle.h): a gate and a queue for each direction. Datagrams that may not
 * pass yet wait in the queue, in order, and are dropped only when it is full: when it holds what the session's own limit
 * carries in a second, or its service's in a tenth of one, but at least UDP_THROTTLE_QUEUE_BYTES_MIN and at most
 * UDP_THROTTLE_QUEUE_BYTES_MAX; or when no more memory may be kept (relay_may_hold). Of a train as many datagrams pass as
 * may, and the others wait one by one.
 *
 * Taken from a slab when a limit first applies to the session. The worker's thread.
 */
#ifndef RELAY_UDP_THROTTLE_H
#define RELAY_UDP_THROTTLE_H

#include "relay/datagram_queue.h"
#include "relay/throttle.h"
#include "relay/udp_session.h"

enum {
	UDP_THROTTLE_QUEUE_BYTES_MIN = 256 << 10, /* in each direction */
	UDP_THROTTLE_QUEUE_BYTES_MAX = 4 << 20,
};

struct udp_throttle {
	struct throttle throttle;
	struct udp_session *session;
	struct datagram_queue queues[FLOW_DIRECTION_COUNT];
};

struct udp_sum {
	uint32_t datagrams;
	uint64_t bytes;
};

/* Nothing waits any more: what did is dropped. For a session that ends. */
void udp_throttle_stop(struct udp_session *session);
/* Gives back the memory. */
void udp_throttle_detach(struct udp_session *session);

/* Is there a limit, or something that waits because of a former one? */
static inline bool udp_throttle_is_needed(const struct udp_session *session)
{
	return session->throttle != NULL || service_policy(session->service)->bandwidth.is_limited;
}

/* May this single datagram of the client pass now? Else it waits, or is dropped. */
bool udp_throttle_admit(struct udp_session *session, const struct datagram *datagram);

/* Sends what may pass now of the client's datagrams; the others wait. May end the session. */
void udp_throttle_forward(struct udp_session *session, const struct datagram *datagrams, uint32_t count);

/* Leaves in relay->replies, from the entry `first` on, what may pass now; the others wait. Returns what was dropped. */
struct udp_sum udp_throttle_hold_replies(struct udp_session *session, uint32_t first);

/* Do datagrams wait? */
static inline bool udp_throttle_holds_any(const struct udp_session *session)
{
	const struct udp_throttle *throttle = session->throttle;
	return throttle != NULL && (throttle->queues[FLOW_IN].count > 0 || throttle->queues[FLOW_OUT].count > 0);
}

#endif
