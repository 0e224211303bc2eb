/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tells what is wrong with a packet, if anything is. Reads the packet's headers and nothing else; keeps nothing. Compiled
 * as BPF for guard.bpf.c, and as C for tests, which hold both against each other.
 *
 * A cursor moves over the packet from header to header. A function that judges a header returns its class, and
 * PACKET_PASSED when the next one may be judged. packet_judge is all of it; BPF calls its four parts one by one, because
 * the kernel's verifier can follow each alone, but not all at once, and because blocks are looked up between them.
 *
 * Never judged: checksums (those of packets that this machine, or a virtual one on it, has sent are not complete), what
 * follows the IP packet in its frame, ICMP, and everything that is not IP.
 *
 * Whoever includes this has defined before: PACKET_SOURCE, the type of what headers are read from, and
 * int packet_load(PACKET_SOURCE *source, __u32 offset, void *ret_bytes, __u32 count), which copies bytes of the packet and
 * returns 0, or a negative number when they are not there.
 *
 * Sources: RFC 791 and 8200 (IP), 9293 (TCP), 768 (UDP), 1858 and 7112 (tiny fragments), 5095 (routing header type 0), 2675
 * (jumbograms), 6890 (special addresses), 2131 (DHCP), 3376 and 4541 (IGMP without an address).
 */
#ifndef BPF_PACKET_CLASS_H
#define BPF_PACKET_CLASS_H

#include "bpf/abi.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Not a class: bytes could not be read that the packet should have. What cannot be judged is not dropped. */
#define PACKET_UNREADABLE PACKET_CLASS_COUNT

struct packet {
	__u32 at;                /* the cursor: an offset in the source; at first behind the link layer's header */
	__u32 left;              /* bytes of the packet from the cursor on */
	__u32 ip_at;             /* of the IP header, when version is not 0 */
	__be16 protocol_be16;    /* what is at the cursor, at first: ETH_P_* */
	__be16 source_port_be16; /* when has_ports is set */
	__be16 dest_port_be16;
	__u8 version;       /* 4 or 6; 0: no IP, or less of it than its header */
	__u8 transport;     /* IPPROTO_* */
	__u8 has_no_source; /* the source is 0.0.0.0 or :: */
	__u8 is_fragment;   /* more of the packet follows in others */
	__u8 is_later;      /* a fragment that is not the first: it has no header but that of IP */
	__u8 has_ports;     /* they were there, and TCP or UDP is the transport */
};

enum {
	PACKET_VLAN_TAGS_MAX = 2, /* in the frame; one more may be in the packet's metadata */
	PACKET_VLAN_BYTES = 4,
	PACKET_PORTS_BYTES = 4,
	PACKET_LENGTH_MAX = 65535, /* that a length field can say */
	PACKET_FRAGMENT_MORE = 0x2000,
	PACKET_FRAGMENT_OFFSET = 0x1fff,
	PACKET_HIP = 139, /* not in all versions of linux/in6.h */
	PACKET_SHIM6 = 140,
	PACKET_MOBILITY = 135,

	PACKET_FIN = 0x01,
	PACKET_SYN = 0x02,
	PACKET_RST = 0x04,
	PACKET_ACK = 0x10,
	PACKET_SIX_FLAGS = 0x3f,
	PACKET_OPTIONS_MAX = 40,
	PACKET_OPTION_END = 0,
	PACKET_OPTION_NOTHING = 1,

	PACKET_DHCP_SERVER = 67,
	PACKET_DHCP_CLIENT = 68,
};

/*
 * In a loop: what is in *packet is read from memory again, of which the verifier knows nothing. Otherwise it would follow
 * every sum of lengths apart.
 */
#define PACKET_FORGET() __asm__ volatile("" ::: "memory")

static __always_inline void packet_advance(struct packet *packet, __u32 count)
{
	packet->at += count;
	packet->left -= count;
}

/* Jumbograms, and what the system has put together of many packets, are longer than the field can say: it is 0 then. */
static __always_inline __u32 packet_length(const struct packet *packet, __be16 field_be16)
{
	return field_be16 == 0 && packet->left > PACKET_LENGTH_MAX ? packet->left : bpf_ntohs(field_be16);
}

/* --- IPv4 -------------------------------------------------------------------------------------------------------- */

