/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the key of a packet to its flow: a hash table in an array that programs and user space have mapped alike, so that
 * either side adds and removes keys without a system call, and a flow costs no memory but its slot and its entries. Compiled
 * as BPF and as C.
 *
 * A bucket is a cache line: fifteen entries of 32 bits, and how many keys that belong there stand in their second bucket,
 * because it was full; as long as those are none nobody looks further. With half of all entries used, which is when the table
 * of flows is full (flow_index_buckets), one key in some thousands finds no room in either bucket, and with a quarter none
 * does. Its flow is one for user space.
 *
 * An entry has no key: the slot that it leads to knows the addresses of both sides. Eight bits of the hash spare looking at
 * most others.
 *
 * Nobody waits for anybody. An entry is taken by an exchange that finds it empty, and changed or emptied by one that finds
 * what was there. Who adds a key has looked for it before, and looks again afterwards: of several who have added the same at
 * the same time at most one stays. What is found may be gone a moment later; slots rest before they are used again
 * (src/kernel/flow_table.h).
 */
#ifndef BPF_FLOW_INDEX_H
#define BPF_FLOW_INDEX_H

#include "bpf/flow_abi.h"

#include <stdbool.h>
#include <stddef.h>

/* What both sides know; user space chooses the seed, so that nobody else can tell which keys meet in a bucket. */
struct flow_index_shape {
	__u64 seed;
	__u64 mask; /* the number of buckets, a power of two, less 1 */
};

struct flow_index {
	struct flow_index_shape shape;
#ifndef __bpf__
	struct flow_bucket *buckets;
	struct flow_slot *slots;
#endif
};

/* An entry: where it leads to, and from the top eight bits of the key's hash, which are never 0. */
enum {
	FLOW_ENTRY_WAY = 1,
	FLOW_ENTRY_NUMBER_SHIFT = 1,
	FLOW_ENTRY_NUMBER_BITS = 22,
	FLOW_ENTRY_HALF_OPEN = 1 << 23, /* the number is that of a half-open flow, see nat_abi.h */
	FLOW_ENTRY_TAG_SHIFT = 24,
	FLOW_INDEX_CHOICES = 2,
};

static inline __u32 flow_entry(__u32 number, __u32 way)
{
	return number << FLOW_ENTRY_NUMBER_SHIFT | way;
}

static inline __u32 flow_entry_number(__u32 entry)
{
	return entry >> FLOW_ENTRY_NUMBER_SHIFT & ((1u << FLOW_ENTRY_NUMBER_BITS) - 1);
}

static inline __u32 flow_entry_way(__u32 entry)
{
	return entry & FLOW_ENTRY_WAY;
}

/* How many buckets there are for so many keys. */
static inline __u32 flow_index_buckets(__u32 keys)
{
	__u32 buckets = 2;
	while (buckets / 2 * FLOW_BUCKET_ENTRIES < keys)
		buckets *= 2;
	return buckets;
}

/* --- where things are: of each side ------------------------------------------------------------------------------ */

/* NULL only when it is not there. */
static inline struct flow_bucket *flow_index_bucket(const struct flow_index *index, __u32 number);
static inline const struct flow_slot *flow_index_slot(const struct flow_index *index, __u32 entry);

#ifndef __bpf__
static inline struct flow_bucket *flow_index_bucket(const struct flow_index *index, __u32 number)
{
	return &index->buckets[number];
}

/* Half-open flows are the program's alone. */
static inline const struct flow_slot *flow_index_slot(const struct flow_index *index, __u32 entry)
{
	return entry & FLOW_ENTRY_HALF_OPEN ? NULL : &index->slots[flow_entry_number(entry)];
}
#endif

/* --- hashes ------------------------------------------------------------------------------------------------------ */

/* Keys and slots are aligned to eight bytes, and so are their addresses. */
typedef __u64 __attribute__((may_alias)) flow_index_bytes;

static inline __u64 flow_index_word(const void *at)
{
	return *(const flow_index_bytes *)at;
}

static inline __u64 flow_index_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static inline __u64 flow_index_hash(const struct flow_index *index, const struct flow_key *key)
{
	__u64 hash = flow_index_mix(index->shape.seed, flow_index_word(&key->source_port_be16));
	hash = flow_index_mix(hash, flow_index_word(key->source));
	if (key->version != 4) {
		hash = flow_index_mix(hash, flow_index_word(key->source + 8));
		hash = flow_index_mix(hash, flow_index_word(key->dest + 8));
	}
	return flow_index_mix(hash, flow_index_word(key->dest));
}

static inline __u32 flow_index_tag(__u64 hash)
{
	__u32 tag = hash >> 56;
	return (tag != 0 ? tag : 1) << FLOW_ENTRY_TAG_SHIFT;
}

static inline __u32 flow_index_place(const struct flow_index *index, __u64 hash, int choice)
{
	return (choice == 0 ? hash : hash >> 28) & index->shape.mask;
}

/* --- looking ----------------------------------------------------------------------------------------------------- */

/* Do packets of this key go this way? */
static inline bool flow_slot_has(const struct flow_slot *slot, __u32 way, const struct flow_key *key)
{
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	return back->dest_port_be16 == key->source_port_be16 && back->source_port_be16 == key->dest_port_be16 &&
	       flow_index_word(back->dest) == flow_index_word(key->source) &&
	       flow_index_word(back->source) == flow_index_word(key->dest) &&
	       flow_index_word(back->dest + 8) == flow_index_word(key->source + 8) &&
	       flow_index_word(back->source + 8) == flow_index_word(key->dest + 8) && slot->protocol == key->protocol &&
	       slot->version == key->version;
}

