/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an algorithm chooses from, written out for somebody who chooses elsewhere: the program in the kernel that begins flows
 * (bpf/nat_choose.h). Whoever follows it gives each client the server that balance_enter would, as far as that does not
 * depend on what flows there are at the moment; `least-connections` is what it would do next, for some flows, and has to be
 * written anew as they come and go. Control.
 */
#ifndef BALANCE_ORDER_H
#define BALANCE_ORDER_H

#include "balance/balance.h"

enum balance_choosing {
	BALANCE_NEXT,   /* one entry after the other, by a cursor that all share */
	BALANCE_RANDOM, /* any entry */
	BALANCE_MAGLEV, /* the entry at the client's hash, modulo their number, and those behind it */
	BALANCE_RING, /* the first entry whose upper half is not below that of the client's hash, and those behind it */
	BALANCE_FIRST, /* the first entry whose server can take the flow */
};

/* An entry has the server's index in the tier in its lower half, and what is said above in its upper half. */
struct balance_order {
	enum balance_choosing choosing;
	uint32_t count;
	uint64_t *entries;
};

/*
 * Of a tier with at least one server. The algorithm is that which its table is of. turn: another one each time, so that of
 * servers that are alike not always the same one comes first.
 */
void balance_order_make(enum pool_algorithm algorithm, const struct balance_tier *tier, uint32_t turn,
			struct balance_order *ret_order);
void balance_order_done(struct balance_order *order);

/* For the algorithms: entries to be filled. */
void balance_order_init(struct balance_order *order, enum balance_choosing choosing, uint32_t count);

#endif