static __always_inline int packet_judge_ipv4_source(struct packet *packet, const struct iphdr *ip)
{
	__u32 source = bpf_ntohl(ip->saddr);
	__u8 first = source >> 24;
	if (ip->saddr == ip->daddr)
		return PACKET_LAND;
	if (first == 127)
		return PACKET_SOURCE_LOOPBACK;
	if (first >= 224 && first < 240)
		return PACKET_SOURCE_MULTICAST;
	if (source == 0xffffffff)
		return PACKET_SOURCE_BROADCAST;
	if (first >= 240)
		return PACKET_SOURCE_RESERVED;
	if (first == 0 && source != 0)
		return PACKET_SOURCE_UNSPECIFIED;
	packet->has_no_source = source == 0;
	return PACKET_PASSED;
}

/* Moves the cursor behind the header. */
static __always_inline int packet_judge_ipv4(struct packet *packet, PACKET_SOURCE *source)
{
	struct iphdr ip;
	if (packet->left < sizeof(ip))
		return PACKET_IP_TRUNCATED;
	if (packet_load(source, packet->at, &ip, sizeof(ip)) < 0)
		return PACKET_UNREADABLE;
	packet->ip_at = packet->at;
	packet->version = 4;
	packet->transport = ip.protocol;
	if (ip.version != 4)
		return PACKET_IP_VERSION;
	__u32 header_bytes = ip.ihl * 4;
	__u32 ip_bytes = packet_length(packet, ip.tot_len);
	if (header_bytes < sizeof(ip) || header_bytes > packet->left)
		return PACKET_IP_HEADER_LENGTH;
	if (ip_bytes < header_bytes)
		return PACKET_IP_LENGTH;
	if (ip_bytes > packet->left)
		return PACKET_IP_BEYOND_FRAME;
	packet->is_fragment = (bpf_ntohs(ip.frag_off) & PACKET_FRAGMENT_MORE) != 0;
	packet->is_later = (bpf_ntohs(ip.frag_off) & PACKET_FRAGMENT_OFFSET) != 0;
	packet->left = ip_bytes;
	packet_advance(packet, header_bytes);
	return packet_judge_ipv4_source(packet, &ip);
}

/* --- IPv6 -------------------------------------------------------------------------------------------------------- */

static __always_inline int packet_judge_ipv6_source(struct packet *packet, const struct ipv6hdr *ip)
{
	const __be32 *source = ip->saddr.in6_u.u6_addr32;
	const __be32 *dest = ip->daddr.in6_u.u6_addr32;
	if (source[0] == dest[0] && source[1] == dest[1] && source[2] == dest[2] && source[3] == dest[3])
		return PACKET_LAND;
	if (ip->saddr.in6_u.u6_addr8[0] == 0xff)
		return PACKET_SOURCE_MULTICAST;
	if (source[0] != 0 || source[1] != 0 || source[2] != 0)
		return PACKET_PASSED;
	if (source[3] == bpf_htonl(1))
		return PACKET_SOURCE_LOOPBACK;
	packet->has_no_source = source[3] == 0;
	return PACKET_PASSED;
}

/* Moves the cursor behind the header. */
static __always_inline int packet_judge_ipv6(struct packet *packet, PACKET_SOURCE *source)
{
	struct ipv6hdr ip;
	if (packet->left < sizeof(ip))
		return PACKET_IP_TRUNCATED;
	if (packet_load(source, packet->at, &ip, sizeof(ip)) < 0)
		return PACKET_UNREADABLE;
	packet->ip_at = packet->at;
	packet->version = 6;
	packet->transport = ip.nexthdr;
	if (ip.version != 6)
		return PACKET_IP_VERSION;
	packet_advance(packet, sizeof(ip));
	__u32 payload_bytes = packet_length(packet, ip.payload_len);
	if (payload_bytes > packet->left)
		return PACKET_IP_BEYOND_FRAME;
	packet->left = payload_bytes;
	return packet_judge_ipv6_source(packet, &ip);
}

/* A header is not whole: which of both it is depends on whether more of the packet follows in other fragments. */
static __always_inline int packet_cut_class(const struct packet *packet, int whole_class)
{
	return packet->is_fragment ? PACKET_FRAGMENT_TINY : whole_class;
}

static __always_inline bool packet_is_at_extension(const struct packet *packet)
{
	switch (packet->transport) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case PACKET_MOBILITY:
	case PACKET_HIP:
	case PACKET_SHIM6:
		return !packet->is_later;
	default:
		return false;
	}
}

/* The beginning that all extension headers have, the fragment header included. */
struct packet_extension {
	__u8 next;
	__u8 length; /* in units that depend on the header */
	union {
		__u8 routing_type;
		__be16 fragment_be16; /* offset in bytes, and 1 when more follow */
	};
};

