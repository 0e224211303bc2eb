/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name stands for: a set of addresses, in a form that is the same whenever the set is the same, in whatever order
 * name servers tell it.
 *
 * A host has the addresses of its A and AAAA records. SRV records (RFC 2782) have those of their targets: the lowest
 * priority are primaries, all others backups; weights above CONFIG_WEIGHT_MAX are scaled down, all by the same factor,
 * and 0 counts as 1; each address of a target has the target's weight.
 *
 * Addresses that no server can have are left out: 0.0.0.0 and ::, multicast, broadcast, link-local IPv6 (no interface
 * comes with it), port 0 of SRV records. Values; one thread at a time.
 */
#ifndef CONTROL_NAME_ANSWER_H
#define CONTROL_NAME_ANSWER_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_ADDRESSES_MAX = 256 }; /* of one name; those in front in the order of the answer are kept */

struct name_entry {
	struct addr addr;
	uint32_t priority; /* 0 for a host */
	uint32_t weight;   /* as in the record; of a host not used */
	uint64_t origin;   /* tells the target that it is an address of; 0 for a host */
};

struct name_answer {
	bool is_srv;
	struct name_entry *entries;
	size_t entry_count;
	struct config_resolved *resolved; /* made by finish */
	size_t resolved_count;
};

void name_answer_init(struct name_answer *answer, bool is_srv);
void name_answer_done(struct name_answer *answer);

void name_answer_add(struct name_answer *answer, const struct name_entry *entry);

/*
 * Adds what an older answer knows of a family of that origin, with the priority, weight and port of the pattern: for a
 * question that failed this time.
 */
void name_answer_add_known(struct name_answer *answer, const struct name_answer *older, int family,
			   const struct name_entry *pattern);

/* Puts the entries in order, leaves out what cannot be used or comes twice, and makes `resolved` of them. */
void name_answer_finish(struct name_answer *answer);

/* Two finished answers that servers could not tell apart. */
bool name_answer_equal(const struct name_answer *a, const struct name_answer *b);

/* A copy of a finished answer. */
void name_answer_copy(const struct name_answer *answer, struct name_answer *ret_copy);

#endif
