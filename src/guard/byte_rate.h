/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of bandwidth: the generic cell rate algorithm (GCRA, ITU-T I.371) of rate.h, in bytes, and with waiting in
 * place of refusal. One number per limited line says until when the line is taken. Who wants to send takes the stretch
 * of time behind it that the bytes need at the rate, and sends when that begins. So those who wait are served in the
 * order in which they came, on whichever threads they are, and no list of them is needed. What was taken and is not
 * needed is given back.
 *
 * A line that has been idle has at most BYTE_RATE_BURST_MS of its rate to make up for: that is what a timer that fires
 * late does not lose, and over ten seconds no more than 0.25 % and one taking pass above the rate.
 *
 * The number is kept in sixteenths of a nanosecond, so that a small datagram on a fast line is not rounded much: 64
 * bytes at 100 Gbit/s by 0.6 % at most. It wraps around after 36 years of uptime; only differences count, up to 18
 * years. A number of 0 is a line that has been idle. Times are monotonic nanoseconds, given by the caller.
 */
#ifndef GUARD_BYTE_RATE_H
#define GUARD_BYTE_RATE_H

#include <stdint.h>

enum {
	BYTE_RATE_BURST_MS = 25,
	BYTE_RATE_BYTES_MAX = 1 << 24, /* of one taking */
};

struct byte_rate {
	uint64_t bytes_per_s; /* 0 = no limit */
};

/*
 * Takes the line for so many bytes. Returns when they may be sent: now_ns, or later. For one thread, or under a lock.
 */
uint64_t byte_rate_take(struct byte_rate rate, uint64_t *taken_until, uint64_t now_ns, uint32_t bytes);
/* So many of the bytes taken are not sent. */
void byte_rate_give_back(struct byte_rate rate, uint64_t *taken_until, uint32_t bytes);

/* The same for a line that threads share. */
uint64_t byte_rate_take_shared(struct byte_rate rate, _Atomic uint64_t *taken_until, uint64_t now_ns, uint32_t bytes);
void byte_rate_give_back_shared(struct byte_rate rate, _Atomic uint64_t *taken_until, uint32_t bytes);

/* The bytes that pass in so many milliseconds, BYTE_RATE_BYTES_MAX at most and without a limit. */
uint32_t byte_rate_bytes_in(struct byte_rate rate, uint32_t ms);

#endif
