/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel against a plain array of deadlines, over long simulated times, and its corner cases one by one. */
#include "event/timer_wheel.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_MS      (UINT64_C(24) * 3600 * 1000)
#define RANGE_TICKS (UINT64_C(1) << 32)

enum { UNLIMITED = UINT32_MAX };

static uint64_t tick_of(uint64_t ms)
{
	return ms / TIMER_TICK_MS;
}

static uint64_t tick_at_or_after(uint64_t ms)
{
	return ms / TIMER_TICK_MS + (ms % TIMER_TICK_MS != 0);
}

/* A timer that notes when it fired. */
struct alarm {
	struct timer timer;
	uint64_t fired_at_ms;
	unsigned int fired_count;
};

static void note_expiry(struct timer *timer, uint64_t now_ms)
{
	struct alarm *alarm = LIST_OWNER(timer, struct alarm, timer);
	assert_false(timer_is_armed(timer));
	alarm->fired_at_ms = now_ms;
	alarm->fired_count++;
}

static const struct alarm unused_alarm = { .timer.on_expiry = note_expiry };

/* The model: what each timer of the wheel should do. */
enum { MODEL_TIMERS = 300 };

struct model_timer {
	struct timer timer;
	bool is_armed;
	uint64_t deadline_ms;
	uint64_t tick; /* at which it should fire */
};

static struct {
	struct timer_wheel wheel;
	struct random random;
	uint64_t now_ms;
	uint64_t last_tick; /* of the timer fired last in this advance */
	uint64_t fired_count;
	uint32_t fired_in_call;
	bool acts_in_callbacks;
	struct model_timer timers[MODEL_TIMERS];
} model;

/* Deadlines of all magnitudes up to 2^35 ms, twice the range of the wheel. */
static uint64_t random_span_ms(void)
{
	return random_next(&model.random) >> (29 + random_below(&model.random, 35));
}

static void model_arm(struct model_timer *timer)
{
	timer->deadline_ms = model.now_ms + random_span_ms();
	if (random_below(&model.random, 16) == 0)
		timer->deadline_ms = model.now_ms - random_below(&model.random, 10000);
	timer->tick = tick_at_or_after(timer->deadline_ms);
	if (timer->tick <= model.wheel.tick)
		timer->tick = model.wheel.tick + 1;
	timer->is_armed = true;
	timer_arm(&model.wheel, &timer->timer, timer->deadline_ms);
}

static void model_act(void)
{
	struct model_timer *timer = &model.timers[random_below(&model.random, MODEL_TIMERS)];
	if (random_below(&model.random, 3) > 0) {
		model_arm(timer);
	} else {
		timer_disarm(&model.wheel, &timer->timer);
		timer->is_armed = false;
	}
	assert_int_equal(timer_is_armed(&timer->timer), timer->is_armed);
}

static void model_expiry(struct timer *timer, uint64_t now_ms)
{
	struct model_timer *fired = LIST_OWNER(timer, struct model_timer, timer);
	assert_true(fired->is_armed);
	assert_false(timer_is_armed(timer));
	assert_int_equal(now_ms, model.now_ms);
	assert_true(now_ms >= fired->deadline_ms);
	assert_true(tick_of(now_ms) >= fired->tick);
	assert_true(fired->tick >= model.last_tick);
	model.last_tick = fired->tick;
	fired->is_armed = false;
	model.fired_count++;
	model.fired_in_call++;
	if (!model.acts_in_callbacks)
		return;
	if (random_below(&model.random, 2) == 0)
		model_arm(fired);
	model_act();
}

static uint64_t model_first_tick(uint64_t *ret_armed_count)
{
	uint64_t first = UINT64_MAX;
	uint64_t armed_count = 0;
	for (int i = 0; i < MODEL_TIMERS; i++) {
		const struct model_timer *timer = &model.timers[i];
		armed_count += timer->is_armed;
		if (timer->is_armed && timer->tick < first)
			first = timer->tick;
	}
	*ret_armed_count = armed_count;
	return first;
}

