/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The index of flows (flow_index.h) as the program has it: over its maps, in functions that the verifier follows apart. */
#ifndef BPF_FLOW_FIND_H
#define BPF_FLOW_FIND_H

#include "bpf/flow_index.h"
#include "bpf/nat_maps.h"

/* Set when it is loaded. */
const volatile struct flow_index_shape flow_index_shape = { 0 };

static __always_inline struct flow_index flow_index_here(void)
{
	return (struct flow_index){ .shape = { .seed = flow_index_shape.seed, .mask = flow_index_shape.mask } };
}

static inline struct flow_bucket *flow_index_bucket(const struct flow_index *index, __u32 number)
{
	(void)index;
	return bpf_map_lookup_elem(&strait_buckets, &number);
}

static inline const struct flow_slot *flow_index_slot(const struct flow_index *index, __u32 entry)
{
	__u32 number = flow_entry_number(entry);
	(void)index;
	if (!(entry & FLOW_ENTRY_HALF_OPEN)) {
		const struct flow_slot *slot = bpf_map_lookup_elem(&strait_slots, &number);
		/* Or the compiler makes one call of both, which the kernel, not knowing the map, does not inline. */
		barrier();
		return slot;
	}
	const struct nat_half *half = bpf_map_lookup_elem(&nat_halves, &number);
	return half != NULL ? &half->flow : NULL;
}

/* The entry of the key, or 0. */
__attribute__((noinline)) __u32 flow_find(struct flow_key *key)
{
	struct flow_index index = flow_index_here();
	return key != NULL ? flow_index_find(&index, key) : 0;
}

/* Those below as flow_index.h has them; entries are without a tag. */
__attribute__((noinline)) int flow_add_key(struct flow_key *key, __u32 entry)
{
	struct flow_index index = flow_index_here();
	return key != NULL ? (int)flow_index_add(&index, key, entry) : FLOW_INDEX_FULL;
}

__attribute__((noinline)) int flow_change_key(struct flow_key *key, __u32 entry, __u32 to)
{
	struct flow_index index = flow_index_here();
	return key != NULL && flow_index_change(&index, key, entry, to);
}

__attribute__((noinline)) int flow_remove_key(struct flow_key *key, __u32 entry)
{
	struct flow_index index = flow_index_here();
	return key != NULL && flow_index_remove(&index, key, entry);
}

/* Both keys. entry: of FLOW_TO_SERVER, without a tag. */
static __always_inline void flow_remove_keys(const struct flow_slot *slot, __u32 entry)
{
	struct flow_key key;
	flow_slot_key(slot, FLOW_TO_SERVER, &key);
	flow_remove_key(&key, entry);
	flow_slot_key(slot, FLOW_TO_CLIENT, &key);
	flow_remove_key(&key, entry | FLOW_ENTRY_WAY);
}

/* Whoever changes the state of a slot takes away its keys. Returns whether this was it. */
static __always_inline bool flow_take_out(struct flow_slot *slot, __u32 number)
{
	if (__sync_val_compare_and_swap(&slot->state, FLOW_SLOT_ACTIVE, FLOW_SLOT_TAKEN) != FLOW_SLOT_ACTIVE)
		return false;
	flow_remove_keys(slot, flow_entry(number, FLOW_TO_SERVER));
	return true;
}

#endif
