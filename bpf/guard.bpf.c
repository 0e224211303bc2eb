// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The packet guard: drops malformed packets, and those of blocked sources, at tc ingress, before the system's network
 * stack sees them, and counts why. Loaded and attached by src/kernel/packet_guard.h. What passes goes to whatever comes
 * next at this hook, so that several guards and other programs need not know of each other.
 *
 * Packets are read with bpf_skb_load_bytes only: it reads them wherever their bytes lie, and a program that keeps no
 * pointers into packets needs no CAP_PERFMON.
 *
 * A blocked source is kept from the listen addresses, and from nothing else: servers, name servers and administrators may
 * be in a blocked network.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#define PACKET_SOURCE struct __sk_buff

static __always_inline int packet_load(struct __sk_buff *source, __u32 offset, void *ret_bytes, __u32 count)
{
	return (int)bpf_skb_load_bytes(source, offset, ret_bytes, count);
}

#include "bpf/abi.h"
#include "bpf/packet_class.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PACKET_CLASS_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} guard_drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PACKET_BLOCKS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct packet_ipv4_network);
	__type(value, struct packet_block);
} guard_ipv4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PACKET_BLOCKS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct packet_ipv6_network);
	__type(value, struct packet_block);
} guard_ipv6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PACKET_LISTENS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct packet_listen);
	__type(value, __u8);
} guard_listens SEC(".maps");

struct packet_settings packet_settings;

/* --- listen addresses -------------------------------------------------------------------------------------------- */

static __always_inline int load_dest(struct __sk_buff *skb, const struct packet *packet, struct packet_listen *listen)
{
	if (packet->version == 4)
		return packet_load(skb, packet->ip_at + offsetof(struct iphdr, daddr), listen->ip, 4);
	return packet_load(skb, packet->ip_at + offsetof(struct ipv6hdr, daddr), listen->ip, 16);
}

/*
 * Is it for a listen address, as far as the packet lets know? One whose port is not known counts by its address alone. A
 * function that the verifier follows apart, as those below.
 */
int guard_is_for_listen(struct __sk_buff *skb, struct packet *packet)
{
	struct packet_listen listen = { 0 };
	if (packet == NULL)
		return false;
	listen.version = packet->version;
	if (packet->version == 0 || (packet->transport != IPPROTO_TCP && packet->transport != IPPROTO_UDP))
		return false;
	if (packet->has_ports) {
		listen.port_be16 = packet->dest_port_be16;
		listen.protocol = packet->transport;
	}
	/* All addresses of the family first: that is what most configurations have. */
	if (bpf_map_lookup_elem(&guard_listens, &listen) != NULL)
		return true;
	return load_dest(skb, packet, &listen) == 0 && bpf_map_lookup_elem(&guard_listens, &listen) != NULL;
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static __always_inline struct packet_block *find_ipv4_block(struct __sk_buff *skb, const struct packet *packet)
{
	struct packet_ipv4_network source = { .prefix_bits = 32 };
	if (packet_settings.ipv4_blocks == 0)
		return NULL;
	if (packet_load(skb, packet->ip_at + offsetof(struct iphdr, saddr), source.ip, sizeof(source.ip)) < 0)
		return NULL;
	return bpf_map_lookup_elem(&guard_ipv4, &source);
}

static __always_inline struct packet_block *find_ipv6_block(struct __sk_buff *skb, const struct packet *packet)
{
	struct packet_ipv6_network source = { .prefix_bits = 128 };
	if (packet_settings.ipv6_blocks == 0)
		return NULL;
	if (packet_load(skb, packet->ip_at + offsetof(struct ipv6hdr, saddr), source.ip, sizeof(source.ip)) < 0)
		return NULL;
	return bpf_map_lookup_elem(&guard_ipv6, &source);
}

/* The block that keeps the packet out, or NULL. */
static __always_inline struct packet_block *find_block(struct __sk_buff *skb, struct packet *packet)
{
	struct packet_block *block = packet->version == 4 ? find_ipv4_block(skb, packet) : find_ipv6_block(skb, packet);
	return block != NULL && guard_is_for_listen(skb, packet) ? block : NULL;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* The parts of packet_judge as functions that the verifier follows apart; it wants their pointers to be looked at. */
int guard_judge_extensions(struct __sk_buff *skb, struct packet *packet)
{
	return packet != NULL ? packet_judge_extensions(packet, skb) : PACKET_PASSED;
}

int guard_judge_transport(struct __sk_buff *skb, struct packet *packet)
{
	return packet != NULL ? packet_judge_transport(packet, skb) : PACKET_PASSED;
}

/* Until it is known where the packet comes from and whom it is for. */
static __always_inline int judge_addresses(struct __sk_buff *skb, struct packet *packet)
{
	int class = packet_judge_network(packet, skb);
	if (class == PACKET_PASSED && packet->version == 6)
		class = guard_judge_extensions(skb, packet);
	return class == PACKET_PASSED && packet->version != 0 ? packet_judge_ports(packet, skb) : class;
}

/* Returns the class of a packet that is to be dropped, or PACKET_PASSED. */
static __always_inline __u32 judge(struct __sk_buff *skb, struct packet *packet)
{
	int class = judge_addresses(skb, packet);
	if (class == PACKET_PASSED && packet->version != 0) {
		struct packet_block *block = find_block(skb, packet);
		if (block != NULL) {
			__sync_fetch_and_add(&block->packets, 1);
			return PACKET_BLOCKED;
		}
		class = guard_judge_transport(skb, packet);
	}
	if (class == PACKET_PASSED || class == PACKET_UNREADABLE)
		return PACKET_PASSED;
	return packet_settings.has_only_listen && !guard_is_for_listen(skb, packet) ? PACKET_PASSED : class;
}

static __always_inline int guard(struct __sk_buff *skb, __u32 link_bytes)
{
	struct packet packet = {
		.at = link_bytes,
		.left = skb->len - link_bytes,
		.protocol_be16 = skb->protocol,
	};
	__u32 class = judge(skb, &packet);
	if (class == PACKET_PASSED)
		return TC_ACT_UNSPEC;
	__u64 *count = bpf_map_lookup_elem(&guard_drops, &class);
	if (count != NULL)
		(*count)++;
	return TC_ACT_SHOT;
}

SEC("tc") int strait_guard(struct __sk_buff *skb)
{
	return guard(skb, ETH_HLEN);
}

/* For devices whose packets have no header of the link layer: tun, WireGuard, PPP and other tunnels. */
SEC("tc") int strait_guard_ip(struct __sk_buff *skb)
{
	return guard(skb, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
