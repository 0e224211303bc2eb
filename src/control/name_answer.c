/* SPDX-License-Identifier: Apache-2.0 */
#include "control/name_answer.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void name_answer_init(struct name_answer *answer, bool is_srv)
{
	*answer = (struct name_answer){ .is_srv = is_srv };
}

void name_answer_done(struct name_answer *answer)
{
	free(answer->entries);
	free(answer->resolved);
	*answer = (struct name_answer){ .is_srv = answer->is_srv };
}

static bool is_usable(const struct name_answer *answer, const struct addr *addr)
{
	if (addr_is_any(addr) || (answer->is_srv && addr_port(addr) == 0))
		return false;
	if (addr->sa.sa_family == AF_INET)
		return !IN_MULTICAST(ntohl(addr->in.sin_addr.s_addr)) && addr->in.sin_addr.s_addr != INADDR_BROADCAST;
	return addr->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr) &&
	       !IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr);
}

void name_answer_add(struct name_answer *answer, const struct name_entry *entry)
{
	if (!is_usable(answer, &entry->addr))
		return;
	answer->entries = memory_resize(answer->entries, answer->entry_count + 1, sizeof(answer->entries[0]));
	answer->entries[answer->entry_count++] = *entry;
}

void name_answer_add_known(struct name_answer *answer, const struct name_answer *older, int family,
			   const struct name_entry *pattern)
{
	for (size_t i = 0; i < older->entry_count; i++) {
		struct name_entry entry = *pattern;
		const struct name_entry *known = &older->entries[i];
		if (known->origin != pattern->origin || known->addr.sa.sa_family != family)
			continue;
		entry.addr = known->addr;
		addr_set_port(&entry.addr, addr_port(&pattern->addr));
		name_answer_add(answer, &entry);
	}
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* Address by address, the better record of each first. */
static int compare_addresses(const void *left, const void *right)
{
	const struct name_entry *a = left;
	const struct name_entry *b = right;
	struct endpoint endpoint_a = endpoint_from_addr(&a->addr);
	struct endpoint endpoint_b = endpoint_from_addr(&b->addr);
	int order = memcmp(endpoint_a.ip, endpoint_b.ip, sizeof(endpoint_a.ip));
	if (order == 0)
		order = compare_numbers(endpoint_a.port, endpoint_b.port);
	if (order == 0)
		order = compare_numbers(a->priority, b->priority);
	return order != 0 ? order : compare_numbers(b->weight, a->weight);
}

static int compare_priorities(const void *left, const void *right)
{
	const struct name_entry *a = left;
	const struct name_entry *b = right;
	int order = compare_numbers(a->priority, b->priority);
	return order != 0 ? order : compare_addresses(left, right);
}

static void sort_entries(struct name_answer *answer, int (*compare)(const void *, const void *))
{
	if (answer->entry_count > 1)
		qsort(answer->entries, answer->entry_count, sizeof(answer->entries[0]), compare);
}

static void leave_out_repeated(struct name_answer *answer)
{
	size_t kept = 0;
	for (size_t i = 0; i < answer->entry_count; i++) {
		if (kept == 0 || !addr_equal(&answer->entries[kept - 1].addr, &answer->entries[i].addr))
			answer->entries[kept++] = answer->entries[i];
	}
	answer->entry_count = kept;
}

static uint32_t scale_weight(uint32_t weight, uint32_t weight_max)
{
	uint64_t scaled = weight;
	if (weight_max > CONFIG_WEIGHT_MAX)
		scaled = (uint64_t)weight * CONFIG_WEIGHT_MAX / weight_max;
	return scaled > 0 ? (uint32_t)scaled : 1;
}

static uint32_t find_weight_max(const struct name_answer *answer)
{
	uint32_t weight_max = 0;
	for (size_t i = 0; i < answer->entry_count; i++) {
		if (answer->entries[i].weight > weight_max)
			weight_max = answer->entries[i].weight;
	}
	return weight_max;
}

void name_answer_finish(struct name_answer *answer)
{
	sort_entries(answer, compare_addresses);
	leave_out_repeated(answer);
	sort_entries(answer, compare_priorities);
	if (answer->entry_count > NAME_ADDRESSES_MAX)
		answer->entry_count = NAME_ADDRESSES_MAX;
	uint32_t weight_max = find_weight_max(answer);
	answer->resolved = memory_alloc_zeroed(answer->entry_count, sizeof(answer->resolved[0]));
	answer->resolved_count = answer->entry_count;
	for (size_t i = 0; i < answer->entry_count; i++) {
		const struct name_entry *entry = &answer->entries[i];
		struct config_resolved *resolved = &answer->resolved[i];
		memcpy(&resolved->addr, &entry->addr, sizeof(resolved->addr));
		resolved->weight = answer->is_srv ? scale_weight(entry->weight, weight_max) : 0;
		resolved->is_backup = entry->priority > answer->entries[0].priority;
	}
}

bool name_answer_equal(const struct name_answer *a, const struct name_answer *b)
{
	if (a->resolved_count != b->resolved_count)
		return false;
	for (size_t i = 0; i < a->resolved_count; i++) {
		if (!addr_equal(&a->resolved[i].addr, &b->resolved[i].addr) ||
		    a->resolved[i].weight != b->resolved[i].weight ||
		    a->resolved[i].is_backup != b->resolved[i].is_backup)
			return false;
	}
	return true;
}

void name_answer_copy(const struct name_answer *answer, struct name_answer *ret_copy)
{
	*ret_copy = *answer;
	ret_copy->entries = memory_alloc_zeroed(answer->entry_count, sizeof(answer->entries[0]));
	ret_copy->resolved = memory_alloc_zeroed(answer->resolved_count, sizeof(answer->resolved[0]));
	for (size_t i = 0; i < answer->entry_count; i++)
		ret_copy->entries[i] = answer->entries[i];
	for (size_t i = 0; i < answer->resolved_count; i++)
		ret_copy->resolved[i] = answer->resolved[i];
}
