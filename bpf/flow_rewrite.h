/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Changes a packet of a flow into one of its other side: addresses, ports, time to live, and the checksums that go with
 * them. A UDP checksum of 0, which is none, stays 0.
 *
 * In IPv4 the header's own checksum makes up for what changes in it; in IPv6 nothing does but the checksum of layer 4, so a
 * network card's sum over the packet (CHECKSUM_COMPLETE) has to be moved on when addresses are stored.
 */
#ifndef BPF_FLOW_REWRITE_H
#define BPF_FLOW_REWRITE_H

#include "bpf/flow_packet.h"

/* The one's complement difference that new words make in place of old ones. Lengths are multiples of four. */
static __always_inline __u32 flow_difference(const void *old, const void *new, __u32 bytes, __u32 sum)
{
	return (__u32)bpf_csum_diff((__be32 *)old, bytes, (__be32 *)new, bytes, sum);
}

static __always_inline __u16 flow_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

static __always_inline __u32 flow_add(__u32 a, __u32 b)
{
	__u64 sum = (__u64)a + b;
	return (__u32)sum + (__u32)(sum >> 32);
}

/* What new addresses make of old ones in the sum: of IPv4, whose addresses are one word each. */
static __always_inline __u32 flow_difference_ipv4(const struct flow_key *key, const struct flow_side *side)
{
	__u32 old_source, old_dest, new_source, new_dest;
	__builtin_memcpy(&old_source, key->source, 4);
	__builtin_memcpy(&old_dest, key->dest, 4);
	__builtin_memcpy(&new_source, side->source, 4);
	__builtin_memcpy(&new_dest, side->dest, 4);
	return flow_add(flow_add(~old_source, new_source), flow_add(~old_dest, new_dest));
}

static __always_inline bool flow_rewrite_ipv4(struct __sk_buff *skb, const struct flow_side *side, __u32 difference)
{
	struct iphdr *ip = flow_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > flow_data_end(skb))
		return false;
	__builtin_memcpy(&ip->saddr, side->source, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, side->dest, sizeof(ip->daddr));
	/* The time to live is the high byte of its word. */
	ip->ttl--;
	__u32 sum = flow_add((__u16)~ip->check, difference);
	sum = flow_add(sum, (__u16)~bpf_htons(0x0100));
	ip->check = (__u16)~flow_fold(sum);
	return true;
}

static __always_inline bool flow_rewrite_ipv6(struct __sk_buff *skb, const struct flow_side *side)
{
	struct ipv6hdr *ip = flow_data(skb) + ETH_HLEN;
	if ((void *)(ip + 1) > flow_data_end(skb))
		return false;
	__u8 hops = ip->hop_limit - 1;
	const __u32 hop_limit_at = ETH_HLEN + offsetof(struct ipv6hdr, hop_limit);
	return bpf_skb_store_bytes(skb, hop_limit_at, &hops, 1, BPF_F_RECOMPUTE_CSUM) == 0 &&
	       bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), side->source, 32,
				   BPF_F_RECOMPUTE_CSUM) == 0;
}

/* l4_at: of a packet without IP options. */
static __always_inline bool flow_rewrite_ports(struct __sk_buff *skb, const struct flow_side *side, __u32 l4_at)
{
	struct udphdr *udp = flow_data(skb) + l4_at;
	if ((void *)(udp + 1) > flow_data_end(skb))
		return false;
	udp->source = side->source_port_be16;
	udp->dest = side->dest_port_be16;
	return true;
}

static __always_inline __u32 flow_difference_ports(const struct flow_key *key, const struct flow_side *side)
{
	return flow_add(flow_add((__u16)~key->source_port_be16, side->source_port_be16),
			flow_add((__u16)~key->dest_port_be16, side->dest_port_be16));
}

/*
 * Returns false when the packet cannot be changed, which does not happen to one that was read. difference: what else has
 * changed in the header of layer 4 and is not in its checksum yet; 0 if nothing has.
 */
static __always_inline bool flow_rewrite(struct __sk_buff *skb, const struct flow_packet *packet,
					 const struct flow_key *key, const struct flow_side *side, __u32 difference)
{
	__u32 check_at =
		packet->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check);
	__u64 flags = packet->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 addresses;
	__u32 l4_at;
	if (packet->version == 4) {
		l4_at = ETH_HLEN + sizeof(struct iphdr);
		addresses = flow_difference_ipv4(key, side);
		if (!flow_rewrite_ports(skb, side, l4_at) || !flow_rewrite_ipv4(skb, side, addresses))
			return false;
	} else {
		l4_at = ETH_HLEN + sizeof(struct ipv6hdr);
		addresses = flow_difference(key->source, side->source, 32, 0);
		if (!flow_rewrite_ports(skb, side, l4_at) || !flow_rewrite_ipv6(skb, side))
			return false;
	}
	difference = flow_add(difference, flow_difference_ports(key, side));
	return bpf_l4_csum_replace(skb, l4_at + check_at, 0, difference, flags) == 0 &&
	       bpf_l4_csum_replace(skb, l4_at + check_at, 0, addresses, flags | BPF_F_PSEUDO_HDR) == 0;
}

#endif
