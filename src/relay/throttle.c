/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/throttle.h"

#include "base/check.h"
#include "base/clock.h"
#include "pool/service.h"
#include "relay/relay.h"

enum {
	RECHECK_MS = 200,
	/* Of a service's line: a turn of each of its flows, many times a second even for hundreds of them. */
	SERVICE_QUANTUM_MS = 1,
	SERVICE_QUANTUM_BYTES_MIN = 2048, /* more than a packet */
	/*
	 * Of a flow's own line, where nobody else waits. Of TCP so much, for fewer calls; datagrams come one by one, as
	 * their receiver may have room for few.
	 */
	TCP_QUANTUM_MS = 10,
	UDP_QUANTUM_MS = 1,
	FLOW_QUANTUM_BYTES_MIN = 1024,
};

static const struct service_bandwidth *limits_of(struct throttle_gate *gate)
{
	return &service_policy(throttle_of(gate)->service)->bandwidth;
}

static uint64_t now_ns(struct throttle_gate *gate)
{
	return throttle_of(gate)->relay->loop->now_ns;
}

static _Atomic uint64_t *line_of(struct throttle_gate *gate)
{
	return &throttle_of(gate)->service->lines[gate->direction].taken_until;
}

static void on_timer(struct timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct throttle_gate *gate = LIST_OWNER(timer, struct throttle_gate, timer);
	struct throttle *throttle = throttle_of(gate);
	throttle->on_open(throttle, (enum flow_direction)gate->direction);
}

void throttle_init(struct throttle *throttle, struct relay *relay, struct service *service, enum flow_protocol protocol,
		   void (*on_open)(struct throttle *throttle, enum flow_direction direction))
{
	*throttle = (struct throttle){
		.relay = relay,
		.service = service,
		.on_open = on_open,
		.quantum_ms = protocol == FLOW_TCP ? TCP_QUANTUM_MS : UDP_QUANTUM_MS,
	};
	for (uint8_t i = 0; i < FLOW_DIRECTION_COUNT; i++)
		throttle->gates[i] = (struct throttle_gate){ .timer = { .on_expiry = on_timer }, .direction = i };
}

void throttle_stop(struct throttle *throttle)
{
	for (size_t i = 0; i < FLOW_DIRECTION_COUNT; i++)
		throttle_settle(&throttle->gates[i], 0);
}

/* Other limits: nothing that was taken under the former ones counts. */
static void begin_epoch(struct throttle_gate *gate, const struct service_bandwidth *limits)
{
	gate->epoch = limits->epoch;
	gate->stage = THROTTLE_NOTHING;
	gate->flow_taken_until = 0;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t quantum_of(struct throttle_gate *gate, const struct service_bandwidth *limits)
{
	uint32_t of_flow = byte_rate_bytes_in(limits->flow[gate->direction], throttle_of(gate)->quantum_ms);
	uint32_t of_service = byte_rate_bytes_in(limits->total, SERVICE_QUANTUM_MS);
	return smaller(larger(of_flow, FLOW_QUANTUM_BYTES_MIN), larger(of_service, SERVICE_QUANTUM_BYTES_MIN));
}

static void take_of_flow(struct throttle_gate *gate, const struct service_bandwidth *limits, uint32_t bytes)
{
	gate->taken_bytes = bytes;
	gate->stage = THROTTLE_FLOW;
	gate->open_ns = byte_rate_take(limits->flow[gate->direction], &gate->flow_taken_until, now_ns(gate), bytes);
}

static void take_of_service(struct throttle_gate *gate, const struct service_bandwidth *limits)
{
	gate->stage = THROTTLE_BOTH;
	gate->open_ns = byte_rate_take_shared(limits->total, line_of(gate), now_ns(gate), gate->taken_bytes);
}

static bool is_open(struct throttle_gate *gate)
{
	return gate->open_ns <= now_ns(gate);
}

static void wait_for(struct throttle_gate *gate)
{
	struct relay *relay = throttle_of(gate)->relay;
	uint64_t open_ms = (gate->open_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
	uint64_t recheck_ms = relay->loop->now_ms + RECHECK_MS;
	timer_arm(relay->wheel, &gate->timer, open_ms < recheck_ms ? open_ms : recheck_ms);
	if (!gate->is_waiting)
		counter_add(&throttle_of(gate)->service->counters[relay->worker_index].throttled[gate->direction], 1);
	gate->is_waiting = true;
}

bool throttle_take(struct throttle_gate *gate, uint32_t least, uint32_t most, uint32_t *ret_bytes)
{
	const struct service_bandwidth *limits = limits_of(gate);
	CHECK(least <= most && most <= BYTE_RATE_BYTES_MAX);
	if (gate->epoch != limits->epoch)
		begin_epoch(gate, limits);
	if (gate->taken_bytes < least) /* for something else, which does not wait any more */
		throttle_settle(gate, 0);
	if (gate->stage == THROTTLE_NOTHING)
		take_of_flow(gate, limits, larger(least, smaller(quantum_of(gate, limits), most)));
	if (gate->stage == THROTTLE_FLOW && is_open(gate))
		take_of_service(gate, limits);
	if (!is_open(gate)) {
		wait_for(gate);
		return false;
	}
	*ret_bytes = smaller(gate->taken_bytes, most);
	return true;
}

void throttle_settle(struct throttle_gate *gate, uint32_t used_bytes)
{
	const struct service_bandwidth *limits = limits_of(gate);
	uint32_t unused_bytes = gate->taken_bytes - used_bytes;
	bool is_valid = gate->epoch == limits->epoch;
	if (is_valid && gate->stage != THROTTLE_NOTHING)
		byte_rate_give_back(limits->flow[gate->direction], &gate->flow_taken_until, unused_bytes);
	if (is_valid && gate->stage == THROTTLE_BOTH)
		byte_rate_give_back_shared(limits->total, line_of(gate), unused_bytes);
	gate->stage = THROTTLE_NOTHING;
	gate->is_waiting = false;
	timer_disarm(throttle_of(gate)->relay->wheel, &gate->timer);
}

void throttle_postpone(struct throttle_gate *gate)
{
	struct relay *relay = throttle_of(gate)->relay;
	timer_arm(relay->wheel, &gate->timer, relay->loop->now_ms + 1);
}
