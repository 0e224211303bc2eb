/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/byte_rate.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdatomic.h>

#define PARTS_PER_NS UINT64_C(16)
#define BURST_PARTS  (BYTE_RATE_BURST_MS * CLOCK_NS_PER_MS * PARTS_PER_NS)

/* The time that the bytes take, rounded to the nearest part. */
static uint64_t parts_of(struct byte_rate rate, uint32_t bytes)
{
	CHECK(bytes <= BYTE_RATE_BYTES_MAX);
	return (bytes * (CLOCK_NS_PER_S * PARTS_PER_NS) + rate.bytes_per_s / 2) / rate.bytes_per_s;
}

/* Where the next stretch begins: behind the last, and not further back than the burst allows. */
static uint64_t begin_of(uint64_t taken_until, uint64_t now_parts)
{
	int64_t idle_parts = (int64_t)(now_parts - taken_until);
	return idle_parts > (int64_t)BURST_PARTS ? now_parts - BURST_PARTS : taken_until;
}

static uint64_t to_ns(uint64_t begin, uint64_t now_parts, uint64_t now_ns)
{
	int64_t wait_parts = (int64_t)(begin - now_parts);
	return wait_parts <= 0 ? now_ns : now_ns + ((uint64_t)wait_parts + PARTS_PER_NS - 1) / PARTS_PER_NS;
}

uint64_t byte_rate_take(struct byte_rate rate, uint64_t *taken_until, uint64_t now_ns, uint32_t bytes)
{
	if (rate.bytes_per_s == 0)
		return now_ns;
	uint64_t now_parts = now_ns * PARTS_PER_NS;
	uint64_t begin = begin_of(*taken_until, now_parts);
	*taken_until = begin + parts_of(rate, bytes);
	return to_ns(begin, now_parts, now_ns);
}

uint64_t byte_rate_take_shared(struct byte_rate rate, _Atomic uint64_t *taken_until, uint64_t now_ns, uint32_t bytes)
{
	if (rate.bytes_per_s == 0)
		return now_ns;
	uint64_t now_parts = now_ns * PARTS_PER_NS;
	uint64_t parts = parts_of(rate, bytes);
	uint64_t until = atomic_load_explicit(taken_until, memory_order_relaxed);
	uint64_t begin;
	do
		begin = begin_of(until, now_parts);
	while (!atomic_compare_exchange_weak_explicit(taken_until, &until, begin + parts, memory_order_relaxed,
						      memory_order_relaxed));
	return to_ns(begin, now_parts, now_ns);
}

void byte_rate_give_back(struct byte_rate rate, uint64_t *taken_until, uint32_t bytes)
{
	if (rate.bytes_per_s != 0)
		*taken_until -= parts_of(rate, bytes);
}

void byte_rate_give_back_shared(struct byte_rate rate, _Atomic uint64_t *taken_until, uint32_t bytes)
{
	if (rate.bytes_per_s != 0)
		atomic_fetch_sub_explicit(taken_until, parts_of(rate, bytes), memory_order_relaxed);
}

uint32_t byte_rate_bytes_in(struct byte_rate rate, uint32_t ms)
{
	if (rate.bytes_per_s == 0 || rate.bytes_per_s >= (uint64_t)BYTE_RATE_BYTES_MAX * CLOCK_MS_PER_S / ms)
		return BYTE_RATE_BYTES_MAX;
	return (uint32_t)(rate.bytes_per_s * ms / CLOCK_MS_PER_S);
}
