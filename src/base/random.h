/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast random numbers for balancing and jitter (xoshiro256**, Blackman and Vigna 2018), not for secrets, and the secret
 * of this process for keyed hashes. A generator belongs to one thread.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[4];
};

/* Seeds from the kernel (getrandom). */
void random_init(struct random *random);
/* Seeds from a number, for tests that want the same sequence again. */
void random_init_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
/* Uniform in 0..bound-1; bound > 0 (Lemire 2019, without the last bit of correction). */
uint32_t random_below(struct random *random, uint32_t bound);

/* Straight from the kernel (getrandom), for what others must not be able to guess. Costs a system call. */
uint64_t random_unguessable(void);

/* 64 bits chosen once per process; the same in every thread. */
uint64_t random_secret(void);

#endif
