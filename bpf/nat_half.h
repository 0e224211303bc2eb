/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where half-open flows are kept. There are NAT_HALF_OPEN_MAX of them. The one that was given back last is used next, so that few
 * stay in the processor's cache as long as there is no flood. In a flood those make room that were not seen for longest,
 * nearly: the one of a few that the cursor comes to. What is lost then are handshakes, and never an established flow.
 *
 * Whoever changes a flow's state from ACTIVE has it for himself: takes its keys away and gives it back, or makes a flow of it.
 */
#ifndef BPF_NAT_HALF_H
#define BPF_NAT_HALF_H

#include "bpf/flow_find.h"
#include "bpf/nat_maps.h"

enum {
	NAT_HALF_TRIES_MAX = 16,
	NAT_HALF_LOOKS = 4, /* in a flood, to find one that is old */
};

static __always_inline struct nat_half *nat_half_at(__u32 number)
{
	return bpf_map_lookup_elem(&nat_halves, &number);
}

static __always_inline __u32 nat_half_entry(__u32 number, __u32 way)
{
	return flow_entry(number, way) | FLOW_ENTRY_HALF_OPEN;
}

/* --- free ones --------------------------------------------------------------------------------------------------- */

static __always_inline __u64 nat_half_head(__u64 former, __u32 first)
{
	return ((former >> 32) + 1) << 32 | first;
}

static __always_inline bool nat_half_take_free(__u32 *ret_number)
{
	for (int i = 0; i < NAT_HALF_TRIES_MAX; i++) {
		__u64 head = *(volatile __u64 *)&nat_shared.half_free;
		const struct nat_half *half = nat_half_at((__u32)head - 1);
		if ((__u32)head == 0 || half == NULL)
			return false;
		/* Of one that somebody else takes meanwhile this is anything, and then the head is another one. */
		__u32 next = *(const volatile __u32 *)&half->next;
		if (__sync_val_compare_and_swap(&nat_shared.half_free, head, nat_half_head(head, next)) == head) {
			*ret_number = (__u32)head - 1;
			return true;
		}
	}
	return false;
}

static __always_inline bool nat_half_take_fresh(__u32 *ret_number)
{
	if (*(volatile __u32 *)&nat_shared.half_fresh >= NAT_HALF_OPEN_MAX)
		return false;
	*ret_number = __sync_fetch_and_add(&nat_shared.half_fresh, 1);
	return *ret_number < NAT_HALF_OPEN_MAX;
}

/* The caller has it. */
static __attribute__((noinline)) void nat_half_give(__u32 number)
{
	struct nat_half *half = nat_half_at(number);
	if (half == NULL)
		return;
	half->flow.state = FLOW_SLOT_FREE;
	for (int i = 0; i < NAT_HALF_TRIES_MAX; i++) {
		__u64 head = *(volatile __u64 *)&nat_shared.half_free;
		*(volatile __u32 *)&half->next = (__u32)head;
		if (__sync_val_compare_and_swap(&nat_shared.half_free, head, nat_half_head(head, number + 1)) == head)
			return;
	}
	__sync_lock_test_and_set(&half->flow.state, NAT_HALF_LOST);
}

/* --- used ones --------------------------------------------------------------------------------------------------- */

static __always_inline bool nat_half_claim(struct nat_half *half)
{
	return __sync_val_compare_and_swap(&half->flow.state, FLOW_SLOT_ACTIVE, FLOW_SLOT_TAKEN) == FLOW_SLOT_ACTIVE;
}

static __always_inline void nat_half_remove_keys(const struct nat_half *half, __u32 number)
{
	flow_remove_keys(&half->flow, nat_half_entry(number, FLOW_TO_SERVER));
}

static __attribute__((noinline)) void nat_forget(__u32 number)
{
	struct nat_half *half = nat_half_at(number);
	if (half == NULL || !nat_half_claim(half))
		return;
	nat_half_remove_keys(half, number);
	nat_half_give(number);
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

static __always_inline bool nat_half_is_older(const struct nat_half *half, const struct nat_half *than)
{
	return than == NULL ||
	       (__s32)(half->flow.sides[FLOW_TO_SERVER].seen_tick - than->flow.sides[FLOW_TO_SERVER].seen_tick) < 0;
}

static __always_inline bool nat_half_push_out(__u32 *ret_number)
{
	struct nat_half *oldest = NULL;
	for (int i = 0; i < NAT_HALF_LOOKS; i++) {
		__u32 number = __sync_fetch_and_add(&nat_shared.half_cursor, 1) & (NAT_HALF_OPEN_MAX - 1);
		struct nat_half *half = nat_half_at(number);
		if (half == NULL)
			return false;
		if (half->flow.state == NAT_HALF_LOST &&
		    __sync_val_compare_and_swap(&half->flow.state, NAT_HALF_LOST, FLOW_SLOT_TAKEN) == NAT_HALF_LOST) {
			*ret_number = number;
			return true;
		}
		if (half->flow.state != FLOW_SLOT_ACTIVE || !nat_half_is_older(half, oldest))
			continue;
		oldest = half;
		*ret_number = number;
	}
	if (oldest == NULL || !nat_half_claim(oldest))
		return false;
	nat_half_remove_keys(oldest, *ret_number);
	return true;
}

/* The caller has it then. Returns false when there is none. */
static __attribute__((noinline)) bool nat_half_take(__u32 *ret_number)
{
	if (!nat_half_take_free(ret_number) && !nat_half_take_fresh(ret_number) && !nat_half_push_out(ret_number))
		return false;
	struct nat_half *half = nat_half_at(*ret_number);
	if (half == NULL)
		return false;
	half->flow.state = FLOW_SLOT_TAKEN;
	return true;
}

#endif
