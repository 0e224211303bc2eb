/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access rules of a service, prepared for fast answers. The rules are ordered and the first that matches wins; an
 * address that none matches is allowed.
 *
 * Prefixes either nest or are apart, so an ordered list of them cuts the address space into at most 2n+1 stretches with
 * one answer each. Only the places where the answer changes are kept, sorted: an address is allowed when an even number
 * of changes lies at or below it. An answer is a binary search, however long the list; overlapping and redundant
 * rules cost nothing. Rules and clients meet only within a family: ::/0 does not match an IPv4 client.
 *
 * Immutable once made; any thread may ask. It does not remember which rule gave the answer.
 */
#ifndef GUARD_ACCESS_LIST_H
#define GUARD_ACCESS_LIST_H

#include "guard/guard.h"

struct access_list;

/* Copies what it needs of the rules. Takes O(n log n). */
struct access_list *access_list_new(const struct guard_rule *rules, size_t count);
/* Accepts NULL; clears the pointer. */
void access_list_free(struct access_list **list);

bool access_list_allows(const struct access_list *list, const struct endpoint *client);

#endif
