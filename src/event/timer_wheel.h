/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of one thread in a hierarchical wheel (Varghese and Lauck, SOSP 1987): arming, disarming and expiring cost
 * O(1). Four levels of 256 slots; a tick is 1 ms, as fine as the loop waits, which flows of limited bandwidth are the
 * smoother for. A timer fires at most one tick late and never early, and deadlines up to 49 days are exact (later ones
 * are parked at the far end and sorted in again).
 *
 * A timer is embedded in its owner; 32 bytes, all zero = disarmed. Re-arming for every packet is not needed: note the
 * time of the last activity, and let the timer find out when it fires. Timers of different ticks fire in the order of
 * their ticks, those of one tick in no particular order.
 */
#ifndef EVENT_TIMER_WHEEL_H
#define EVENT_TIMER_WHEEL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	TIMER_TICK_MS = 1,
	TIMER_LEVELS = 4,
	TIMER_SLOT_BITS = 8,
	TIMER_SLOTS = 1 << TIMER_SLOT_BITS,
};

struct timer {
	struct list link;
	uint64_t expires_tick;
	void (*on_expiry)(struct timer *timer, uint64_t now_ms);
};

struct timer_wheel {
	uint64_t tick; /* all timers before it have fired; those of it, too, unless advance was stopped by its budget */
	uint64_t armed_count;
	uint64_t occupied[TIMER_LEVELS][TIMER_SLOTS / 64]; /* a set bit: the slot holds timers */
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Arms or re-arms the timer for a moment of the monotonic clock; one in the past fires at the next tick. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms);
/* Does nothing to a disarmed timer. */
void timer_disarm(struct timer_wheel *wheel, struct timer *timer);
static inline bool timer_is_armed(const struct timer *timer)
{
	return list_is_linked(&timer->link);
}

/*
 * Fires what is due. A timer is disarmed before its on_expiry is called; that may arm, disarm and free any timer, but
 * not advance the wheel. At most budget timers are handled, fired or moved to a finer level: returns true when that was
 * not enough, and the caller comes again after its next turn.
 */
bool timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget);

/* Milliseconds until the wheel wants to be advanced, at most limit_ms; 0 when there is something to do at once. */
int timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms, int limit_ms);

#endif
