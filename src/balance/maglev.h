/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-up table of Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4): MAGLEV_ENTRIES entries, a prime, each
 * with the index of a server in its tier. A client's hash says which entry is its own, so a choice is one look-up
 * however many servers there are, and shares are far more even than those of a ring of points.
 *
 * Filling: every server has a permutation of all entries, from a hash of its name, and the servers take turns; at its
 * turn a server takes the first entry of its permutation that is still free. The paper gives equal turns. Here the
 * turns follow the weights (Sainte-Lague's divisors: a server of weight w has its turn number k, from 1, at the time
 * (2k + 1) / w) but for the first, which all have at time 0. So every server has at least one entry, and an entry more or
 * less is the most by which a share differs from the exact one: 0.2 % of the share of one of 100 equal servers, 15 % of
 * that of one of 10,000. Turns at the same time are taken in the order of the names' hashes. Nothing depends on the order
 * written, so two instances with the same pool make the same table.
 *
 * When a server goes, its entries are shared out among all others, and a few entries of others change hands, too,
 * because turns come sooner: losing one of 10 servers moves 10.2 % of all entries at most, losing one of 100 moves 1.6 %.
 * This is the price of even shares; source-hash moves nobody else.
 *
 * A table takes 128 KiB. Making one takes, on one core of an AMD EPYC, 2.5 ms for 10 servers, 3 ms for 100, 3.5 ms for
 * 1,000 and 7 ms for 10,000 (tests/unit/balance/maglev_test.c measures both). Control makes it with the view; it is
 * immutable afterwards.
 */
#ifndef BALANCE_MAGLEV_H
#define BALANCE_MAGLEV_H

#include "balance/balance.h"

enum { MAGLEV_ENTRIES = 65537 };

struct maglev_table {
	uint16_t servers[MAGLEV_ENTRIES]; /* indexes into the tier */
};

/*
 * Fills the table for the tier. Of more than POOL_MAGLEV_SERVERS_MAX servers (the configuration refuses them) those
 * behind get no entry and are used only when no other can be. Control.
 */
void maglev_fill(struct maglev_table *table, const struct balance_tier *tier);

#endif
