/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that always have something, on a clock of the test's own: who may pass on how much, when. */
#include "relay/throttle.h"

#include "base/clock.h"
#include "pool/service.h"
#include "relay/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FLOWS_MAX = 100, PIECE_MAX = 1 << 20 };

struct flow {
	struct throttle throttle;
	uint64_t passed;
	uint32_t piece;     /* cannot be divided; 0: bytes, as many as may pass */
	uint32_t available; /* of what it may pass it has only so much; 0: all */
	unsigned int woken_count;
};

static struct {
	struct loop loop;
	struct timer_wheel wheel;
	struct relay relay;
	struct service *service;
	struct flow flows[FLOWS_MAX];
} lab;

static void set_time(uint64_t now_ns)
{
	lab.loop.now_ns = now_ns;
	lab.loop.now_ms = now_ns / CLOCK_NS_PER_MS;
}

/* As a reload does. */
static void set_limits(uint64_t total, uint64_t upload)
{
	lab.service->policy->bandwidth.total.bytes_per_s = total;
	lab.service->policy->bandwidth.flow[FLOW_IN].bytes_per_s = upload;
	lab.service->policy->bandwidth.epoch++;
	service_reset_lines(lab.service);
}

static struct throttle_gate *gate_of(struct flow *flow)
{
	return &flow->throttle.gates[FLOW_IN];
}

static void pump(struct flow *flow)
{
	uint32_t room;
	uint32_t least = flow->piece > 0 ? flow->piece : 1;
	uint32_t most = flow->piece > 0 ? flow->piece : PIECE_MAX;
	while (throttle_take(gate_of(flow), least, most, &room)) {
		uint32_t used = flow->available > 0 && flow->available < room ? flow->available : room;
		assert_in_range(room, least, most);
		throttle_settle(gate_of(flow), used);
		flow->passed += used;
	}
}

static void on_open(struct throttle *throttle, enum flow_direction direction)
{
	struct flow *flow = LIST_OWNER(throttle, struct flow, throttle);
	assert_int_equal(direction, FLOW_IN);
	flow->woken_count++;
	pump(flow);
}

static struct flow *begin(uint32_t i, enum flow_protocol protocol, uint32_t piece)
{
	lab.flows[i] = (struct flow){ .piece = piece };
	throttle_init(&lab.flows[i].throttle, &lab.relay, lab.service, protocol, on_open);
	return &lab.flows[i];
}

static void run(uint64_t ms)
{
	for (uint64_t end_ms = lab.loop.now_ms + ms; lab.loop.now_ms < end_ms;) {
		set_time(lab.loop.now_ns + CLOCK_NS_PER_MS);
		timer_wheel_advance(&lab.wheel, lab.loop.now_ms, UINT32_MAX);
	}
}

static int set_up(void **state)
{
	(void)state;
	set_time(100 * CLOCK_NS_PER_S);
	timer_wheel_init(&lab.wheel, lab.loop.now_ms);
	lab.relay.loop = &lab.loop;
	lab.relay.wheel = &lab.wheel;
	lab.service = service_new("limited", 1);
	lab.service->policy = calloc(1, sizeof(*lab.service->policy));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(lab.wheel.armed_count, 0);
	service_free(&lab.service);
	return 0;
}

static void end(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		throttle_stop(&lab.flows[i].throttle);
}

static void each_flow_has_its_own_line(void **state)
{
	(void)state;
	set_limits(0, 1000000);
	for (uint32_t i = 0; i < 10; i++)
		pump(begin(i, FLOW_TCP, 0));
	run(10000);
	for (uint32_t i = 0; i < 10; i++)
		assert_in_range(lab.flows[i].passed, 9950000, 10050000);
	/* Not every millisecond: each time for as much as passes in ten. */
	assert_in_range(lab.flows[0].woken_count, 500, 1100);
	end(10);
}

static void all_flows_share_the_line_in_turn(void **state)
{
	(void)state;
	set_limits(1000000, 0);
	for (uint32_t i = 0; i < FLOWS_MAX; i++)
		pump(begin(i, i % 2 == 0 ? FLOW_TCP : FLOW_UDP, 0));
	/* From the first second on, whoever came first. */
	for (int second = 0; second < 10; second++) {
		uint64_t before[FLOWS_MAX];
		for (uint32_t i = 0; i < FLOWS_MAX; i++)
			before[i] = lab.flows[i].passed;
		run(1000);
		for (uint32_t i = 0; i < FLOWS_MAX; i++)
			assert_in_range(lab.flows[i].passed - before[i], 4096, 32768);
	}
	uint64_t sum = 0;
	for (uint32_t i = 0; i < FLOWS_MAX; i++)
		sum += lab.flows[i].passed;
	assert_in_range(sum, 9950000, 10050000);
	end(FLOWS_MAX);
}

/* Those who have less than their turn leave the rest to the others. */
static void what_is_not_used_is_not_lost(void **state)
{
	(void)state;
	set_limits(1000000, 0);
	for (uint32_t i = 0; i < 10; i++) {
		begin(i, FLOW_TCP, 0)->available = i < 9 ? 10 : 0;
		pump(&lab.flows[i]);
	}
	run(10000);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < 10; i++)
		sum += lab.flows[i].passed;
	assert_in_range(sum, 9800000, 10050000);
	end(10);
}

static void the_lower_limit_holds(void **state)
{
	(void)state;
	set_limits(1000000, 300000);
	for (uint32_t i = 0; i < 2; i++)
		pump(begin(i, FLOW_TCP, 0));
	run(10000);
	for (uint32_t i = 0; i < 2; i++)
		assert_in_range(lab.flows[i].passed, 2950000, 3050000);
	pump(begin(2, FLOW_TCP, 0));
	pump(begin(3, FLOW_TCP, 0));
	pump(begin(4, FLOW_TCP, 0));
	uint64_t before = lab.flows[0].passed;
	run(10000);
	assert_in_range(lab.flows[0].passed - before, 1900000, 2100000);
	end(5);
}

