/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/rate.h"

#include "base/check.h"

#include <stdatomic.h>

enum {
	NS_PER_MS = 1000000,
	BURST_NS = 200 * NS_PER_MS,
};

struct rate rate_from(uint64_t amount, uint64_t per_ms)
{
	struct rate rate = { 0, 0 };
	if (amount == 0)
		return rate;
	CHECK(per_ms > 0);
	CHECK(per_ms <= UINT64_MAX / NS_PER_MS / 2);
	rate.interval_ns = (per_ms * NS_PER_MS + amount / 2) / amount;
	if (rate.interval_ns == 0)
		rate.interval_ns = 1;
	rate.ahead_ns = rate.interval_ns > BURST_NS ? rate.interval_ns : BURST_NS;
	return rate;
}

/* The clocks of two workers may be a little apart, so the arrival time can lie ahead of what this one calls now. */
static bool rate_advance(const struct rate *rate, uint64_t arrival_ns, uint64_t now_ns, uint64_t *ret_arrival_ns)
{
	uint64_t next_ns = (arrival_ns > now_ns ? arrival_ns : now_ns) + rate->interval_ns;
	if (next_ns - now_ns > rate->ahead_ns)
		return false;
	*ret_arrival_ns = next_ns;
	return true;
}

bool rate_take(const struct rate *rate, uint64_t *arrival_ns, uint64_t now_ns)
{
	return rate->interval_ns == 0 || rate_advance(rate, *arrival_ns, now_ns, arrival_ns);
}

uint32_t rate_take_many(const struct rate *rate, uint64_t *arrival_ns, uint64_t now_ns, uint32_t count)
{
	if (rate->interval_ns == 0)
		return count;
	uint64_t from_ns = *arrival_ns > now_ns ? *arrival_ns : now_ns;
	uint64_t ahead_ns = from_ns - now_ns;
	uint64_t room = ahead_ns < rate->ahead_ns ? (rate->ahead_ns - ahead_ns) / rate->interval_ns : 0;
	uint32_t passing = room < count ? (uint32_t)room : count;
	if (passing > 0)
		*arrival_ns = from_ns + passing * rate->interval_ns;
	return passing;
}

bool rate_take_shared(const struct rate *rate, _Atomic uint64_t *arrival_ns, uint64_t now_ns)
{
	if (rate->interval_ns == 0)
		return true;
	uint64_t arrival = atomic_load_explicit(arrival_ns, memory_order_relaxed);
	uint64_t next;
	do {
		if (!rate_advance(rate, arrival, now_ns, &next))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(arrival_ns, &arrival, next, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void rate_charge_shared(const struct rate *rate, _Atomic uint64_t *arrival_ns, uint64_t now_ns)
{
	uint64_t arrival = atomic_load_explicit(arrival_ns, memory_order_relaxed);
	uint64_t next;
	do
		next = (arrival > now_ns ? arrival : now_ns) + rate->interval_ns;
	while (rate->interval_ns != 0 &&
	       !atomic_compare_exchange_weak_explicit(arrival_ns, &arrival, next, memory_order_relaxed,
						      memory_order_relaxed));
}
