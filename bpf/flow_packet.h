/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads a packet for the flow program: whose it is, and where its headers are. Only what most packets are made of is read:
 * Ethernet, IPv4 or IPv6, TCP or UDP. A packet of a flow that has something besides, which the program leaves to the
 * stack, has an obstacle; what cannot be told to belong to a flow, such as a later fragment, is not read at all.
 *
 * Tags of virtual networks are in a packet's metadata at this hook (Linux takes them out of the frame before). Such a packet
 * comes a second time, without tag, by the interface of the virtual network, and is read then.
 */
#ifndef BPF_FLOW_PACKET_H
#define BPF_FLOW_PACKET_H

#include "bpf/flow_abi.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

enum flow_packet_result { FLOW_PACKET_READ, FLOW_PACKET_ICMP, FLOW_PACKET_UNKNOWN };

enum {
	FLOW_IP_FRAGMENT_BITS = 0x3fff, /* more follow, or an offset */
	FLOW_IP_OFFSET_BITS = 0x1fff,
};

struct flow_packet {
	__u32 l4_at;         /* of the TCP or UDP header in the packet */
	__u32 ip_bytes;      /* of the whole IP packet */
	__u32 payload_bytes; /* behind TCP or UDP header; of all segments of a super-packet */
	__u32 obstacle;      /* enum flow_count, with has_obstacle */
	__u8 has_obstacle;
	__u8 version; /* 4 or 6 */
	__u8 protocol;
	/* Of TCP. */
	__u8 tcp_header_bytes;
	__u8 tcp_flags;
	__u32 tcp_seq; /* of the first byte of payload, as if a SYN were none */
	__u32 tcp_ack;
};

static __always_inline void flow_packet_set_obstacle(struct flow_packet *packet, __u32 obstacle)
{
	if (!packet->has_obstacle)
		packet->obstacle = obstacle;
	packet->has_obstacle = true;
}

/*
 * The packet's bytes that can be read directly, from here to there. Both are 32 bits wide in struct __sk_buff, and the kernel
 * makes pointers of them when they are loaded; the compiler, which does not know, would copy their lower halves.
 */
static __always_inline void *flow_data(struct __sk_buff *skb)
{
	void *data;
	__asm__ volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(data) : "r"(skb), "i"(offsetof(struct __sk_buff, data)));
	return data;
}

static __always_inline void *flow_data_end(struct __sk_buff *skb)
{
	void *end;
	__asm__ volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(end) : "r"(skb), "i"(offsetof(struct __sk_buff, data_end)));
	return end;
}

/*
 * Headers have to be where they can be read directly; mostly they are, and no byte more: a packet of this machine has its
 * payload elsewhere, and to fetch some of that costs more than all that is done here.
 */
static __always_inline void flow_packet_pull(struct __sk_buff *skb, __u32 bytes)
{
	if (flow_data(skb) + bytes > flow_data_end(skb))
		bpf_skb_pull_data(skb, bytes);
}

/* Lengths that a super-packet of more than 64 KiB has are 0 in its header. */
static __always_inline __u32 flow_packet_length(struct __sk_buff *skb, __u32 from_header)
{
	return from_header != 0 ? from_header : skb->len - ETH_HLEN;
}