/* Advances in calls of a random budget until the wheel says that it has finished, and checks that it has. */
static void model_advance(uint64_t now_ms)
{
	model.now_ms = now_ms;
	model.last_tick = 0;
	uint32_t budget = random_below(&model.random, 2) == 0 ? UNLIMITED : random_below(&model.random, 20) + 1;
	bool is_more = true;
	for (int calls = 0; is_more; calls++) {
		assert_in_range(calls, 0, 1000000);
		model.fired_in_call = 0;
		is_more = timer_wheel_advance(&model.wheel, now_ms, budget);
		assert_true(model.fired_in_call <= budget);
		if (is_more)
			assert_int_equal(timer_wheel_wait_ms(&model.wheel, now_ms, 1000), 0);
	}
	uint64_t armed_count;
	uint64_t first = model_first_tick(&armed_count);
	assert_true(first > tick_of(now_ms));
	assert_int_equal(armed_count, model.wheel.armed_count);
	assert_int_equal(model.wheel.tick, tick_of(now_ms));
}

/* A moment to advance to: as the wheel wants it, just before or at the first deadline, or anywhere. */
static uint64_t model_next_moment(void)
{
	uint64_t armed_count;
	uint64_t first = model_first_tick(&armed_count);
	int wait_ms = timer_wheel_wait_ms(&model.wheel, model.now_ms, INT32_MAX);
	if (first != UINT64_MAX) {
		assert_true(wait_ms > 0);
		assert_true((uint64_t)wait_ms <= first * TIMER_TICK_MS - model.now_ms || wait_ms == INT32_MAX);
	} else {
		assert_int_equal(wait_ms, INT32_MAX);
	}
	switch (random_below(&model.random, 4)) {
	case 0:
		return first != UINT64_MAX ? first * TIMER_TICK_MS - 1 : model.now_ms;
	case 1:
		return first != UINT64_MAX ? first * TIMER_TICK_MS : model.now_ms;
	case 2:
		return model.now_ms + (uint64_t)wait_ms;
	default:
		return model.now_ms + random_span_ms();
	}
}

static void run_model(uint64_t seed, bool acts_in_callbacks)
{
	random_init_seed(&model.random, seed);
	model.now_ms = random_span_ms();
	model.acts_in_callbacks = acts_in_callbacks;
	model.fired_count = 0;
	timer_wheel_init(&model.wheel, model.now_ms);
	for (int i = 0; i < MODEL_TIMERS; i++)
		model.timers[i] = (struct model_timer){ .timer.on_expiry = model_expiry };
	for (int round = 0; round < 1000; round++) {
		uint32_t acts = random_below(&model.random, 40);
		for (uint32_t i = 0; i < acts; i++)
			model_act();
		model_advance(model_next_moment());
	}
	assert_true(model.fired_count > 1000);
}

static void agrees_with_the_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_model(seed, false);
}

static void agrees_with_the_model_while_callbacks_act(void **state)
{
	(void)state;
	for (uint64_t seed = 101; seed <= 120; seed++)
		run_model(seed, true);
}

static void is_never_early_and_at_most_a_tick_late(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	for (uint64_t start_ms = 0; start_ms < 9; start_ms++) {
		for (uint64_t delay_ms = 1; delay_ms < 3000; delay_ms++) {
			struct alarm alarm = unused_alarm;
			timer_wheel_init(&wheel, start_ms);
			timer_arm(&wheel, &alarm.timer, start_ms + delay_ms);
			for (uint64_t now_ms = start_ms; alarm.fired_count == 0; now_ms++)
				timer_wheel_advance(&wheel, now_ms, UNLIMITED);
			assert_in_range(alarm.fired_at_ms, start_ms + delay_ms,
					start_ms + delay_ms + TIMER_TICK_MS - 1);
		}
	}
}

/* Follows wait_ms, as a loop does. Returns the number of wakes. */
static int run_until_fired(struct timer_wheel *wheel, uint64_t now_ms, const struct alarm *alarm)
{
	int wakes = 0;
	while (alarm->fired_count == 0) {
		assert_true(wakes < 1000);
		now_ms += (uint64_t)timer_wheel_wait_ms(wheel, now_ms, INT32_MAX);
		timer_wheel_advance(wheel, now_ms, UNLIMITED);
		wakes++;
	}
	return wakes;
}

