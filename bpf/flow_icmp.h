/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ICMP errors about packets of flows that have no socket: whoever has sent the packet gets to know, as if there were nobody in
 * between. An error comes from the side that the packet went to, and names it as it was sent on; so it is found by the key
 * that answers of that side have, and goes where they go, with the packet in it changed back into what it was before.
 *
 * Its sender becomes the address that the other side knows, whatever router it came from. The checksum of layer 4 in the
 * quoted packet is not changed: nobody looks at it, and most of the time it is not there. Errors about flows with a socket go
 * to the stack, as all do that are about something else; when they say that the path is too narrow for a datagram, those that
 * are as large go to the stack from then on, too, which cuts them up as it has learnt from the same error.
 */
#ifndef BPF_FLOW_ICMP_H
#define BPF_FLOW_ICMP_H

#include "bpf/flow_rewrite.h"

enum {
	/* Types of ICMP (RFC 792) and ICMPv6 (RFC 4443) that are errors. */
	ICMP_UNREACHABLE = 3,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
	ICMPV6_ERROR_FIRST = 1,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_ERROR_LAST = 4,
	ICMP_FRAGMENTATION_NEEDED = 4, /* a code of ICMP_UNREACHABLE */
	ICMP_CHECKSUM_AT = 2,
	ICMP_BYTES = 8,
	/* Less is not believed: Linux' net.ipv4.route.min_pmtu, and what every link of IPv6 carries (RFC 8200, section 5). */
	ICMP_MTU_MIN = 552,
	ICMPV6_MTU_MIN = 1280,
};

/* What the error quotes of the packet that it is about. */
struct flow_quote {
	struct flow_key answer; /* the key of what would answer it */
	__u32 ip_at;
	__u32 l4_at;
	struct { /* the first eight bytes, which all quote (RFC 792) */
		__be16 source_port_be16;
		__be16 dest_port_be16;
		__be32 seq_be32; /* of TCP */
	} l4;
};

static __always_inline bool flow_icmp_is_error(__u8 version, __u8 type)
{
	if (version == 4)
		return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
	return type >= ICMPV6_ERROR_FIRST && type <= ICMPV6_ERROR_LAST;
}

static __always_inline bool flow_icmp_quote_ipv4(struct __sk_buff *skb, struct flow_quote *quote)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(skb, quote->ip_at, &ip, sizeof(ip)) < 0 || ip.version != 4 || ip.ihl != 5 ||
	    (ip.frag_off & bpf_htons(FLOW_IP_OFFSET_BITS)) != 0)
		return false;
	quote->l4_at = quote->ip_at + sizeof(ip);
	quote->answer.protocol = ip.protocol;
	__builtin_memcpy(quote->answer.source, &ip.daddr, sizeof(ip.daddr));
	__builtin_memcpy(quote->answer.dest, &ip.saddr, sizeof(ip.saddr));
	return true;
}

static __always_inline bool flow_icmp_quote_ipv6(struct __sk_buff *skb, struct flow_quote *quote)
{
	struct ipv6hdr ip;
	if (bpf_skb_load_bytes(skb, quote->ip_at, &ip, sizeof(ip)) < 0 || ip.version != 6)
		return false;
	quote->l4_at = quote->ip_at + sizeof(ip);
	quote->answer.protocol = ip.nexthdr;
	__builtin_memcpy(quote->answer.source, &ip.daddr, sizeof(ip.daddr));
	__builtin_memcpy(quote->answer.dest, &ip.saddr, sizeof(ip.saddr));
	return true;
}

