/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flow may pass on now where bandwidth is limited: `upload=` and `download=` of the flow, and `bandwidth=` of its
 * service, whose line all flows share on all workers (guard/byte_rate.h). A flow of such a service has a throttle, with
 * a gate for each direction; others have none and pay for one comparison.
 *
 * Who has bytes asks the gate (throttle_take). It takes a stretch of the flow's own line, and when that has come one of
 * the service's, of at most a quantum each time: small for the service, so that its flows take turns of equal size,
 * larger for the flow's own. Either the bytes may pass now, and what was passed on is told (throttle_settle); or they
 * have to wait, and a timer asks the flow to try again. Until then its place is kept: nobody who comes later passes
 * before it. So flows of all workers are served in turn, and none starves.
 *
 * Limits are those of the policy of the moment. A wait is looked at anew every RECHECK_MS at least, so that those who
 * wait for very long find out about other limits; what they had taken under the old ones is void then.
 *
 * Belongs to the worker of the flow.
 */
#ifndef RELAY_THROTTLE_H
#define RELAY_THROTTLE_H

#include "event/timer_wheel.h"
#include "stats/flow_record.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;
struct service;

/* What a gate has taken. */
enum throttle_stage { THROTTLE_NOTHING, THROTTLE_FLOW, THROTTLE_BOTH };

struct throttle_gate {
	struct timer timer;        /* armed while it is waited for */
	uint64_t flow_taken_until; /* the flow's own line, see byte_rate.h */
	uint64_t open_ns;          /* when what was taken begins */
	uint32_t taken_bytes;
	uint32_t epoch;    /* of the limits under which */
	uint8_t stage;     /* enum throttle_stage */
	uint8_t direction; /* enum flow_direction */
	bool is_waiting;   /* bytes are there that may not pass yet */
};

struct throttle {
	struct relay *relay;
	struct service *service;
	/* A gate that was waited for may be open: take again. */
	void (*on_open)(struct throttle *throttle, enum flow_direction direction);
	uint32_t quantum_ms; /* of a flow's own line */
	struct throttle_gate gates[FLOW_DIRECTION_COUNT];
};

void throttle_init(struct throttle *throttle, struct relay *relay, struct service *service, enum flow_protocol protocol,
		   void (*on_open)(struct throttle *throttle, enum flow_direction direction));
/* Gives back what was taken, and stops waiting. */
void throttle_stop(struct throttle *throttle);

/* The throttle that the gate is part of. */
static inline struct throttle *throttle_of(struct throttle_gate *gate)
{
	return LIST_OWNER(gate - gate->direction, struct throttle, gates);
}

/*
 * May bytes pass, `least` of them (what cannot be divided) and at most `most`? When true, *ret_bytes of them may, within
 * these bounds, and throttle_settle has to follow. When false, on_open will be called.
 */
bool throttle_take(struct throttle_gate *gate, uint32_t least, uint32_t most, uint32_t *ret_bytes);

/* So many bytes were passed on; 0 also when nobody waits any more. What was taken above that is given back. */
void throttle_settle(struct throttle_gate *gate, uint32_t used_bytes);

/* on_open will be called in a millisecond, whether the gate is open or not. */
void throttle_postpone(struct throttle_gate *gate);

/* Is something waited for? Accepts NULL. */
static inline bool throttle_is_waiting(const struct throttle *throttle)
{
	return throttle != NULL && (throttle->gates[FLOW_IN].is_waiting || throttle->gates[FLOW_OUT].is_waiting);
}

#endif
