/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of rate by the generic cell rate algorithm (GCRA, ITU-T I.371): one number per limited thing, the theoretical
 * arrival time, says how far its use runs ahead of the clock. Each event moves it on by the interval of the rate; an
 * event that would move it further ahead than the burst allows is refused and moves nothing.
 *
 * The burst is a fifth of a second's worth, and at least one event: enough for what collects while a worker is busy,
 * and so little that over ten seconds no more than 2 % and one event pass above the rate.
 *
 * Times are monotonic nanoseconds, given by the caller. Intervals are whole nanoseconds: above 10 million events a
 * second the rate is rounded by up to 0.5 % and more.
 */
#ifndef GUARD_RATE_H
#define GUARD_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint64_t interval_ns; /* from event to event; 0 = no limit */
	uint64_t ahead_ns;    /* how far the arrival time may run ahead of the clock: the burst */
};

/* amount per per_ms milliseconds; amount 0 = no limit. */
struct rate rate_from(uint64_t amount, uint64_t per_ms);

/* Judges one event and, if it passes, moves *arrival_ns on. For one thread, or under a lock. */
bool rate_take(const struct rate *rate, uint64_t *arrival_ns, uint64_t now_ns);

/* Judges `count` events of the same moment; returns how many of them pass, from the first on. */
uint32_t rate_take_many(const struct rate *rate, uint64_t *arrival_ns, uint64_t now_ns, uint32_t count);

/* rate_take for an arrival time that threads share. */
bool rate_take_shared(const struct rate *rate, _Atomic uint64_t *arrival_ns, uint64_t now_ns);

/* An event that happens whatever the rate says, so that those to come wait the longer. */
void rate_charge_shared(const struct rate *rate, _Atomic uint64_t *arrival_ns, uint64_t now_ns);

#endif
