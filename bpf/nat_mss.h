/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Makes sure that what a connection's ends send each other fits both interfaces: the largest segment that a SYN names is
 * made smaller when it has to be (RFC 9293, section 3.7.1).
 */
#ifndef BPF_NAT_MSS_H
#define BPF_NAT_MSS_H

#include "bpf/flow_packet.h"
#include "bpf/tcp_translate.h"

enum {
	NAT_OPTION_MSS = 2,
	NAT_MSS_BYTES = 4,
	NAT_OPTIONS_MAX = 16, /* that are looked at; systems send less than ten, the MSS among the first */
};

static __always_inline __u16 nat_swap_if(bool is_odd, __u16 value)
{
	return is_odd ? (__u16)(value << 8 | value >> 8) : value;
}

/* at: of the option in the packet. */
static __always_inline void nat_lower_mss(struct __sk_buff *skb, __u32 l4_at, __u32 at, __u16 mss_max)
{
	__be16 old, new = bpf_htons(mss_max);
	if (bpf_skb_load_bytes(skb, at + 2, &old, sizeof(old)) < 0 || bpf_ntohs(old) <= mss_max)
		return;
	/* In the sum an odd place is the other half of a word. */
	bool is_odd = (at - l4_at) & 1;
	if (bpf_skb_store_bytes(skb, at + 2, &new, sizeof(new), 0) == 0)
		bpf_l4_csum_replace(skb, l4_at + offsetof(struct tcphdr, check), nat_swap_if(is_odd, old),
				    nat_swap_if(is_odd, new), sizeof(new));
}

/*
 * Does nothing to a packet whose options make no sense. header_bytes: of TCP. Returns 0; a function that the verifier
 * follows apart.
 */
__attribute__((noinline)) int nat_clamp_mss(struct __sk_buff *skb, __u32 l4_at, __u32 header_bytes, __u32 mss_max)
{
	__u32 at = l4_at + sizeof(struct tcphdr);
	__u32 end = l4_at + header_bytes;
	for (int i = 0; i < NAT_OPTIONS_MAX && at + NAT_MSS_BYTES <= end; i++) {
		__u8 option[2];
		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)) < 0 || option[0] == TCP_OPTION_END)
			return 0;
		if (option[0] == TCP_OPTION_NOTHING) {
			at++;
			continue;
		}
		if (option[0] == NAT_OPTION_MSS && option[1] == NAT_MSS_BYTES)
			nat_lower_mss(skb, l4_at, at, mss_max);
		if (option[0] == NAT_OPTION_MSS || option[1] < 2)
			return 0;
		at += option[1];
	}
	return 0;
}

/* What fits both interfaces; 0: not known. */
static __always_inline __u16 nat_mss_max(struct __sk_buff *skb, const struct flow_packet *packet, __u32 way_out)
{
	__u32 headers = (packet->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + sizeof(struct tcphdr);
	__u32 mtu_out = 0, mtu_in = 0;
	bpf_check_mtu(skb, way_out, &mtu_out, 0, 0);
	bpf_check_mtu(skb, skb->ifindex, &mtu_in, 0, 0);
	__u32 mtu = mtu_in != 0 && mtu_in < mtu_out ? mtu_in : mtu_out;
	return mtu > headers && mtu < 65536 ? mtu - headers : 0;
}

#endif
