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

#include "bpf/nat_maps.h"

enum {
	NAT_STEPS_MAX = 64, /* entries that are looked at for a server */
	NAT_PORT_TRIES_MAX = 16,
	NAT_RING_STEPS_MAX = 24, /* a ring has 2^20 points at most */
	NAT_HALF_OPEN_YOUNG_MS = 2000,
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
	       server->version == ask->version && server->interface_index != 0 && !nat_was_tried(ask, number);
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

/* The key that the client's packets have, from what the server's packets get. */
static __always_inline void nat_client_key(const struct nat_half *to_client, const struct flow_key *back_key,
					   struct flow_key *ret_key)
{
	__builtin_memset(ret_key, 0, sizeof(*ret_key));
	__builtin_memcpy(ret_key->source, to_client->side.dest, 16);
	__builtin_memcpy(ret_key->dest, to_client->side.source, 16);
	ret_key->source_port_be16 = to_client->side.dest_port_be16;
	ret_key->dest_port_be16 = to_client->side.source_port_be16;
	ret_key->protocol = back_key->protocol;
	ret_key->version = back_key->version;
}

/*
 * May a new flow have this key? One that is not established gives it up when it is old: its port was used longer ago than
 * all others that could be had.
 */
static __always_inline bool nat_is_free(const struct flow_key *back_key, bool is_last_try)
{
	if (bpf_map_lookup_elem(&strait_flows, back_key) != NULL)
		return false;
	const struct nat_half *half = bpf_map_lookup_elem(&nat_half_open, back_key);
	if (half == NULL)
		return true;
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	__u32 young_ticks = (NAT_HALF_OPEN_YOUNG_MS * 1000000ull) >> FLOW_TICK_SHIFT;
	if (!is_last_try && now_tick - half->side.seen_tick < young_ticks)
		return false;
	struct flow_key client_key;
	nat_client_key(half, back_key, &client_key);
	bpf_map_delete_elem(&nat_half_open, &client_key);
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