/* Returns false for what is no error about TCP or UDP, or cannot be read. *quote is zero before. */
static __always_inline bool flow_icmp_read(struct __sk_buff *skb, const struct flow_packet *packet,
					   struct flow_quote *quote)
{
	__u8 type;
	if (packet->has_obstacle || bpf_skb_load_bytes(skb, packet->l4_at, &type, sizeof(type)) < 0 ||
	    !flow_icmp_is_error(packet->version, type))
		return false;
	quote->ip_at = packet->l4_at + ICMP_BYTES;
	quote->answer.version = packet->version;
	if (!(packet->version == 4 ? flow_icmp_quote_ipv4(skb, quote) : flow_icmp_quote_ipv6(skb, quote)))
		return false;
	if ((quote->answer.protocol != IPPROTO_TCP && quote->answer.protocol != IPPROTO_UDP) ||
	    bpf_skb_load_bytes(skb, quote->l4_at, &quote->l4, sizeof(quote->l4)) < 0)
		return false;
	quote->answer.source_port_be16 = quote->l4.dest_port_be16;
	quote->answer.dest_port_be16 = quote->l4.source_port_be16;
	return true;
}

/* Ports, and the sequence number of joined connections. Returns what that makes of the checksum; side: of the answers. */
static __always_inline __u32 flow_icmp_change_l4(struct __sk_buff *skb, struct flow_quote *quote,
						 const struct flow_side *side, __u32 seq_delta)
{
	__u32 old[2], new[2];
	__builtin_memcpy(old, &quote->l4, sizeof(old));
	quote->l4.source_port_be16 = side->dest_port_be16;
	quote->l4.dest_port_be16 = side->source_port_be16;
	if (quote->answer.protocol == IPPROTO_TCP)
		quote->l4.seq_be32 = bpf_htonl(bpf_ntohl(quote->l4.seq_be32) - seq_delta);
	__builtin_memcpy(new, &quote->l4, sizeof(new));
	bpf_skb_store_bytes(skb, quote->l4_at, &quote->l4, sizeof(quote->l4), 0);
	return flow_difference(old, new, sizeof(new), 0);
}

/* The quoted header's own checksum makes up for its addresses, so nothing changes in the sum over all. */
static __always_inline void flow_icmp_change_quoted_ipv4(struct __sk_buff *skb, const struct flow_quote *quote,
							 const struct flow_side *side)
{
	struct iphdr ip;
	if (bpf_skb_load_bytes(skb, quote->ip_at, &ip, sizeof(ip)) < 0)
		return;
	__u32 sum = (__u16)~ip.check;
	__u32 old[2] = { ip.saddr, ip.daddr };
	__builtin_memcpy(&ip.saddr, side->dest, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, side->source, sizeof(ip.daddr));
	__u32 new[2] = { ip.saddr, ip.daddr };
	ip.check = (__u16)~flow_fold(flow_add(sum, flow_difference(old, new, sizeof(new), 0)));
	bpf_skb_store_bytes(skb, quote->ip_at, &ip, sizeof(ip), 0);
}

static __always_inline __u32 flow_icmp_change_quoted_ipv6(struct __sk_buff *skb, const struct flow_quote *quote,
							  const struct flow_side *side)
{
	__u8 old[32], new[32];
	__u32 at = quote->ip_at + offsetof(struct ipv6hdr, saddr);
	if (bpf_skb_load_bytes(skb, at, old, sizeof(old)) < 0)
		return 0;
	__builtin_memcpy(new, side->dest, 16);
	__builtin_memcpy(new + 16, side->source, 16);
	bpf_skb_store_bytes(skb, at, new, sizeof(new), 0);
	return flow_difference(old, new, sizeof(new), 0);
}

static __always_inline bool flow_icmp_change_ipv4(struct __sk_buff *skb, const struct flow_packet *packet,
						  const struct flow_key *outer, struct flow_quote *quote,
						  const struct flow_slot *slot, __u32 way)
{
	const struct flow_side *side = &slot->sides[way & 1];
	__u32 difference = flow_icmp_change_l4(skb, quote, side, slot->sides[!way].seq_delta);
	flow_icmp_change_quoted_ipv4(skb, quote, side);
	return bpf_l4_csum_replace(skb, packet->l4_at + ICMP_CHECKSUM_AT, 0, difference, 0) == 0 &&
	       flow_rewrite_ipv4(skb, side, flow_difference_ipv4(outer, side));
}