static __always_inline bool flow_packet_read_ipv4(struct __sk_buff *skb, struct flow_packet *packet,
						  struct flow_key *key)
{
	flow_packet_pull(skb, ETH_HLEN + sizeof(struct iphdr));
	void *data = flow_data(skb);
	struct iphdr *ip = data + ETH_HLEN;
	if ((void *)(ip + 1) > flow_data_end(skb))
		return false;
	if (ip->version != 4 || ip->ihl < 5 || (ip->frag_off & bpf_htons(FLOW_IP_OFFSET_BITS)) != 0)
		return false;
	packet->version = 4;
	packet->protocol = ip->protocol;
	packet->ip_bytes = flow_packet_length(skb, bpf_ntohs(ip->tot_len));
	packet->l4_at = ETH_HLEN + ip->ihl * 4;
	if (ip->frag_off & bpf_htons(FLOW_IP_FRAGMENT_BITS))
		flow_packet_set_obstacle(packet, FLOW_COUNT_FRAGMENT);
	if (ip->ihl != 5)
		flow_packet_set_obstacle(packet, FLOW_COUNT_OPTIONS);
	if (ip->ttl <= 1)
		flow_packet_set_obstacle(packet, FLOW_COUNT_LIFETIME);
	__builtin_memcpy(key->source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(key->dest, &ip->daddr, sizeof(ip->daddr));
	return true;
}

static __always_inline bool flow_packet_read_ipv6(struct __sk_buff *skb, struct flow_packet *packet,
						  struct flow_key *key)
{
	flow_packet_pull(skb, ETH_HLEN + sizeof(struct ipv6hdr));
	void *data = flow_data(skb);
	struct ipv6hdr *ip = data + ETH_HLEN;
	if ((void *)(ip + 1) > flow_data_end(skb))
		return false;
	if (ip->version != 6)
		return false;
	packet->version = 6;
	packet->protocol = ip->nexthdr;
	packet->ip_bytes =
		bpf_ntohs(ip->payload_len) != 0 ? bpf_ntohs(ip->payload_len) + sizeof(*ip) : skb->len - ETH_HLEN;
	packet->l4_at = ETH_HLEN + sizeof(*ip);
	if (ip->hop_limit <= 1)
		flow_packet_set_obstacle(packet, FLOW_COUNT_LIFETIME);
	__builtin_memcpy(key->source, &ip->saddr, sizeof(ip->saddr));
	__builtin_memcpy(key->dest, &ip->daddr, sizeof(ip->daddr));
	return true;
}

static __always_inline bool flow_packet_read_ports(struct __sk_buff *skb, struct flow_packet *packet,
						   struct flow_key *key)
{
	__u32 at = packet->l4_at;
	if (at > ETH_HLEN + 60)
		return false;
	flow_packet_pull(skb, at + (packet->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr)));
	void *data = flow_data(skb);
	struct tcphdr *tcp = data + at;
	struct udphdr *udp = data + at;
	__u32 header_bytes = sizeof(*udp);
	if ((void *)(udp + 1) > flow_data_end(skb))
		return false;
	key->source_port_be16 = udp->source;
	key->dest_port_be16 = udp->dest;
	if (packet->protocol == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > flow_data_end(skb))
			return false;
		packet->tcp_header_bytes = tcp->doff * 4;
		packet->tcp_flags = ((const __u8 *)tcp)[13];
		packet->tcp_seq = bpf_ntohl(tcp->seq) + tcp->syn;
		packet->tcp_ack = bpf_ntohl(tcp->ack_seq);
		header_bytes = packet->tcp_header_bytes;
	}
	__u32 before = at - ETH_HLEN + header_bytes;
	packet->payload_bytes = packet->ip_bytes > before ? packet->ip_bytes - before : 0;
	return true;
}

/*
 * *packet and *key are zero before. Returns enum flow_packet_result. Not static, so that the kernel verifies it by itself, and
 * what comes after it once, not for each kind of packet; without that, loading the program takes half as long again.
 */
__attribute__((noinline)) int flow_packet_read(struct __sk_buff *skb, struct flow_packet *packet, struct flow_key *key)
{
	bool is_read = false;
	if (packet == NULL || key == NULL)
		return FLOW_PACKET_UNKNOWN;
	if (skb->vlan_present)
		return FLOW_PACKET_UNKNOWN;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		is_read = flow_packet_read_ipv4(skb, packet, key);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		is_read = flow_packet_read_ipv6(skb, packet, key);
	if (is_read && packet->protocol == (packet->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return FLOW_PACKET_ICMP;
	if (!is_read || (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP))
		return FLOW_PACKET_UNKNOWN;
	if (!flow_packet_read_ports(skb, packet, key))
		return FLOW_PACKET_UNKNOWN;
	key->protocol = packet->protocol;
	key->version = packet->version;
	return FLOW_PACKET_READ;
}

#endif