static void is_exact_over_its_range_and_beyond(void **state)
{
	(void)state;
	static const uint64_t delays_ms[] = {
		198 * DAY_MS,           RANGE_TICKS * TIMER_TICK_MS - 1, RANGE_TICKS * TIMER_TICK_MS,
		200 * DAY_MS,           RANGE_TICKS * TIMER_TICK_MS * 2, 3650 * DAY_MS,
		49 * DAY_MS + 61200000, (UINT64_C(1) << 32) - 1,         UINT64_C(1) << 32,
	};
	static const uint64_t starts_ms[] = { 0, 4 * DAY_MS + 3, 190 * DAY_MS + 1, RANGE_TICKS * TIMER_TICK_MS - 1 };
	struct timer_wheel wheel;
	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
		for (size_t j = 0; j < sizeof(starts_ms) / sizeof(starts_ms[0]); j++) {
			struct alarm alarm = unused_alarm;
			uint64_t deadline_ms = starts_ms[j] + delays_ms[i];
			timer_wheel_init(&wheel, starts_ms[j]);
			timer_arm(&wheel, &alarm.timer, deadline_ms);
			run_until_fired(&wheel, starts_ms[j], &alarm);
			assert_in_range(alarm.fired_at_ms, deadline_ms, deadline_ms + TIMER_TICK_MS - 1);
		}
	}
}

static void wakes_rarely_for_a_far_deadline(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm alarm = unused_alarm;
	timer_wheel_init(&wheel, 12345);
	timer_arm(&wheel, &alarm.timer, 12345 + 100 * DAY_MS);
	/* One for each level, and one for each 24.8 days of the longest wait. */
	assert_in_range(run_until_fired(&wheel, 12345, &alarm), 1, TIMER_LEVELS + 5);
}

static void never_comes_at_the_end_of_time(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm alarm = unused_alarm;
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &alarm.timer, UINT64_MAX);
	for (uint64_t year = 0; year < 100; year++)
		timer_wheel_advance(&wheel, year * 365 * DAY_MS, UNLIMITED);
	assert_int_equal(alarm.fired_count, 0);
	assert_true(timer_is_armed(&alarm.timer));
	timer_disarm(&wheel, &alarm.timer);
	assert_int_equal(timer_wheel_wait_ms(&wheel, 100 * 365 * DAY_MS, 77), 77);
}

static void fires_the_past_at_the_next_tick(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm alarm = unused_alarm;
	timer_wheel_init(&wheel, 1000);
	timer_arm(&wheel, &alarm.timer, 0);
	assert_in_range(timer_wheel_wait_ms(&wheel, 1000, 100), 1, TIMER_TICK_MS);
	assert_false(timer_wheel_advance(&wheel, 1000 + TIMER_TICK_MS - 1, UNLIMITED));
	assert_int_equal(alarm.fired_count, 0);
	assert_false(timer_wheel_advance(&wheel, 1000 + TIMER_TICK_MS, UNLIMITED));
	assert_int_equal(alarm.fired_count, 1);
}

static void bears_a_clock_that_goes_back(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm alarm = unused_alarm;
	timer_wheel_init(&wheel, 10000);
	timer_arm(&wheel, &alarm.timer, 10100);
	assert_false(timer_wheel_advance(&wheel, 9000, UNLIMITED));
	assert_false(timer_wheel_advance(&wheel, 10099, UNLIMITED));
	assert_int_equal(alarm.fired_count, 0);
	timer_wheel_advance(&wheel, 10100, UNLIMITED);
	assert_int_equal(alarm.fired_count, 1);
}

static void arming_again_moves_the_deadline(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm alarm = unused_alarm;
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &alarm.timer, 40);
	timer_arm(&wheel, &alarm.timer, 400000);
	timer_arm(&wheel, &alarm.timer, 4000);
	assert_int_equal(wheel.armed_count, 1);
	timer_wheel_advance(&wheel, 3999, UNLIMITED);
	assert_int_equal(alarm.fired_count, 0);
	timer_wheel_advance(&wheel, 500000, UNLIMITED);
	assert_int_equal(alarm.fired_count, 1);
	assert_int_equal(wheel.armed_count, 0);
}

/* A timer that does something to another one, and perhaps to itself. */
struct meddler {
	struct timer timer;
	struct timer_wheel *wheel;
	struct alarm *victim;
	uint64_t again_after_ms; /* 0: not again */
	unsigned int fired_count;
};

static void free_victim(struct timer *timer, uint64_t now_ms)
{
	struct meddler *meddler = LIST_OWNER(timer, struct meddler, timer);
	meddler->fired_count++;
	if (meddler->victim != NULL) {
		timer_disarm(meddler->wheel, &meddler->victim->timer);
		free(meddler->victim);
		meddler->victim = NULL;
	}
	if (meddler->again_after_ms > 0)
		timer_arm(meddler->wheel, timer, now_ms + meddler->again_after_ms);
}

