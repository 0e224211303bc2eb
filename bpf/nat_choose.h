/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which server a new flow gets, and which port it comes from. Servers are chosen as user space does (src/balance/): the hash
 * of a client is the same, and so are the orders, so that a client gets the same server from either.
 *
 * Ports of one address towards one server go round: the one that was used longest ago comes next, so that the server has
 * forgotten what came from it before. The cursor belongs to all processors together. (With ports of its own for each, a
 * machine whose network card feeds one processor would have a part of the ports only.)
 */
#ifndef BPF_NAT_CHOOSE_H
#define BPF_NAT_CHOOSE_H

#include "bpf/nat_half.h"
#include "bpf/nat_maps.h"

enum {
	NAT_STEPS_MAX = 64, /* entries that are looked at for a server */
	NAT_PORT_TRIES_MAX = 16,
	NAT_RING_STEPS_MAX = 24, /* a ring has 2^20 points at most */
	NAT_HALF_OPEN_YOUNG_MS = 2000,
	NAT_ENDED_REST_MS = 200, /* without a packet, before the port of a connection that has ended is used again */
};

/* --- the hash of a client ---------------------------------------------------------------------------------------- */

static __always_inline __u64 nat_multiply_fold(__u64 a, __u64 b)
{
	__u64 low = (a & 0xffffffff) * (b & 0xffffffff);
	__u64 middle1 = (a >> 32) * (b & 0xffffffff) + (low >> 32);
	__u64 middle2 = (a & 0xffffffff) * (b >> 32) + (middle1 & 0xffffffff);
	__u64 high = (a >> 32) * (b >> 32) + (middle1 >> 32) + (middle2 >> 32);
	return (middle2 << 32 | (low & 0xffffffff)) ^ high;
}

/* XXH3_64bits_withSeed of 16 bytes, with the seed of balance/hash_order.h in the constants. Halves as they lie in memory. */
static __always_inline __u64 nat_hash(__u64 first, __u64 second)
{
	__u64 low = first ^ 0xdaf6e5dd53b639baull;
	__u64 high = second ^ 0x3be249d9a0225239ull;
	__u64 hash = 16 + __builtin_bswap64(low) + high + nat_multiply_fold(low, high);
	hash ^= hash >> 37;
	hash *= 0x165667919e3779f9ull;
	return hash ^ hash >> 32;
}

/* User space has IPv4 addresses as ::ffff:a.b.c.d. Only written for machines whose bytes stand as on x86. */
static __always_inline __u64 nat_client_hash(const struct flow_key *key)
{
	__u64 first, second;
	__builtin_memcpy(&first, key->source, 8);
	__builtin_memcpy(&second, key->source + 8, 8);
	return key->version == 4 ? nat_hash(0, 0xffff0000ull | first << 32) : nat_hash(first, second);
}

/* --- a server ---------------------------------------------------------------------------------------------------- */

/* Who wants one. */
struct nat_ask {
	__u64 client_hash;
	__u32 pool;
	__u32 version;
	__u32 tried_count;
	__u32 tried[NAT_TRIED_MAX];
};

static __always_inline bool nat_was_tried(const struct nat_ask *ask, __u32 server)
{
	for (__u32 i = 0; i < NAT_TRIED_MAX; i++)
		if (i < ask->tried_count && ask->tried[i] == server)
			return true;
	return false;
}

/* As those below a function that the verifier follows apart. */
__attribute__((noinline)) int nat_can_use(struct nat_ask *ask, __u32 number)
{
	const struct nat_server *server = bpf_map_lookup_elem(&nat_servers, &number);
	return ask != NULL && server != NULL && (server->state & NAT_SERVER_AVAILABLE) &&
	       server->version == ask->version && server->way_out != 0 && !nat_was_tried(ask, number);
}