/* Judges the extension header at the cursor, which packet->transport tells, and moves the cursor behind it. */
static __always_inline int packet_judge_extension(struct packet *packet, PACKET_SOURCE *source)
{
	enum { SHORTEST_BYTES = 8 };
	struct packet_extension header;
	if (packet->left < SHORTEST_BYTES)
		return packet_cut_class(packet, PACKET_IPV6_EXTENSION_LENGTH);
	if (packet_load(source, packet->at, &header, sizeof(header)) < 0)
		return PACKET_UNREADABLE;
	__u32 header_bytes = (header.length + 1) * 8;
	if (packet->transport == IPPROTO_ROUTING && header.routing_type == 0)
		return PACKET_IPV6_ROUTING_HEADER;
	if (packet->transport == IPPROTO_AH)
		header_bytes = (header.length + 2) * 4;
	if (packet->transport == IPPROTO_FRAGMENT) {
		header_bytes = SHORTEST_BYTES;
		packet->is_fragment = bpf_ntohs(header.fragment_be16) & 1;
		packet->is_later = (bpf_ntohs(header.fragment_be16) & ~7) != 0;
	}
	if (header_bytes > packet->left)
		return packet_cut_class(packet, PACKET_IPV6_EXTENSION_LENGTH);
	packet->transport = header.next;
	packet_advance(packet, header_bytes);
	return PACKET_PASSED;
}

/* --- transport --------------------------------------------------------------------------------------------------- */

/* A host that has no address yet asks for one, asks whether it may have it, and says which groups it is in. */
static __always_inline bool packet_may_have_no_source(const struct packet *packet)
{
	bool is_dhcp = packet->transport == IPPROTO_UDP && packet->has_ports &&
		       packet->source_port_be16 == bpf_htons(PACKET_DHCP_CLIENT) &&
		       packet->dest_port_be16 == bpf_htons(PACKET_DHCP_SERVER);
	if (packet->version == 6)
		return packet->transport == IPPROTO_ICMPV6;
	return packet->transport == IPPROTO_IGMP || is_dhcp;
}

/* The cursor is at the first option, and `left` is what the header has for them. */
static __always_inline int packet_judge_tcp_options(struct packet *packet, PACKET_SOURCE *source)
{
	for (int i = 0; i < PACKET_OPTIONS_MAX && packet->left > 0; i++) {
		struct {
			__u8 kind;
			__u8 length;
		} option = { 0 };
		PACKET_FORGET();
		/* The last byte may be an option of its own. */
		if (packet_load(source, packet->at, &option, packet->left > 1 ? sizeof(option) : 1) < 0)
			return PACKET_UNREADABLE;
		if (option.kind == PACKET_OPTION_END)
			break;
		if (option.kind == PACKET_OPTION_NOTHING)
			option.length = 1;
		else if (option.length < sizeof(option) || option.length > packet->left)
			return PACKET_TCP_OPTION_LENGTH;
		packet_advance(packet, option.length);
	}
	return PACKET_PASSED;
}

static __always_inline int packet_judge_tcp_flags(__u8 flags)
{
	if ((flags & PACKET_SIX_FLAGS) == 0)
		return PACKET_TCP_NO_FLAGS;
	if ((flags & PACKET_SIX_FLAGS) == PACKET_SIX_FLAGS)
		return PACKET_TCP_ALL_FLAGS;
	if ((flags & (PACKET_SYN | PACKET_FIN)) == (PACKET_SYN | PACKET_FIN))
		return PACKET_TCP_SYN_FIN;
	if ((flags & (PACKET_SYN | PACKET_RST)) == (PACKET_SYN | PACKET_RST))
		return PACKET_TCP_SYN_RST;
	if ((flags & (PACKET_FIN | PACKET_ACK)) == PACKET_FIN)
		return PACKET_TCP_FIN_WITHOUT_ACK;
	return PACKET_PASSED;
}

static __always_inline int packet_judge_tcp(struct packet *packet, PACKET_SOURCE *source)
{
	struct tcphdr tcp;
	if (packet->left < sizeof(tcp))
		return packet_cut_class(packet, PACKET_TCP_TRUNCATED);
	if (packet_load(source, packet->at, &tcp, sizeof(tcp)) < 0)
		return PACKET_UNREADABLE;
	__u32 header_bytes = tcp.doff * 4;
	if (header_bytes < sizeof(tcp))
		return PACKET_TCP_HEADER_LENGTH;
	if (header_bytes > packet->left)
		return packet_cut_class(packet, PACKET_TCP_HEADER_LENGTH);
	if (tcp.source == 0 || tcp.dest == 0)
		return PACKET_PORT_ZERO;
	int class = packet_judge_tcp_flags(((const __u8 *)&tcp)[13]);
	packet->left = header_bytes;
	packet_advance(packet, sizeof(tcp));
	return class != PACKET_PASSED ? class : packet_judge_tcp_options(packet, source);
}