static __always_inline bool flow_icmp_change_ipv6(struct __sk_buff *skb, const struct flow_packet *packet,
						  const struct flow_key *outer, struct flow_quote *quote,
						  const struct flow_slot *slot, __u32 way)
{
	const struct flow_side *side = &slot->sides[way & 1];
	const __u32 check_at = packet->l4_at + ICMP_CHECKSUM_AT;
	__u32 addresses = flow_difference(outer->source, side->source, 32, 0);
	__u32 difference = flow_icmp_change_l4(skb, quote, side, slot->sides[!way].seq_delta);
	difference = flow_add(difference, flow_icmp_change_quoted_ipv6(skb, quote, side));
	return flow_rewrite_ipv6(skb, side) && bpf_l4_csum_replace(skb, check_at, 0, difference, 0) == 0 &&
	       bpf_l4_csum_replace(skb, check_at, 0, addresses, BPF_F_PSEUDO_HDR) == 0;
}

/* How large a packet may be, when the error says that one was too large (RFC 1191, RFC 8201); else 0. */
static __always_inline __u32 flow_icmp_mtu(struct __sk_buff *skb, const struct flow_packet *packet)
{
	struct {
		__u8 type;
		__u8 code;
		__be16 checksum;
		__be32 rest_be32;
	} error;
	bool is_ipv6 = packet->version == 6;
	if (bpf_skb_load_bytes(skb, packet->l4_at, &error, sizeof(error)) < 0)
		return 0;
	bool is_too_large = is_ipv6 ? error.type == ICMPV6_TOO_BIG
				    : error.type == ICMP_UNREACHABLE && error.code == ICMP_FRAGMENTATION_NEEDED;
	/* In IPv4 the upper half is no part of it, and 0 says that the router does not know. */
	__u32 mtu = bpf_ntohl(error.rest_be32) & (is_ipv6 ? 0xffffffff : 0xffff);
	__u32 min = is_ipv6 ? ICMPV6_MTU_MIN : ICMP_MTU_MIN;
	if (!is_too_large)
		return 0;
	return mtu > min ? mtu : min;
}

static __always_inline void flow_icmp_note_narrow_path(struct flow_side *side, __u32 mtu)
{
	if (mtu != 0 && mtu < 65536 && (side->path_mtu == 0 || mtu < side->path_mtu))
		side->path_mtu = (__u16)mtu;
}

/* outer: the addresses of the error itself. */
__attribute__((noinline)) int flow_icmp(struct __sk_buff *skb, const struct flow_packet *packet,
					const struct flow_key *outer)
{
	if (packet == NULL || outer == NULL)
		return TC_ACT_UNSPEC;
	struct flow_quote quote = { 0 };
	if (!flow_icmp_read(skb, packet, &quote))
		return TC_ACT_UNSPEC;
	__u32 entry = flow_find(&quote.answer);
	__u32 number = flow_entry_number(entry);
	if (entry == 0 || (entry & FLOW_ENTRY_HALF_OPEN))
		return TC_ACT_UNSPEC;
	struct flow_slot *slot = bpf_map_lookup_elem(&strait_slots, &number);
	if (slot == NULL || slot->state != FLOW_SLOT_ACTIVE)
		return TC_ACT_UNSPEC;
	__u32 way = flow_entry_way(entry);
	if (slot->flags & FLOW_SLOT_HAS_SOCKET) {
		if (quote.answer.protocol == IPPROTO_UDP)
			flow_icmp_note_narrow_path(&slot->sides[(way & 1) ^ 1], flow_icmp_mtu(skb, packet));
		return TC_ACT_UNSPEC;
	}
	bool is_changed = packet->version == 4 ? flow_icmp_change_ipv4(skb, packet, outer, &quote, slot, way)
					       : flow_icmp_change_ipv6(skb, packet, outer, &quote, slot, way);
	if (!is_changed)
		return drop_packet(FLOW_COUNT_FAILED);
	count(FLOW_COUNT_ERRORS);
	return flow_send(&slot->sides[way], packet->version);
}

#endif