/* The first point of the ring at or behind the hash, as a number of entries behind its begin. */
__attribute__((noinline)) __u32 nat_find_point(__u32 begin, __u32 count, __u32 hash)
{
	__u32 low = 0, high = count;
	for (int i = 0; i < NAT_RING_STEPS_MAX && low < high; i++) {
		__u32 middle = low + (high - low) / 2;
		__u32 at = begin + middle;
		const __u64 *entry = bpf_map_lookup_elem(&nat_choices, &at);
		if (entry == NULL)
			return 0;
		if (*entry >> 32 < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count ? low : 0;
}

static __always_inline __u32 nat_first_place(const struct nat_ask *ask, __u64 word)
{
	__u32 begin = word & NAT_CHOICES_MASK;
	__u32 count = word >> NAT_CHOICES_BITS & NAT_CHOICES_MASK;
	switch (word >> 60) {
	case NAT_CHOOSES_RANDOM:
		return bpf_get_prandom_u32() % count;
	case NAT_CHOOSES_MAGLEV:
		return ask->client_hash % count;
	case NAT_CHOOSES_RING:
		return nat_find_point(begin, count, ask->client_hash >> 32);
	default:
		return 0;
	}
}

/* The number of a server that can be used; -1: there is none. */
__attribute__((noinline)) int nat_choose(struct nat_ask *ask)
{
	if (ask == NULL)
		return -1;
	struct nat_pool *pool = bpf_map_lookup_elem(&nat_pools, &ask->pool);
	if (pool == NULL)
		return -1;
	__u64 word = *(volatile __u64 *)&pool->choices;
	__u32 begin = word & NAT_CHOICES_MASK;
	__u32 count = word >> NAT_CHOICES_BITS & NAT_CHOICES_MASK;
	if (count == 0)
		return -1;
	__u32 place = nat_first_place(ask, word);
	bool is_in_order = word >> 60 == NAT_CHOOSES_NEXT;
	for (int i = 0; i < NAT_STEPS_MAX; i++) {
		if (is_in_order)
			place = __sync_fetch_and_add(&pool->cursor, 1);
		__u32 at = begin + place++ % count;
		const __u64 *entry = bpf_map_lookup_elem(&nat_choices, &at);
		if (entry == NULL)
			return -1;
		__u32 number = (__u32)*entry;
		if (nat_can_use(ask, number))
			return number;
	}
	return -1;
}

/* --- a port ------------------------------------------------------------------------------------------------------ */

static __always_inline bool nat_has_ended(const struct flow_slot *slot)
{
	__u8 to_server = slot->sides[FLOW_TO_SERVER].tcp_flags, to_client = slot->sides[FLOW_TO_CLIENT].tcp_flags;
	return ((to_server | to_client) & FLOW_TCP_RST) || (to_server & to_client & FLOW_TCP_FIN);
}

static __always_inline bool nat_has_rested(const struct flow_side *side)
{
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	return now_tick - side->seen_tick >= (NAT_ENDED_REST_MS * 1000000ull) >> FLOW_TICK_SHIFT;
}

/*
 * Takes the keys of a connection away that has ended, and is here for what may be sent again; user space ends it when it
 * looks at it the next time. Without that so many ports would be those of ended connections as begin in the second that
 * they stay. Whoever changes the state of the slot takes away the keys.
 */
static __always_inline bool nat_clear_ended(__u32 number)
{
	struct flow_slot *slot = bpf_map_lookup_elem(&strait_slots, &number);
	return slot != NULL && (slot->flags & FLOW_SLOT_IS_NAT) && slot->protocol == IPPROTO_TCP &&
	       nat_has_ended(slot) && nat_has_rested(&slot->sides[FLOW_TO_SERVER]) &&
	       nat_has_rested(&slot->sides[FLOW_TO_CLIENT]) && flow_take_out(slot, number);
}

/*
 * May a new flow have this key? One that is not established gives it up when it is old: its port was used longer ago than
 * all others that could be had.
 */
__attribute__((noinline)) int nat_is_free(struct flow_key *back_key, __u32 is_last_try)
{
	__u32 entry = flow_find(back_key);
	__u32 number = flow_entry_number(entry);
	if (entry == 0)
		return true;
	if (!(entry & FLOW_ENTRY_HALF_OPEN))
		return nat_clear_ended(number);
	const struct nat_half *half = nat_half_at(number);
	if (half == NULL)
		return true;
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	__u32 young_ticks = (NAT_HALF_OPEN_YOUNG_MS * 1000000ull) >> FLOW_TICK_SHIFT;
	if (!is_last_try && now_tick - half->flow.sides[FLOW_TO_CLIENT].seen_tick < young_ticks)
		return false;
	nat_forget(number);
	return true;
}

/* Puts a port into the key that the server's packets will have. Returns 0 when none is free. */
__attribute__((noinline)) int nat_find_port(struct flow_key *back_key, __u32 number)
{
	struct nat_server *server = bpf_map_lookup_elem(&nat_servers, &number);
	__u32 port_count = nat_shared.port_count;
	if (server == NULL || back_key == NULL || port_count == 0)
		return 0;
	for (int i = 0; i < NAT_PORT_TRIES_MAX; i++) {
		__u32 at = __sync_fetch_and_add(&server->port_cursor, 1) % port_count;
		back_key->dest_port_be16 = bpf_htons(nat_shared.ports[at & (NAT_PORTS_MAX - 1)]);
		if (nat_is_free(back_key, i == NAT_PORT_TRIES_MAX - 1))
			return 1;
	}
	return 0;
}

#endif