/* The key whose packets go this way: they come from where the other side's packets go. */
static inline void flow_slot_key(const struct flow_slot *slot, __u32 way, struct flow_key *ret_key)
{
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	__builtin_memcpy(ret_key->source, back->dest, 16);
	__builtin_memcpy(ret_key->dest, back->source, 16);
	ret_key->source_port_be16 = back->dest_port_be16;
	ret_key->dest_port_be16 = back->source_port_be16;
	ret_key->protocol = slot->protocol;
	ret_key->version = slot->version;
	ret_key->zero = 0;
}

static inline __u32 flow_index_load(const __u32 *at)
{
#ifdef __bpf__
	return *(const volatile __u32 *)at;
#else
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
#endif
}

static inline __u32 flow_bucket_read(const struct flow_bucket *bucket, __u32 i)
{
	return flow_index_load(&bucket->entries[i]);
}

/* May keys that belong there stand elsewhere? */
static inline bool flow_bucket_has_spilled(const struct flow_bucket *bucket)
{
	return flow_index_load(&bucket->spilled) != 0;
}

/* The entry of the key, leaving out this one; 0: there is none. */
static __always_inline __u32 flow_index_find_besides(const struct flow_index *index, const struct flow_key *key,
						     __u64 hash, __u32 besides)
{
	for (int choice = 0; choice < FLOW_INDEX_CHOICES; choice++) {
		const struct flow_bucket *bucket = flow_index_bucket(index, flow_index_place(index, hash, choice));
		if (bucket == NULL)
			return 0;
		for (__u32 i = 0; i < FLOW_BUCKET_ENTRIES; i++) {
			__u32 entry = flow_bucket_read(bucket, i);
			if ((entry ^ flow_index_tag(hash)) >> FLOW_ENTRY_TAG_SHIFT != 0 || entry == besides)
				continue;
			const struct flow_slot *slot = flow_index_slot(index, entry);
			if (slot != NULL && flow_slot_has(slot, flow_entry_way(entry), key))
				return entry;
		}
		if (!flow_bucket_has_spilled(bucket))
			return 0;
	}
	return 0;
}

static inline __u32 flow_index_find(const struct flow_index *index, const struct flow_key *key)
{
	return flow_index_find_besides(index, key, flow_index_hash(index, key), 0);
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

static inline bool flow_bucket_exchange(struct flow_bucket *bucket, __u32 from, __u32 to)
{
	for (__u32 i = 0; i < FLOW_BUCKET_ENTRIES; i++)
		if (flow_bucket_read(bucket, i) == from &&
		    __sync_val_compare_and_swap(&bucket->entries[i], from, to) == from)
			return true;
	return false;
}

/* From and to have a tag; to may be 0. Returns whether it was there. */
static __always_inline bool flow_index_exchange(const struct flow_index *index, __u64 hash, __u32 from, __u32 to)
{
	struct flow_bucket *first = flow_index_bucket(index, flow_index_place(index, hash, 0));
	if (first == NULL || flow_bucket_exchange(first, from, to))
		return first != NULL;
	struct flow_bucket *second = flow_index_bucket(index, flow_index_place(index, hash, 1));
	if (second == NULL || !flow_bucket_exchange(second, from, to))
		return false;
	if (to == 0)
		__sync_fetch_and_sub(&first->spilled, 1);
	return true;
}

/* The key leads elsewhere from now on. entry, to: without a tag. */
static inline bool flow_index_change(const struct flow_index *index, const struct flow_key *key, __u32 entry, __u32 to)
{
	__u64 hash = flow_index_hash(index, key);
	return flow_index_exchange(index, hash, entry | flow_index_tag(hash), to | flow_index_tag(hash));
}

static inline bool flow_index_remove(const struct flow_index *index, const struct flow_key *key, __u32 entry)
{
	__u64 hash = flow_index_hash(index, key);
	return flow_index_exchange(index, hash, entry | flow_index_tag(hash), 0);
}

static __always_inline bool flow_index_put(const struct flow_index *index, __u64 hash, __u32 entry)
{
	struct flow_bucket *first = flow_index_bucket(index, flow_index_place(index, hash, 0));
	if (first == NULL || flow_bucket_exchange(first, 0, entry))
		return first != NULL;
	struct flow_bucket *second = flow_index_bucket(index, flow_index_place(index, hash, 1));
	if (second == NULL)
		return false;
	__sync_fetch_and_add(&first->spilled, 1);
	if (flow_bucket_exchange(second, 0, entry))
		return true;
	__sync_fetch_and_sub(&first->spilled, 1);
	return false;
}

enum flow_index_result { FLOW_INDEX_ADDED, FLOW_INDEX_EXISTS, FLOW_INDEX_FULL };

/* The key was looked for and is not there; the slot has its addresses. entry: without a tag. */
static inline enum flow_index_result flow_index_add(const struct flow_index *index, const struct flow_key *key,
						    __u32 entry)
{
	__u64 hash = flow_index_hash(index, key);
	entry |= flow_index_tag(hash);
	if (!flow_index_put(index, hash, entry))
		return FLOW_INDEX_FULL;
	if (flow_index_find_besides(index, key, hash, entry) == 0)
		return FLOW_INDEX_ADDED;
	flow_index_exchange(index, hash, entry, 0);
	return FLOW_INDEX_EXISTS;
}

#endif
