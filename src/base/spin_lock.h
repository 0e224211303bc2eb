/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock in four bytes, for tables with one in each of thousands of sets: held for a few dozen instructions, and hardly ever
 * by two at a time. Zeroed memory is an open lock. Not for what takes longer. Any thread.
 */
#ifndef BASE_SPIN_LOCK_H
#define BASE_SPIN_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

enum { SPIN_LOCK_TRIES_BEFORE_YIELD = 64 /* the holder may have lost its CPU */ };

struct spin_lock {
	_Atomic uint32_t is_held;
};

static inline void spin_lock_take(struct spin_lock *lock)
{
	unsigned int tries = 0;
	while (atomic_exchange_explicit(&lock->is_held, 1, memory_order_acquire) != 0) {
		if (++tries % SPIN_LOCK_TRIES_BEFORE_YIELD == 0)
			sched_yield();
	}
}

static inline void spin_lock_give(struct spin_lock *lock)
{
	atomic_store_explicit(&lock->is_held, 0, memory_order_release);
}

#endif
