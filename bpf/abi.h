/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the eBPF programs here and src/kernel/ have in common: classes of packets and the layouts of maps. Compiled as BPF
 * and as C; plain types only. Numbers are in host order where the name does not say _be16.
 */
#ifndef BPF_ABI_H
#define BPF_ABI_H

#include <linux/types.h>

/*
 * Why a packet is dropped before the system's network stack sees it, in the order of the counters; what is judged first
 * stands first, and a packet belongs to one class only. The words are labels in metrics and keys in the API.
 *
 * X(NAME, word, what it means)
 */
#define PACKET_CLASS_LIST(X)                                                                                           \
	X(IP_TRUNCATED, "ip_truncated", "the packet is shorter than an IP header")                                     \
	X(IP_VERSION, "ip_version", "the version in the IP header is not that of the protocol")                        \
	X(IP_HEADER_LENGTH, "ip_header_length",                                                                        \
	  "the IPv4 header says that it is shorter than 20 bytes, or longer than the packet")                          \
	X(IP_LENGTH, "ip_length", "the length in the IPv4 header is less than that of the header")                     \
	X(IP_BEYOND_FRAME, "ip_beyond_frame", "the length in the IP header is more than has come")                     \
	X(LAND, "land", "the source address is the destination address")                                               \
	X(SOURCE_LOOPBACK, "source_loopback", "the source is a loopback address, 127/8 or ::1")                        \
	X(SOURCE_MULTICAST, "source_multicast", "the source is a multicast address, 224/4 or ff00::/8")                \
	X(SOURCE_BROADCAST, "source_broadcast", "the source is the broadcast address 255.255.255.255")                 \
	X(SOURCE_RESERVED, "source_reserved", "the source is in 240/4, which is nobody's")                             \
	X(SOURCE_UNSPECIFIED, "source_unspecified",                                                                    \
	  "the source is in 0/8 or is ::, and the packet is not one that a host without an address sends")             \
	X(IPV6_ROUTING_HEADER, "ipv6_routing_header", "an IPv6 routing header of type 0, which RFC 5095 abolished")    \
	X(IPV6_EXTENSION_HEADERS, "ipv6_extension_headers", "more than eight IPv6 extension headers")                  \
	X(IPV6_EXTENSION_LENGTH, "ipv6_extension_length", "an IPv6 extension header that ends beyond the packet")      \
	X(BLOCKED, "blocked", "the source is blocked, and the packet is for a listen address")                         \
	X(FRAGMENT_TINY, "fragment_tiny", "a first fragment too small to hold the headers")                            \
	X(TCP_TRUNCATED, "tcp_truncated", "a TCP segment of less than 20 bytes")                                       \
	X(TCP_HEADER_LENGTH, "tcp_header_length",                                                                      \
	  "the TCP header says that it is shorter than 20 bytes, or longer than the segment")                          \
	X(UDP_TRUNCATED, "udp_truncated", "a UDP datagram of less than 8 bytes")                                       \
	X(UDP_LENGTH, "udp_length", "the length in the UDP header is less than 8, or more than has come")              \
	X(PORT_ZERO, "port_zero", "a TCP or UDP port is 0")                                                            \
	X(TCP_NO_FLAGS, "tcp_no_flags", "a TCP segment with none of the six flags")                                    \
	X(TCP_ALL_FLAGS, "tcp_all_flags", "a TCP segment with all of the six flags")                                   \
	X(TCP_SYN_FIN, "tcp_syn_fin", "a TCP segment that begins and ends a connection")                               \
	X(TCP_SYN_RST, "tcp_syn_rst", "a TCP segment that begins and resets a connection")                             \
	X(TCP_FIN_WITHOUT_ACK, "tcp_fin_without_ack", "a TCP segment that ends a connection and acknowledges nothing") \
	X(TCP_OPTION_LENGTH, "tcp_option_length", "a TCP option shorter than 2 bytes, or longer than its header")

enum packet_class {
	PACKET_PASSED,
#define PACKET_CLASS_ENUM(name, word, meaning) PACKET_##name,
	PACKET_CLASS_LIST(PACKET_CLASS_ENUM)
#undef PACKET_CLASS_ENUM
		PACKET_CLASS_COUNT
};

enum {
	PACKET_BLOCKS_MAX = 262144, /* of each family */
	PACKET_LISTENS_MAX = 8192,  /* addresses and ports, and addresses */
	PACKET_EXTENSIONS_MAX = 8,
};

/* Keys of the tables of blocks (BPF_MAP_TYPE_LPM_TRIE). */
struct packet_ipv4_network {
	__u32 prefix_bits;
	__u8 ip[4];
};

struct packet_ipv6_network {
	__u32 prefix_bits;
	__u8 ip[16];
};

struct packet_block {
	__u64 packets;     /* that were dropped because of it */
	__u32 prefix_bits; /* as in the key: a lookup may find a larger network */
	__u32 reserved;
};

/*
 * Key of the table of listen addresses, whose values mean nothing. An address is there with each of its ports, and once
 * with protocol and port 0; "all addresses" is the address 0 of the family.
 */
struct packet_listen {
	__u8 ip[16]; /* IPv4: the first four bytes, the others 0 */
	__be16 port_be16;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 version;  /* 4 or 6 */
};

/* What user space may change at any time. */
struct packet_settings {
	__u32 ipv4_blocks; /* how many there are: without any the table is not looked at */
	__u32 ipv6_blocks;
	__u32 has_only_listen; /* 1: only what is for listen addresses is judged at all */
};

#endif
