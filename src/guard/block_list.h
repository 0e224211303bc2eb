/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks that nobody may come from, for the whole daemon, each until a moment of its own. The control thread adds
 * and removes; workers look up without a lock (a hash table of liburcu, read inside their RCU read side).
 *
 * A lookup tries each prefix length that some block has, the longest first, so it costs one probe for each of them: one or
 * two in practice, none while nothing is blocked. Bounded: what does not fit is refused, nothing is pushed out.
 */
#ifndef GUARD_BLOCK_LIST_H
#define GUARD_BLOCK_LIST_H

#include "base/addr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCKS_MAX = 262144 };

/* One blocked network. */
struct block {
	struct network network;
	_Atomic uint64_t refused; /* flows and datagrams that workers kept out */
};

struct block_list;

struct block_list *block_list_new(void);
/* All blocks have been removed. No worker uses it any more. Accepts NULL; clears the pointer. */
void block_list_free(struct block_list **list);

/* The block is the caller's and stays where it is until block_list_remove and a grace period. 0, -EEXIST or -ENOSPC. */
int block_list_add(struct block_list *list, struct block *block);
/* The block, of exactly this network, or NULL. Control. */
struct block *block_list_get(const struct block_list *list, const struct network *network);
/* The block is the caller's again, who frees it after a grace period. */
void block_list_remove(struct block_list *list, struct block *block);
size_t block_list_count(const struct block_list *list);

/*
 * The block that the client falls under, the most specific one, or NULL. The caller counts what it refuses in it. Any
 * worker, inside its RCU read side.
 */
struct block *block_list_find(const struct block_list *list, const struct endpoint *client);

#endif
