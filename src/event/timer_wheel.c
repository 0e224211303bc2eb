/* SPDX-License-Identifier: Apache-2.0 */
#include "event/timer_wheel.h"

#include "base/check.h"

#include <assert.h>
#include <string.h>

/*
 * How it is kept. A tick is read as four digits of 8 bits (and what lies above them). A timer is in the level of the
 * highest digit in which its tick differs from the wheel's, in the slot of its own digit there. So below the top level
 *
 *   - all timers of a level expire before all timers of the levels above it;
 *   - a slot in use is always ahead of the wheel's own digit of that level, and never wraps around.
 *
 * The next thing to do is therefore in the first slot in use of the lowest level in use: no other needs a look, and the
 * wheel jumps there over any stretch of empty ticks. On arrival the slot is the wheel's own digit; its timers differ in
 * a lower digit only and are moved there, or in none and are due. The own slot of every level is thus empty unless
 * advance ran out of budget.
 *
 * The top level is a ring: it also holds the timers that differ above the four digits, at most 255 slots ahead. What
 * lies further is parked at 255 and placed anew on arrival.
 */
enum {
	SLOT_MASK = TIMER_SLOTS - 1,
	TOP_LEVEL = TIMER_LEVELS - 1,
	TOP_SHIFT = TOP_LEVEL * TIMER_SLOT_BITS,
	WORD_BITS = 64,
};
static_assert(sizeof(struct timer) == 32, "every flow holds one");
static_assert(TIMER_SLOTS % WORD_BITS == 0, "the bitmaps are made of whole words");

static unsigned int digit(uint64_t tick, unsigned int level)
{
	return (unsigned int)(tick >> (level * TIMER_SLOT_BITS)) & SLOT_MASK;
}

/* The first slot in use at or after from; TIMER_SLOTS: none. */
static unsigned int find_occupied(const struct timer_wheel *wheel, unsigned int level, unsigned int from)
{
	for (unsigned int word = from / WORD_BITS; word < TIMER_SLOTS / WORD_BITS; word++) {
		uint64_t bits = wheel->occupied[level][word];
		if (word == from / WORD_BITS)
			bits &= UINT64_MAX << (from % WORD_BITS);
		if (bits != 0)
			return word * WORD_BITS + (unsigned int)__builtin_ctzll(bits);
	}
	return TIMER_SLOTS;
}

static void place(struct timer_wheel *wheel, struct timer *timer)
{
	uint64_t difference = timer->expires_tick ^ wheel->tick;
	unsigned int level = TOP_LEVEL;
	uint64_t position = timer->expires_tick;
	if (difference >> TOP_SHIFT == 0) {
		level = difference == 0 ? 0 : (63 - (unsigned int)__builtin_clzll(difference)) / TIMER_SLOT_BITS;
	} else if ((timer->expires_tick >> TOP_SHIFT) - (wheel->tick >> TOP_SHIFT) > SLOT_MASK) {
		position = wheel->tick + ((uint64_t)SLOT_MASK << TOP_SHIFT);
	}
	unsigned int slot = digit(position, level);
	list_add_last(&wheel->slots[level][slot], &timer->link);
	wheel->occupied[level][slot / WORD_BITS] |= UINT64_C(1) << (slot % WORD_BITS);
}

static void displace(struct timer_wheel *wheel, struct timer *timer)
{
	struct list *neighbour = timer->link.next;
	bool was_alone = neighbour == timer->link.previous;
	list_remove(&timer->link);
	if (!was_alone)
		return;
	/* Both neighbours were the head of the slot. */
	size_t index = (size_t)(neighbour - &wheel->slots[0][0]);
	unsigned int slot = (unsigned int)index % TIMER_SLOTS;
	wheel->occupied[index / TIMER_SLOTS][slot / WORD_BITS] &= ~(UINT64_C(1) << (slot % WORD_BITS));
}

/* The first timer in the wheel's own slot of the level; NULL: none. */
static struct timer *find_own(struct timer_wheel *wheel, unsigned int level)
{
	struct list *head = &wheel->slots[level][digit(wheel->tick, level)];
	return list_is_empty(head) ? NULL : LIST_OWNER(head->next, struct timer, link);
}