static __always_inline int packet_judge_udp(const struct packet *packet, PACKET_SOURCE *source)
{
	struct udphdr udp;
	if (packet->left < sizeof(udp))
		return packet_cut_class(packet, PACKET_UDP_TRUNCATED);
	if (packet_load(source, packet->at, &udp, sizeof(udp)) < 0)
		return PACKET_UNREADABLE;
	__u32 udp_bytes = packet_length(packet, udp.len);
	if (udp_bytes < sizeof(udp) || (udp_bytes > packet->left && !packet->is_fragment))
		return PACKET_UDP_LENGTH;
	if (udp.source == 0 || udp.dest == 0)
		return PACKET_PORT_ZERO;
	return PACKET_PASSED;
}

/* --- the four parts, and all ------------------------------------------------------------------------------------- */

/* Tags of virtual networks, and the IP header. Only of IP packets the version is set then. */
static __always_inline int packet_judge_network(struct packet *packet, PACKET_SOURCE *source)
{
	for (int i = 0; i < PACKET_VLAN_TAGS_MAX; i++) {
		__be16 tag_be16[2]; /* the network's number, and the protocol behind it */
		if (packet->protocol_be16 != bpf_htons(ETH_P_8021Q) && packet->protocol_be16 != bpf_htons(ETH_P_8021AD))
			break;
		if (packet->left < PACKET_VLAN_BYTES)
			return PACKET_PASSED;
		if (packet_load(source, packet->at, tag_be16, PACKET_VLAN_BYTES) < 0)
			return PACKET_UNREADABLE;
		packet->protocol_be16 = tag_be16[1];
		packet_advance(packet, PACKET_VLAN_BYTES);
	}
	if (packet->protocol_be16 == bpf_htons(ETH_P_IP))
		return packet_judge_ipv4(packet, source);
	if (packet->protocol_be16 == bpf_htons(ETH_P_IPV6))
		return packet_judge_ipv6(packet, source);
	return PACKET_PASSED;
}

/* Leaves the cursor at the header of the transport, or, in a later fragment, behind the fragment header. */
static __always_inline int packet_judge_extensions(struct packet *packet, PACKET_SOURCE *source)
{
	for (int i = 0; i < PACKET_EXTENSIONS_MAX && packet_is_at_extension(packet); i++) {
		PACKET_FORGET();
		int class = packet_judge_extension(packet, source);
		if (class != PACKET_PASSED)
			return class;
	}
	return packet_is_at_extension(packet) ? PACKET_IPV6_EXTENSION_HEADERS : PACKET_PASSED;
}

/*
 * Reads the ports of TCP and UDP, also of a header that is not whole, so that it is known whom the packet was for; and
 * judges sources that are no address, because who may have none depends on the ports.
 */
static __always_inline int packet_judge_ports(struct packet *packet, PACKET_SOURCE *source)
{
	bool has_header = (packet->transport == IPPROTO_TCP || packet->transport == IPPROTO_UDP) && !packet->is_later;
	if (has_header && packet->left >= PACKET_PORTS_BYTES) {
		__be16 ports_be16[2];
		if (packet_load(source, packet->at, ports_be16, PACKET_PORTS_BYTES) < 0)
			return PACKET_UNREADABLE;
		packet->source_port_be16 = ports_be16[0];
		packet->dest_port_be16 = ports_be16[1];
		packet->has_ports = true;
	}
	return packet->has_no_source && !packet_may_have_no_source(packet) ? PACKET_SOURCE_UNSPECIFIED : PACKET_PASSED;
}

static __always_inline int packet_judge_transport(struct packet *packet, PACKET_SOURCE *source)
{
	if (packet->is_later)
		return PACKET_PASSED;
	if (packet->transport == IPPROTO_TCP)
		return packet_judge_tcp(packet, source);
	return packet->transport == IPPROTO_UDP ? packet_judge_udp(packet, source) : PACKET_PASSED;
}

/* Returns a class, PACKET_PASSED, or PACKET_UNREADABLE. packet: at, left and protocol_be16 are set, all else is zero. */
static __always_inline int packet_judge(struct packet *packet, PACKET_SOURCE *source)
{
	int class = packet_judge_network(packet, source);
	if (class == PACKET_PASSED && packet->version == 6)
		class = packet_judge_extensions(packet, source);
	if (class == PACKET_PASSED && packet->version != 0)
		class = packet_judge_ports(packet, source);
	if (class == PACKET_PASSED && packet->version != 0)
		class = packet_judge_transport(packet, source);
	return class;
}

#endif