/* Larger than what passes in a turn, and than the burst. */
static void what_cannot_be_divided_passes_whole(void **state)
{
	(void)state;
	set_limits(0, 10000);
	pump(begin(0, FLOW_UDP, 65507));
	assert_int_equal(lab.flows[0].passed, 65507);
	run(6000);
	assert_int_equal(lab.flows[0].passed, 65507);
	run(1000);
	assert_int_equal(lab.flows[0].passed, 2 * 65507);
	end(1);
}

static void nothing_waits_for_its_turn_too(void **state)
{
	uint32_t room;
	(void)state;
	set_limits(0, 10000);
	struct flow *flow = begin(0, FLOW_UDP, 0);
	assert_true(throttle_take(gate_of(flow), 0, 0, &room));
	assert_int_equal(room, 0);
	throttle_settle(gate_of(flow), 0);
	assert_true(throttle_take(gate_of(flow), 1000, 1000, &room));
	throttle_settle(gate_of(flow), 1000);
	assert_false(throttle_take(gate_of(flow), 0, 0, &room));
	assert_true(throttle_is_waiting(&flow->throttle));
	end(1);
	assert_false(throttle_is_waiting(&flow->throttle));
}

/* What had waited was dropped; what comes then is larger. */
static void a_place_for_less_is_given_back(void **state)
{
	uint32_t room;
	(void)state;
	set_limits(0, 100000);
	struct flow *flow = begin(0, FLOW_UDP, 0);
	pump(flow);
	assert_false(throttle_take(gate_of(flow), 10, 10, &room));
	assert_false(throttle_take(gate_of(flow), 5000, 5000, &room));
	flow->piece = 5000;
	uint64_t before = flow->passed;
	run(1000);
	assert_in_range(flow->passed - before, 90000, 105000);
	end(1);
}

static void who_leaves_gives_its_place_back(void **state)
{
	uint32_t room;
	(void)state;
	set_limits(10000, 0);
	for (uint32_t i = 0; i < 50; i++)
		pump(begin(i, FLOW_TCP, 0));
	end(49); /* ten seconds of places */
	run(11000);
	uint64_t before = lab.flows[49].passed;
	run(10000);
	assert_in_range(lab.flows[49].passed - before, 95000, 105000);
	end(50);
	run(1000);
	assert_true(throttle_take(gate_of(begin(0, FLOW_TCP, 0)), 1, PIECE_MAX, &room));
	end(1);
}

static void other_limits_hold_for_those_who_wait(void **state)
{
	(void)state;
	set_limits(8000, 0);
	for (uint32_t i = 0; i < 50; i++)
		pump(begin(i, FLOW_TCP, 0));
	run(500);
	set_limits(1000000, 0); /* those at the end would have waited for 12 seconds */
	run(300);
	uint64_t before[50];
	for (uint32_t i = 0; i < 50; i++)
		before[i] = lab.flows[i].passed;
	run(10000);
	for (uint32_t i = 0; i < 50; i++)
		assert_in_range(lab.flows[i].passed - before[i], 180000, 220000);
	set_limits(8000, 0);
	run(300);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < 50; i++)
		sum -= lab.flows[i].passed;
	run(10000);
	for (uint32_t i = 0; i < 50; i++)
		sum += lab.flows[i].passed;
	assert_in_range(sum, 76000, 84000);
	end(50);
}

static void a_limit_that_is_gone_holds_nobody(void **state)
{
	uint32_t room;
	(void)state;
	set_limits(8000, 8000);
	for (uint32_t i = 0; i < 10; i++)
		pump(begin(i, FLOW_TCP, 0));
	set_limits(0, 0);
	for (uint32_t i = 0; i < 10; i++)
		lab.flows[i].available = 1; /* so that pumping ends */
	assert_true(throttle_take(gate_of(&lab.flows[0]), 1, PIECE_MAX, &room));
	assert_int_equal(room, PIECE_MAX);
	throttle_settle(gate_of(&lab.flows[0]), PIECE_MAX);
	end(10);
}

static void waits_are_counted(void **state)
{
	uint32_t room;
	(void)state;
	set_limits(0, 10000);
	struct flow *flow = begin(0, FLOW_TCP, 0);
	assert_int_equal(lab.service->counters[0].throttled[FLOW_IN], 0);
	pump(flow);
	assert_int_equal(lab.service->counters[0].throttled[FLOW_IN], 1);
	/* Asking again is the same wait. */
	assert_false(throttle_take(gate_of(flow), 1, PIECE_MAX, &room));
	assert_int_equal(lab.service->counters[0].throttled[FLOW_IN], 1);
	assert_int_equal(lab.service->counters[0].throttled[FLOW_OUT], 0);
	end(1);
}

static void a_postponed_gate_asks_again(void **state)
{
	(void)state;
	set_limits(0, 1000000);
	struct flow *flow = begin(0, FLOW_UDP, 0);
	throttle_postpone(gate_of(flow));
	assert_int_equal(flow->woken_count, 0);
	run(1);
	assert_int_equal(flow->woken_count, 1);
	end(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_flow_has_its_own_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_flows_share_the_line_in_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_used_is_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_lower_limit_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_divided_passes_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_waits_for_its_turn_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_place_for_less_is_given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_leaves_gives_its_place_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_limits_hold_for_those_who_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_limit_that_is_gone_holds_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_postponed_gate_asks_again, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
