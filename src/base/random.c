/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "base/check.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>

static _Atomic uint64_t process_secret; /* 0 = not drawn yet */

/* Without randomness the keyed hashes protect nothing, so a kernel that has none ends the program. */
static void kernel_fill(void *bytes, size_t count)
{
	ssize_t filled;
	do {
		filled = getrandom(bytes, count, 0);
	} while (filled < 0 && errno == EINTR);
	CHECK(filled == (ssize_t)count);
}

static uint64_t rotate_left(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

/* SplitMix64 (Steele, Lea, Flood 2014): the way its authors advise to seed xoshiro. */
static uint64_t split_mix(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

void random_init(struct random *random)
{
	uint64_t seed;
	kernel_fill(&seed, sizeof(seed));
	random_init_seed(random, seed);
}

void random_init_seed(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = split_mix(&seed);
}

uint64_t random_next(struct random *random)
{
	uint64_t *state = random->state;
	uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
	CHECK(bound > 0);
	return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

uint64_t random_unguessable(void)
{
	uint64_t drawn;
	kernel_fill(&drawn, sizeof(drawn));
	return drawn;
}

uint64_t random_secret(void)
{
	uint64_t secret = atomic_load_explicit(&process_secret, memory_order_relaxed);
	while (secret == 0) {
		uint64_t drawn;
		kernel_fill(&drawn, sizeof(drawn));
		/* The first thread wins; the others take what it has drawn. */
		if (atomic_compare_exchange_strong(&process_secret, &secret, drawn))
			secret = drawn;
	}
	return secret;
}