static struct alarm *new_alarm(void)
{
	struct alarm *alarm = malloc(sizeof(*alarm));
	assert_non_null(alarm);
	*alarm = unused_alarm;
	return alarm;
}

static void callback_may_disarm_and_free_another(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	timer_wheel_init(&wheel, 0);
	struct meddler meddler = { .timer.on_expiry = free_victim, .wheel = &wheel, .victim = new_alarm() };
	struct alarm *bystander = new_alarm();
	timer_arm(&wheel, &meddler.timer, 100);
	timer_arm(&wheel, &meddler.victim->timer, 100);
	timer_arm(&wheel, &bystander->timer, 100);
	timer_wheel_advance(&wheel, 100, UNLIMITED);
	assert_int_equal(meddler.fired_count, 1);
	assert_int_equal(bystander->fired_count, 1);
	assert_int_equal(wheel.armed_count, 0);
	free(bystander);
}

static void callback_may_arm_again(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct meddler meddler = { .timer.on_expiry = free_victim, .wheel = &wheel, .again_after_ms = 10 };
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &meddler.timer, 10);
	for (uint64_t now_ms = 0; now_ms <= 1200; now_ms++)
		assert_false(timer_wheel_advance(&wheel, now_ms, UNLIMITED));
	assert_int_equal(meddler.fired_count, 1200 / (tick_at_or_after(10) * TIMER_TICK_MS));
}

static void stops_at_the_budget_and_goes_on(void **state)
{
	(void)state;
	enum { ALARMS = 100 };
	struct timer_wheel wheel;
	struct alarm alarms[ALARMS];
	timer_wheel_init(&wheel, 0);
	for (int i = 0; i < ALARMS; i++) {
		alarms[i] = unused_alarm;
		timer_arm(&wheel, &alarms[i].timer, 100);
	}
	for (int fired = 0; fired < ALARMS; fired += 10) {
		assert_int_equal(wheel.armed_count, ALARMS - fired);
		assert_int_equal(timer_wheel_wait_ms(&wheel, 100, 50), 0);
		assert_int_equal(timer_wheel_advance(&wheel, 100, 10), fired + 10 < ALARMS);
	}
	assert_int_equal(wheel.armed_count, 0);
	assert_int_equal(timer_wheel_wait_ms(&wheel, 100, 50), 50);
}

/* What is armed while a tick is half done comes later than that tick. */
static void armed_between_budgets_comes_later(void **state)
{
	(void)state;
	struct timer_wheel wheel;
	struct alarm first = unused_alarm, second = unused_alarm, late = unused_alarm;
	timer_wheel_init(&wheel, 0);
	timer_arm(&wheel, &first.timer, 2048);
	timer_arm(&wheel, &second.timer, 2048);
	bool is_more = true;
	while (is_more && first.fired_count + second.fired_count == 0)
		is_more = timer_wheel_advance(&wheel, 2048, 1);
	assert_true(is_more);
	timer_arm(&wheel, &late.timer, 1);
	while (is_more)
		is_more = timer_wheel_advance(&wheel, 2048, 1);
	assert_int_equal(first.fired_count + second.fired_count, 2);
	assert_int_equal(late.fired_count, 0);
	timer_wheel_advance(&wheel, 2052, 1);
	assert_int_equal(late.fired_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(agrees_with_the_model_while_callbacks_act),
		cmocka_unit_test(is_never_early_and_at_most_a_tick_late),
		cmocka_unit_test(is_exact_over_its_range_and_beyond),
		cmocka_unit_test(wakes_rarely_for_a_far_deadline),
		cmocka_unit_test(never_comes_at_the_end_of_time),
		cmocka_unit_test(fires_the_past_at_the_next_tick),
		cmocka_unit_test(bears_a_clock_that_goes_back),
		cmocka_unit_test(arming_again_moves_the_deadline),
		cmocka_unit_test(callback_may_disarm_and_free_another),
		cmocka_unit_test(callback_may_arm_again),
		cmocka_unit_test(stops_at_the_budget_and_goes_on),
		cmocka_unit_test(armed_between_budgets_comes_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
