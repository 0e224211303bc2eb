/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pool's algorithm chooses from at the moment: the available servers in two tiers, with the algorithm's tables.
 * Built by control from the pool's servers and policy, published through RCU, immutable afterwards. A change of
 * availability or weight makes a new view; the flows' own changes do not.
 *
 * Panic: when fewer than `panic` percent of the primaries (those in drain or maint left out) are up, all of them are
 * used whatever their checks say. If none is up but a backup is, that backup is used instead: it is there for
 * this. Backups themselves never panic.
 *
 * Slow start: a server that has come up gets 1/20 of its weight and then more in equal steps, the whole after
 * slow-start. While one ramps, all weights of the view are multiplied by 20, so that a weight of 1 can ramp, too.
 *
 * A view holds a reference to each of its servers until it is freed.
 */
#ifndef BALANCE_VIEW_H
#define BALANCE_VIEW_H

#include "balance/balance.h"

#include <urcu-qsbr.h>

struct balance_view {
	struct balance_tier primary;
	struct balance_tier backup;
	const struct balancer *balancer;
	uint32_t ignored_bits; /* for the primaries: SERVER_UNHEALTHY when the pool panics, else 0 */
	bool is_ramping;       /* a server is in its slow start: build the view anew within a second */
	struct rcu_head rcu;
};

/*
 * Builds a view of the pool as it is now and publishes it; the old one is freed after a grace period (call_rcu).
 * now_ms: monotonic, for slow start. Control.
 */
void balance_view_publish(struct pool *pool, uint64_t now_ms);

/* Takes the pool's view away: nothing is chosen from it any more. It is freed after a grace period. Control. */
void balance_view_withdraw(struct pool *pool);

/*
 * Frees the pool's last view when no worker runs any more, and waits until all views replaced before, of any pool, are
 * freed. Control, not inside a read side.
 */
void balance_view_discard(struct pool *pool);

#endif