static bool has_own(const struct timer_wheel *wheel)
{
	for (unsigned int level = 0; level < TIMER_LEVELS; level++) {
		if (!list_is_empty(&wheel->slots[level][digit(wheel->tick, level)]))
			return true;
	}
	return false;
}

/* How many slots ahead of the wheel the next slot in use is; 0: none is. */
static unsigned int find_distance(const struct timer_wheel *wheel, unsigned int level)
{
	unsigned int own = digit(wheel->tick, level);
	unsigned int slot = find_occupied(wheel, level, own + 1);
	if (slot < TIMER_SLOTS)
		return slot - own;
	slot = level == TOP_LEVEL ? find_occupied(wheel, level, 0) : TIMER_SLOTS;
	return slot < own ? TIMER_SLOTS + slot - own : 0;
}

/* The tick of the next slot in use, which is ahead of the wheel; UINT64_MAX: none. */
static uint64_t find_next_tick(const struct timer_wheel *wheel)
{
	for (unsigned int level = 0; level < TIMER_LEVELS; level++) {
		unsigned int shift = level * TIMER_SLOT_BITS;
		unsigned int distance = find_distance(wheel, level);
		if (distance > 0)
			return ((wheel->tick >> shift) + distance) << shift;
	}
	return UINT64_MAX;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_ms / TIMER_TICK_MS;
	for (unsigned int level = 0; level < TIMER_LEVELS; level++) {
		for (unsigned int slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms)
{
	CHECK(timer->on_expiry != NULL);
	timer_disarm(wheel, timer);
	/* Rounded up, and without the sum that could overflow. */
	uint64_t tick = deadline_ms / TIMER_TICK_MS + (deadline_ms % TIMER_TICK_MS != 0);
	timer->expires_tick = tick > wheel->tick ? tick : wheel->tick + 1;
	place(wheel, timer);
	wheel->armed_count++;
}

void timer_disarm(struct timer_wheel *wheel, struct timer *timer)
{
	if (!timer_is_armed(timer))
		return;
	displace(wheel, timer);
	wheel->armed_count--;
}

/* Moves the timers of the wheel's own slots down to where they belong. Returns what is left of the budget. */
static uint32_t cascade(struct timer_wheel *wheel, uint32_t budget)
{
	for (unsigned int level = TOP_LEVEL; level > 0; level--) {
		struct timer *timer;
		while (budget > 0 && (timer = find_own(wheel, level)) != NULL) {
			displace(wheel, timer);
			place(wheel, timer);
			budget--;
		}
	}
	return budget;
}

static uint32_t fire(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget)
{
	struct timer *timer;
	/* What is armed meanwhile never lands in the own slot, so this ends. */
	while (budget > 0 && (timer = find_own(wheel, 0)) != NULL) {
		timer_disarm(wheel, timer);
		timer->on_expiry(timer, now_ms);
		budget--;
	}
	return budget;
}

bool timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget)
{
	uint64_t now_tick = now_ms / TIMER_TICK_MS;
	for (;;) {
		budget = cascade(wheel, budget);
		budget = fire(wheel, now_ms, budget);
		if (has_own(wheel))
			return true;
		uint64_t next_tick = find_next_tick(wheel);
		if (next_tick > now_tick)
			break;
		wheel->tick = next_tick;
	}
	/* Nothing lies between, so all timers stay where they are. A clock that went back changes nothing. */
	if (now_tick > wheel->tick)
		wheel->tick = now_tick;
	return false;
}

int timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms, int limit_ms)
{
	CHECK(limit_ms >= 0);
	if (has_own(wheel))
		return 0;
	uint64_t next_tick = find_next_tick(wheel);
	if (next_tick == UINT64_MAX)
		return limit_ms;
	if (next_tick <= now_ms / TIMER_TICK_MS)
		return 0;
	uint64_t wait_ms = next_tick * TIMER_TICK_MS - now_ms;
	return wait_ms < (uint64_t)limit_ms ? (int)wait_ms : limit_ms;
}
