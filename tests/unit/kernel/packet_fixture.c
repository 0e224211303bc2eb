/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/packet_fixture.h"

#include "kernel/packet_guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	URG = 0x20,
	ECE = 0x40,
	CWR = 0x80,
	NO_FLAGS = 0x200,

	MORE = 0x2000, /* fragments */

	NO_PORT = 0x10000,
	EXTENSIONS_MAX = 10,
	TAGS_MAX = 3,

	VLAN = 0x8100,
	SERVICE_VLAN = 0x88a8,

	HOP_BY_HOP = 0,
	ICMP = 1,
	IGMP = 2,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	ESP = 50,
	AH = 51,
	ICMP6 = 58,
	NOTHING = 59,
	DEST_OPTIONS = 60,
	SCTP = 132,
	MOBILITY = 135,
};

struct text {
	const char *data;
	size_t len;
};

#define BYTES(literal)                                                                                                 \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
#define TIMESTAMPS BYTES("\1\1\x8\xa\0\0\0\1\0\0\0\2")

/* Of an IPv6 header; all but its first bytes are 0. */
struct extension {
	uint8_t kind;
	uint8_t length;     /* the field */
	uint16_t third;     /* what the third and fourth byte hold */
	uint8_t bytes;      /* that are there; 0: as many as the field says */
	uint8_t is_present; /* set by the macros */
};

#define EXTENSION(kind)                                                                                                \
	{                                                                                                              \
		kind, 0, 0, 0, 1                                                                                       \
	}
#define OPTIONS_FOR(kind, length)                                                                                      \
	{                                                                                                              \
		kind, length, 0, 0, 1                                                                                  \
	}
#define ROUTE(type)                                                                                                    \
	{                                                                                                              \
		ROUTING, 0, (type) << 8, 0, 1                                                                          \
	}
#define FRAGMENT_OF(offset, is_more)                                                                                   \
	{                                                                                                              \
		FRAGMENT, 0, (offset) | (is_more), 0, 1                                                                \
	}

/* What a frame is made of. 0 everywhere is the usual; a packet of version 0 is nothing but its payload. */
struct recipe {
	enum packet_class class;
	const char *name;
	int tags[TAGS_MAX]; /* of virtual networks: their ethertypes */
	int ethertype;
	int version;
	int transport;
	const char *source;
	const char *dest;
	int version_field; /* what is not as it should be */
	int header_field;  /* of IPv4, in units of 4 bytes */
	int more_length;   /* added to the length field of IP */
	int fragment;      /* flags and offset of IPv4 */
	struct text ip_options;
	struct extension extensions[EXTENSIONS_MAX];
	int source_port;
	int dest_port;
	int flags;
	int tcp_header_field; /* in units of 4 bytes */
	struct text tcp_options;
	int more_udp_length;
	struct text payload;
	int payload_bytes; /* of zeros, after the payload */
	int cut;           /* bytes taken away at the end, of which the headers know nothing */
	int pad;           /* bytes added at the end likewise */
};

#define V4_TCP .version = 4, .transport = TCP
#define V4_UDP .version = 4, .transport = UDP
#define V6_TCP .version = 6, .transport = TCP
#define V6_UDP .version = 6, .transport = UDP

/* clang-format off: a table is read by its columns */
static const struct recipe recipes[] = {
	/* TCP that passes */
	{ PACKET_PASSED, "syn", V4_TCP, .flags = SYN,
	  .tcp_options = BYTES("\2\4\5\xb4\4\2\x8\xa\0\0\0\1\0\0\0\0\1\3\3\7") },
	{ PACKET_PASSED, "syn_without_options", V4_TCP, .flags = SYN },
	{ PACKET_PASSED, "syn_with_data", V4_TCP, .flags = SYN, .payload_bytes = 100 },
	{ PACKET_PASSED, "syn_with_ecn", V4_TCP, .flags = SYN | ECE | CWR },
	{ PACKET_PASSED, "syn_ack", V4_TCP, .flags = SYN | ACK },
	{ PACKET_PASSED, "ack", V4_TCP, .flags = ACK, .tcp_options = TIMESTAMPS },
	{ PACKET_PASSED, "ack_with_ecn", V4_TCP, .flags = ACK | ECE | CWR },
	{ PACKET_PASSED, "data", V4_TCP, .flags = ACK | PSH, .payload_bytes = 1400 },
	{ PACKET_PASSED, "urgent", V4_TCP, .flags = ACK | URG, .payload_bytes = 1 },
	{ PACKET_PASSED, "fin_ack", V4_TCP, .flags = FIN | ACK },
	{ PACKET_PASSED, "fin_psh_ack_urg", V4_TCP, .flags = FIN | PSH | ACK | URG },
	{ PACKET_PASSED, "rst", V4_TCP, .flags = RST },
	{ PACKET_PASSED, "rst_ack", V4_TCP, .flags = RST | ACK },
	{ PACKET_PASSED, "rst_fin_ack", V4_TCP, .flags = RST | FIN | ACK },
	{ PACKET_PASSED, "longest_tcp_header", V4_TCP, .flags = ACK,
	  .tcp_options = BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1") },
	{ PACKET_PASSED, "one_long_tcp_option", V4_TCP, .flags = ACK,
	  .tcp_options =
		  BYTES("\xfd\x28\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ PACKET_PASSED, "nothing_counts_after_the_last_option", V4_TCP, .flags = ACK,
	  .tcp_options = BYTES("\1\0\3\0\xff\xff\xff\xff") },
	{ PACKET_PASSED, "selective_acknowledgement", V4_TCP, .flags = ACK,
	  .tcp_options = BYTES("\1\1\5\xa\0\0\0\1\0\0\0\2") },
	{ PACKET_PASSED, "tcp_lowest_ports", V4_TCP, .flags = SYN, .source_port = 1, .dest_port = 1 },

	/* UDP that passes */
	{ PACKET_PASSED, "udp", V4_UDP, .payload = BYTES("hello") },
	{ PACKET_PASSED, "udp_empty", V4_UDP },
	{ PACKET_PASSED, "udp_long", V4_UDP, .payload_bytes = 1472 },
	{ PACKET_PASSED, "udp_shorter_than_its_packet", V4_UDP, .payload_bytes = 20, .more_udp_length = -10 },
	{ PACKET_PASSED, "udp_with_padding", V4_UDP, .payload = BYTES("x"), .pad = 17 },
	{ PACKET_PASSED, "udp_with_much_padding", V4_UDP, .payload = BYTES("x"), .pad = 1000 },
	{ PACKET_PASSED, "udp_to_a_group", V4_UDP, .dest = "224.0.0.251", .dest_port = 5353 },
	{ PACKET_PASSED, "udp_to_all", V4_UDP, .dest = "255.255.255.255" },
	{ PACKET_PASSED, "dhcp", V4_UDP, .source = "0.0.0.0", .dest = "255.255.255.255", .source_port = 68,
	  .dest_port = 67, .payload_bytes = 240 },
	{ PACKET_PASSED, "udp_over_ipv6", V6_UDP, .payload = BYTES("hello") },
	{ PACKET_PASSED, "udp_empty_over_ipv6", V6_UDP },

	/* other protocols, and what is not IP */
	{ PACKET_PASSED, "ping", .version = 4, .transport = ICMP, .payload = BYTES("\x8\0\0\0\0\1\0\1"),
	  .payload_bytes = 56 },
	{ PACKET_PASSED, "fragmentation_needed", .version = 4, .transport = ICMP,
	  .payload = BYTES(
		  "\3\4\0\0\0\0\5\x78\x45\0\5\xdc\0\1\x40\0\x40\6\0\0\xa\1\0\1\xa\1\0\2\x1f\x90\x9c\x40\0\0\0\1") },
	{ PACKET_PASSED, "icmp_cut_short", .version = 4, .transport = ICMP, .payload = BYTES("\x8") },
	{ PACKET_PASSED, "igmp", .version = 4, .transport = IGMP, .dest = "224.0.0.22",
	  .ip_options = BYTES("\x94\4\0\0"), .payload = BYTES("\x22\0\0\0\0\0\0\1\4\0\0\0\xe0\0\0\xfb") },
	{ PACKET_PASSED, "igmp_without_address", .version = 4, .transport = IGMP, .source = "0.0.0.0",
	  .dest = "224.0.0.1", .payload = BYTES("\x11\0\0\0\0\0\0\0") },
	{ PACKET_PASSED, "esp", .version = 4, .transport = ESP, .payload_bytes = 64 },
	{ PACKET_PASSED, "sctp", .version = 4, .transport = SCTP, .payload_bytes = 12 },
	{ PACKET_PASSED, "unknown_protocol", .version = 4, .transport = 253, .payload_bytes = 1 },
	{ PACKET_PASSED, "ipv4_without_payload", .version = 4, .transport = 253 },
	{ PACKET_PASSED, "arp", .ethertype = 0x0806,
	  .payload = BYTES("\0\1\x8\0\6\4\0\1\2\0\0\0\0\2\xa\1\0\2\0\0\0\0\0\0\xa\1\0\1") },
	{ PACKET_PASSED, "lldp", .ethertype = 0x88cc, .payload_bytes = 46 },
	{ PACKET_PASSED, "length_in_place_of_a_protocol", .ethertype = 46, .payload_bytes = 46 },

	/* IPv4 headers that pass */
	{ PACKET_PASSED, "ipv4_options", V4_TCP, .flags = ACK, .ip_options = BYTES("\x94\4\0\0") },
	{ PACKET_PASSED, "longest_ipv4_header", V4_UDP,
	  .ip_options = BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1") },
	{ PACKET_PASSED, "do_not_fragment", V4_TCP, .flags = ACK, .fragment = 0x4000 },
	{ PACKET_PASSED, "tcp_with_padding", V4_TCP, .flags = ACK, .pad = 6 },
	{ PACKET_PASSED, "source_1", V4_UDP, .source = "1.0.0.1" },
	{ PACKET_PASSED, "source_126", V4_UDP, .source = "126.255.255.255" },
	{ PACKET_PASSED, "source_128", V4_UDP, .source = "128.0.0.0" },
	{ PACKET_PASSED, "source_223", V4_UDP, .source = "223.255.255.255" },
	{ PACKET_PASSED, "first_fragment_tcp", V4_TCP, .flags = ACK, .fragment = MORE, .tcp_options = TIMESTAMPS },
	{ PACKET_PASSED, "first_fragment_udp", V4_UDP, .fragment = MORE, .payload_bytes = 8, .more_udp_length = 1000 },
	{ PACKET_PASSED, "middle_fragment_tcp", V4_TCP, .flags = ACK, .fragment = MORE | 185 },
	{ PACKET_PASSED, "last_fragment_udp", V4_UDP, .fragment = 185, .payload_bytes = 1 },
	{ PACKET_PASSED, "last_fragment_of_one_byte", .version = 4, .transport = 254, .fragment = 185,
	  .payload_bytes = 1 },

	/* virtual networks */
	{ PACKET_PASSED, "tag", V4_TCP, .flags = SYN, .tags = { VLAN } },
	{ PACKET_PASSED, "two_tags", V4_TCP, .flags = SYN, .tags = { SERVICE_VLAN, VLAN } },
	{ PACKET_PASSED, "tag_over_ipv6", V6_TCP, .flags = SYN, .tags = { VLAN } },
	{ PACKET_PASSED, "tag_of_nothing", .ethertype = VLAN, .payload = BYTES("\0\1") },
	{ PACKET_TCP_SYN_FIN, "behind_a_tag", V4_TCP, .flags = SYN | FIN, .tags = { VLAN } },
	{ PACKET_LAND, "behind_two_tags", V6_TCP, .flags = SYN, .tags = { SERVICE_VLAN, VLAN }, .source = "fd01::1" },

	/* IPv6 that passes */
	{ PACKET_PASSED, "syn_over_ipv6", V6_TCP, .flags = SYN, .tcp_options = BYTES("\2\4\5\xa0") },
	{ PACKET_PASSED, "ack_over_ipv6_with_padding", V6_TCP, .flags = ACK, .pad = 12 },
	{ PACKET_PASSED, "ping_over_ipv6", .version = 6, .transport = ICMP6, .payload = BYTES("\x80\0\0\0\0\1\0\1") },
	{ PACKET_PASSED, "packet_too_big", .version = 6, .transport = ICMP6, .payload = BYTES("\2\0\0\0\0\0\5\x78"),
	  .payload_bytes = 100 },
	{ PACKET_PASSED, "neighbour_solicitation", .version = 6, .transport = ICMP6, .dest = "ff02::1:ff00:1",
	  .payload = BYTES("\x87\0\0\0\0\0\0\0\xfd\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1") },
	{ PACKET_PASSED, "duplicate_address_detection", .version = 6, .transport = ICMP6, .source = "::",
	  .dest = "ff02::1:ff00:2", .payload = BYTES("\x87\0\0\0\0\0\0\0\xfd\1\0\0\0\0\0\0\0\0\0\0\0\0\0\2") },
	{ PACKET_PASSED, "groups_of_a_host_without_address", .version = 6, .transport = ICMP6, .source = "::",
	  .dest = "ff02::16", .extensions = { EXTENSION(HOP_BY_HOP) }, .payload = BYTES("\x8f\0\0\0\0\0\0\0") },
	{ PACKET_PASSED, "dhcp_over_ipv6", V6_UDP, .source = "fe80::2", .dest = "ff02::1:2", .source_port = 546,
	  .dest_port = 547, .payload_bytes = 40 },
	{ PACKET_PASSED, "no_next_header", .version = 6, .transport = NOTHING },
	{ PACKET_PASSED, "no_next_header_and_bytes", .version = 6, .transport = NOTHING, .payload_bytes = 8 },
	{ PACKET_PASSED, "esp_over_ipv6", .version = 6, .transport = ESP, .payload_bytes = 64 },
	{ PACKET_PASSED, "hop_by_hop", V6_TCP, .flags = SYN, .extensions = { EXTENSION(HOP_BY_HOP) } },
	{ PACKET_PASSED, "long_extension", V6_UDP, .extensions = { OPTIONS_FOR(DEST_OPTIONS, 30) } },
	{ PACKET_PASSED, "authentication", V6_TCP, .flags = ACK, .extensions = { { AH, 4, 0, 24, 1 } } },
	{ PACKET_PASSED, "segment_routing", V6_TCP, .flags = ACK, .extensions = { ROUTE(4) } },
	{ PACKET_PASSED, "mobile_routing", V6_TCP, .flags = ACK, .extensions = { ROUTE(2) } },
	{ PACKET_PASSED, "eight_extensions", V6_TCP, .flags = SYN,
	  .extensions = { EXTENSION(HOP_BY_HOP), EXTENSION(DEST_OPTIONS), ROUTE(4), EXTENSION(DEST_OPTIONS),
			  EXTENSION(DEST_OPTIONS), EXTENSION(MOBILITY), FRAGMENT_OF(0, 0), EXTENSION(DEST_OPTIONS) } },
	{ PACKET_PASSED, "first_fragment_over_ipv6", V6_TCP, .flags = SYN, .extensions = { FRAGMENT_OF(0, 1) },
	  .payload_bytes = 4 },
	{ PACKET_PASSED, "last_fragment_over_ipv6", V6_TCP, .flags = ACK, .extensions = { FRAGMENT_OF(1448, 0) } },
	{ PACKET_PASSED, "last_fragment_of_one_byte_over_ipv6", .version = 6, .transport = UDP,
	  .extensions = { FRAGMENT_OF(1448, 0) }, .cut = 7, .more_length = -7 },
	{ PACKET_PASSED, "fragment_that_is_whole", V6_UDP, .extensions = { FRAGMENT_OF(0, 0) } },
	{ PACKET_PASSED, "later_fragment_of_extensions", .version = 6, .transport = DEST_OPTIONS,
	  .extensions = { FRAGMENT_OF(8, 1) }, .payload_bytes = 2 },

	/* IP headers */
	{ PACKET_IP_TRUNCATED, "ipv4_nothing", .ethertype = 0x0800 },
	{ PACKET_IP_TRUNCATED, "ipv4_19_bytes", V4_UDP, .cut = 9 },
	{ PACKET_IP_TRUNCATED, "ipv6_39_bytes", V6_UDP, .cut = 9 },
	{ PACKET_IP_VERSION, "ipv4_is_5", V4_UDP, .version_field = 5 },
	{ PACKET_IP_VERSION, "ipv4_is_6", V4_UDP, .version_field = 6 },
	{ PACKET_IP_VERSION, "ipv6_is_4", V6_UDP, .version_field = 4 },
	{ PACKET_IP_HEADER_LENGTH, "0", V4_UDP, .header_field = -1 },
	{ PACKET_IP_HEADER_LENGTH, "4", V4_TCP, .flags = SYN, .header_field = 4 },
	{ PACKET_IP_HEADER_LENGTH, "15_of_less", V4_UDP, .header_field = 15 },
	{ PACKET_IP_LENGTH, "less_than_the_header", V4_UDP, .more_length = -9 },
	{ PACKET_IP_LENGTH, "0", V4_UDP, .more_length = -28 },
	{ PACKET_IP_LENGTH, "less_than_a_long_header", V4_UDP, .ip_options = BYTES("\1\1\1\1"), .more_length = -12 },
	{ PACKET_IP_BEYOND_FRAME, "ipv4_by_one", V4_UDP, .more_length = 1 },
	{ PACKET_IP_BEYOND_FRAME, "ipv4_cut", V4_TCP, .flags = ACK, .payload_bytes = 100, .cut = 100 },
	{ PACKET_IP_BEYOND_FRAME, "ipv6_by_one", V6_UDP, .more_length = 1 },
	{ PACKET_IP_BEYOND_FRAME, "ipv6_cut", V6_TCP, .flags = ACK, .cut = 20 },

	/* addresses */
	{ PACKET_LAND, "tcp", V4_TCP, .flags = SYN, .source = "10.1.0.1", .source_port = 8080 },
	{ PACKET_LAND, "udp", V4_UDP, .source = "10.1.0.1" },
	{ PACKET_LAND, "ping", .version = 4, .transport = ICMP, .source = "10.1.0.1",
	  .payload = BYTES("\x8\0\0\0\0\1\0\1") },
	{ PACKET_LAND, "later_fragment", V4_UDP, .source = "10.1.0.1", .fragment = 185 },
	{ PACKET_LAND, "tcp_over_ipv6", V6_TCP, .flags = SYN, .source = "fd01::1" },
	{ PACKET_SOURCE_LOOPBACK, "first", V4_UDP, .source = "127.0.0.1" },
	{ PACKET_SOURCE_LOOPBACK, "last", V4_TCP, .flags = SYN, .source = "127.255.255.255" },
	{ PACKET_SOURCE_LOOPBACK, "over_ipv6", V6_UDP, .source = "::1" },
	{ PACKET_SOURCE_MULTICAST, "first", V4_UDP, .source = "224.0.0.1" },
	{ PACKET_SOURCE_MULTICAST, "last", V4_TCP, .flags = SYN, .source = "239.255.255.255" },
	{ PACKET_SOURCE_MULTICAST, "over_ipv6", V6_UDP, .source = "ff02::1" },
	{ PACKET_SOURCE_MULTICAST, "ping_over_ipv6", .version = 6, .transport = ICMP6, .source = "ff02::1",
	  .payload = BYTES("\x80\0\0\0\0\1\0\1") },
	{ PACKET_SOURCE_BROADCAST, "udp", V4_UDP, .source = "255.255.255.255" },
	{ PACKET_SOURCE_RESERVED, "first", V4_TCP, .flags = SYN, .source = "240.0.0.0" },
	{ PACKET_SOURCE_RESERVED, "last", V4_UDP, .source = "255.255.255.254" },
	{ PACKET_SOURCE_RESERVED, "later_fragment", V4_UDP, .source = "250.0.0.1", .fragment = 185 },
	{ PACKET_SOURCE_UNSPECIFIED, "udp", V4_UDP, .source = "0.0.0.0" },
	{ PACKET_SOURCE_UNSPECIFIED, "tcp_with_ports_of_dhcp", V4_TCP, .flags = SYN, .source = "0.0.0.0",
	  .source_port = 68, .dest_port = 67 },
	{ PACKET_SOURCE_UNSPECIFIED, "dhcp_of_a_server", V4_UDP, .source = "0.0.0.0", .source_port = 67,
	  .dest_port = 68 },
	{ PACKET_SOURCE_UNSPECIFIED, "ping", .version = 4, .transport = ICMP, .source = "0.0.0.0",
	  .payload = BYTES("\x8\0\0\0\0\1\0\1") },
	{ PACKET_SOURCE_UNSPECIFIED, "0_1_2_3_with_ports_of_dhcp", V4_UDP, .source = "0.1.2.3", .source_port = 68,
	  .dest_port = 67 },
	{ PACKET_SOURCE_UNSPECIFIED, "later_fragment", V4_UDP, .source = "0.0.0.0", .fragment = 185 },
	{ PACKET_SOURCE_UNSPECIFIED, "over_ipv6", V6_TCP, .flags = SYN, .source = "::" },
	{ PACKET_SOURCE_UNSPECIFIED, "over_ipv6_behind_extensions", V6_UDP,
	  .source = "::", .extensions = { EXTENSION(DEST_OPTIONS) } },

	/* IPv6 extension headers */
	{ PACKET_IPV6_ROUTING_HEADER, "tcp", V6_TCP, .flags = SYN, .extensions = { ROUTE(0) } },
	{ PACKET_IPV6_ROUTING_HEADER, "with_addresses", V6_UDP, .extensions = { { ROUTING, 2, 1, 0, 1 } } },
	{ PACKET_IPV6_ROUTING_HEADER, "behind_others", V6_UDP,
	  .extensions = { EXTENSION(HOP_BY_HOP), EXTENSION(DEST_OPTIONS), ROUTE(0) } },
	{ PACKET_IPV6_EXTENSION_HEADERS, "nine", V6_TCP, .flags = SYN,
	  .extensions = { EXTENSION(HOP_BY_HOP), EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS),
			  EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS),
			  EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS) } },
	{ PACKET_IPV6_EXTENSION_HEADERS, "nine_and_no_more_bytes", .version = 6, .transport = DEST_OPTIONS,
	  .extensions = { EXTENSION(HOP_BY_HOP), EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS),
			  EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS),
			  EXTENSION(DEST_OPTIONS), EXTENSION(DEST_OPTIONS) } },
	{ PACKET_IPV6_EXTENSION_LENGTH, "none_of_it", .version = 6, .transport = DEST_OPTIONS },
	{ PACKET_IPV6_EXTENSION_LENGTH, "seven_bytes", .version = 6, .transport = HOP_BY_HOP,
	  .payload = BYTES("\x6\0\0\0\0\0\0") },
	{ PACKET_IPV6_EXTENSION_LENGTH, "longer_than_the_packet", V6_UDP,
	  .extensions = { { DEST_OPTIONS, 200, 0, 8, 1 } } },
	{ PACKET_IPV6_EXTENSION_LENGTH, "authentication", .version = 6, .transport = TCP,
	  .extensions = { { AH, 10, 0, 8, 1 } }, .flags = ACK },

	/* fragments */
	{ PACKET_FRAGMENT_TINY, "tcp_8_bytes", .version = 4, .transport = TCP, .flags = SYN, .fragment = MORE,
	  .cut = 12, .more_length = -12 },
	{ PACKET_FRAGMENT_TINY, "tcp_without_its_options", V4_TCP, .flags = SYN, .tcp_options = TIMESTAMPS,
	  .fragment = MORE, .cut = 8, .more_length = -8 },
	{ PACKET_FRAGMENT_TINY, "tcp_nothing", V4_TCP, .flags = SYN, .fragment = MORE, .cut = 20, .more_length = -20 },
	{ PACKET_FRAGMENT_TINY, "udp_4_bytes", V4_UDP, .fragment = MORE, .cut = 4, .more_length = -4 },
	{ PACKET_FRAGMENT_TINY, "tcp_over_ipv6", V6_TCP, .flags = SYN, .extensions = { FRAGMENT_OF(0, 1) }, .cut = 12,
	  .more_length = -12 },
	{ PACKET_FRAGMENT_TINY, "udp_over_ipv6", V6_UDP, .extensions = { FRAGMENT_OF(0, 1) }, .cut = 8,
	  .more_length = -8 },
	{ PACKET_FRAGMENT_TINY, "extensions", .version = 6, .transport = UDP,
	  .extensions = { FRAGMENT_OF(0, 1), { DEST_OPTIONS, 3, 0, 8, 1 } } },

	/* TCP */
	{ PACKET_TCP_TRUNCATED, "19_bytes", V4_TCP, .flags = SYN, .cut = 1, .more_length = -1 },
	{ PACKET_TCP_TRUNCATED, "3_bytes", V4_TCP, .flags = SYN, .cut = 17, .more_length = -17 },
	{ PACKET_TCP_TRUNCATED, "nothing", V4_TCP, .flags = SYN, .cut = 20, .more_length = -20 },
	{ PACKET_TCP_TRUNCATED, "over_ipv6", V6_TCP, .flags = SYN, .cut = 1, .more_length = -1 },
	{ PACKET_TCP_TRUNCATED, "behind_padding", V4_TCP, .flags = SYN, .more_length = -4 },
	{ PACKET_TCP_HEADER_LENGTH, "0", V4_TCP, .flags = SYN, .tcp_header_field = -1 },
	{ PACKET_TCP_HEADER_LENGTH, "4", V4_TCP, .flags = ACK, .tcp_header_field = 4, .payload_bytes = 10 },
	{ PACKET_TCP_HEADER_LENGTH, "longer_than_the_segment", V4_TCP, .flags = ACK, .tcp_header_field = 6 },
	{ PACKET_TCP_HEADER_LENGTH, "longer_than_the_segment_but_for_padding", V4_TCP, .flags = ACK,
	  .tcp_header_field = 6, .pad = 10 },
	{ PACKET_TCP_HEADER_LENGTH, "over_ipv6", V6_TCP, .flags = ACK, .tcp_header_field = 15 },
	{ PACKET_TCP_NO_FLAGS, "none", V4_TCP, .flags = NO_FLAGS },
	{ PACKET_TCP_NO_FLAGS, "only_ecn", V4_TCP, .flags = ECE | CWR },
	{ PACKET_TCP_NO_FLAGS, "over_ipv6", V6_TCP, .flags = NO_FLAGS },
	{ PACKET_TCP_ALL_FLAGS, "six", V4_TCP, .flags = FIN | SYN | RST | PSH | ACK | URG },
	{ PACKET_TCP_ALL_FLAGS, "and_ecn", V6_TCP, .flags = FIN | SYN | RST | PSH | ACK | URG | ECE | CWR },
	{ PACKET_TCP_SYN_FIN, "alone", V4_TCP, .flags = SYN | FIN },
	{ PACKET_TCP_SYN_FIN, "with_ack", V4_TCP, .flags = SYN | FIN | ACK },
	{ PACKET_TCP_SYN_FIN, "over_ipv6", V6_TCP, .flags = SYN | FIN, .extensions = { EXTENSION(DEST_OPTIONS) } },
	{ PACKET_TCP_SYN_RST, "alone", V4_TCP, .flags = SYN | RST },
	{ PACKET_TCP_SYN_RST, "with_ack", V6_TCP, .flags = SYN | RST | ACK },
	{ PACKET_TCP_FIN_WITHOUT_ACK, "alone", V4_TCP, .flags = FIN },
	{ PACKET_TCP_FIN_WITHOUT_ACK, "christmas_tree", V4_TCP, .flags = FIN | PSH | URG },
	{ PACKET_TCP_FIN_WITHOUT_ACK, "over_ipv6", V6_TCP, .flags = FIN },
	{ PACKET_TCP_OPTION_LENGTH, "0", V4_TCP, .flags = SYN, .tcp_options = BYTES("\2\0\5\xb4") },
	{ PACKET_TCP_OPTION_LENGTH, "1", V4_TCP, .flags = SYN, .tcp_options = BYTES("\1\1\2\1") },
	{ PACKET_TCP_OPTION_LENGTH, "without_length", V4_TCP, .flags = SYN, .tcp_options = BYTES("\1\1\1\2") },
	{ PACKET_TCP_OPTION_LENGTH, "longer_than_the_header", V4_TCP, .flags = SYN,
	  .tcp_options = BYTES("\1\1\1\1\2\5\5\xb4"), .payload_bytes = 8 },
	{ PACKET_TCP_OPTION_LENGTH, "over_ipv6", V6_TCP, .flags = ACK,
	  .tcp_options = BYTES("\1\1\x8\xff\0\0\0\1\0\0\0\2") },

	/* UDP */
	{ PACKET_UDP_TRUNCATED, "7_bytes", V4_UDP, .cut = 1, .more_length = -1 },
	{ PACKET_UDP_TRUNCATED, "nothing", V4_UDP, .cut = 8, .more_length = -8 },
	{ PACKET_UDP_TRUNCATED, "over_ipv6", V6_UDP, .cut = 1, .more_length = -1 },
	{ PACKET_UDP_LENGTH, "0", V4_UDP, .more_udp_length = -8 },
	{ PACKET_UDP_LENGTH, "7", V4_UDP, .payload_bytes = 10, .more_udp_length = -11 },
	{ PACKET_UDP_LENGTH, "more_than_the_packet", V4_UDP, .payload_bytes = 10, .more_udp_length = 1 },
	{ PACKET_UDP_LENGTH, "more_than_the_packet_but_for_padding", V4_UDP, .more_udp_length = 1, .pad = 18 },
	{ PACKET_UDP_LENGTH, "first_fragment", V4_UDP, .fragment = MORE, .more_udp_length = -1 },
	{ PACKET_UDP_LENGTH, "over_ipv6", V6_UDP, .more_udp_length = 65527 },

	/* ports */
	{ PACKET_PORT_ZERO, "tcp_source", V4_TCP, .flags = SYN, .source_port = NO_PORT },
	{ PACKET_PORT_ZERO, "tcp_dest", V4_TCP, .flags = SYN, .dest_port = NO_PORT },
	{ PACKET_PORT_ZERO, "udp_source", V4_UDP, .source_port = NO_PORT },
	{ PACKET_PORT_ZERO, "udp_dest", V6_UDP, .dest_port = NO_PORT },
};
/* clang-format on */

const size_t packet_fixture_count = sizeof(recipes) / sizeof(recipes[0]);

/* --- making frames ----------------------------------------------------------------------------------------------- */

/* A frame in the making. */
struct frame {
	uint8_t *bytes;
	size_t len;
};

static void put(struct frame *frame, const void *bytes, size_t len)
{
	memcpy(frame->bytes + frame->len, bytes, len);
	frame->len += len;
}

static void put_text(struct frame *frame, struct text text)
{
	put(frame, text.len > 0 ? text.data : "", text.len);
}

static void put_8(struct frame *frame, int value)
{
	frame->bytes[frame->len++] = (uint8_t)value;
}

static void put_16(struct frame *frame, int value)
{
	put_8(frame, value >> 8);
	put_8(frame, value);
}

static void put_zeros(struct frame *frame, int count)
{
	memset(frame->bytes + frame->len, 0, (size_t)count);
	frame->len += (size_t)count;
}

static void put_address(struct frame *frame, int version, const char *text, const char *usual)
{
	uint8_t ip[16];
	inet_pton(version == 4 ? AF_INET : AF_INET6, text != NULL ? text : usual, ip);
	put(frame, ip, version == 4 ? 4 : 16);
}

/* A field of -1 is 0, one of 0 as it should be. */
static int field(int wanted, int usual)
{
	return wanted == 0 ? usual : wanted < 0 ? 0 : wanted;
}

static int port(int wanted, int usual)
{
	return wanted == 0 ? usual : wanted & 0xffff;
}

static void put_link(struct frame *frame, const struct recipe *recipe)
{
	static const uint8_t addresses[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x99 };
	int ethertype = recipe->version == 4 ? 0x0800 : recipe->version == 6 ? 0x86dd : recipe->ethertype;
	put(frame, addresses, sizeof(addresses));
	for (int i = 0; i < TAGS_MAX && recipe->tags[i] != 0; i++) {
		put_16(frame, recipe->tags[i]);
		put_16(frame, 7 + i);
	}
	put_16(frame, ethertype);
}

static void put_ipv4(struct frame *frame, const struct recipe *recipe, size_t transport_bytes)
{
	size_t header_bytes = 20 + recipe->ip_options.len;
	int version = field(recipe->version_field, 4);
	put_8(frame, version << 4 | field(recipe->header_field, (int)header_bytes / 4));
	put_8(frame, 0);
	put_16(frame, (int)(header_bytes + transport_bytes) + recipe->more_length);
	put_16(frame, 1);
	put_16(frame, recipe->fragment);
	put_8(frame, 64);
	put_8(frame, recipe->transport);
	put_16(frame, 0);
	put_address(frame, 4, recipe->source, "10.1.0.2");
	put_address(frame, 4, recipe->dest, "10.1.0.1");
	put_text(frame, recipe->ip_options);
}

static int extension_bytes(const struct extension *extension)
{
	return extension->bytes > 0 ? extension->bytes : (extension->length + 1) * 8;
}

static void put_ipv6(struct frame *frame, const struct recipe *recipe, size_t transport_bytes)
{
	const struct extension *extension = recipe->extensions;
	int count = 0;
	int bytes = 0;
	for (; count < EXTENSIONS_MAX && extension[count].is_present; count++)
		bytes += extension_bytes(&extension[count]);
	put_8(frame, field(recipe->version_field, 6) << 4);
	put_zeros(frame, 3);
	put_16(frame, bytes + (int)transport_bytes + recipe->more_length);
	put_8(frame, count > 0 ? extension[0].kind : recipe->transport);
	put_8(frame, 64);
	put_address(frame, 6, recipe->source, "fd01::2");
	put_address(frame, 6, recipe->dest, "fd01::1");
	for (int i = 0; i < count; i++) {
		put_8(frame, i + 1 < count ? extension[i + 1].kind : recipe->transport);
		put_8(frame, extension[i].length);
		put_16(frame, extension[i].third);
		put_zeros(frame, extension_bytes(&extension[i]) - 4);
	}
}

static void put_tcp(struct frame *frame, const struct recipe *recipe)
{
	put_16(frame, port(recipe->source_port, 40000));
	put_16(frame, port(recipe->dest_port, 8080));
	put_zeros(frame, 8);
	put_8(frame, field(recipe->tcp_header_field, 5 + (int)recipe->tcp_options.len / 4) << 4);
	put_8(frame, recipe->flags & 0xff);
	put_16(frame, 0xffff);
	put_zeros(frame, 4);
	put_text(frame, recipe->tcp_options);
}

static void put_udp(struct frame *frame, const struct recipe *recipe, size_t payload_bytes)
{
	put_16(frame, port(recipe->source_port, 40000));
	put_16(frame, port(recipe->dest_port, 8080));
	put_16(frame, 8 + (int)payload_bytes + recipe->more_udp_length);
	put_16(frame, 0);
}

/* TCP that is only named, without flags, has no header: what is in its place is the payload. */
static size_t transport_header_bytes(const struct recipe *recipe)
{
	if (recipe->transport == TCP)
		return 20 + recipe->tcp_options.len;
	return recipe->transport == UDP ? 8 : 0;
}

static void put_packet(struct frame *frame, const struct recipe *recipe)
{
	size_t payload_bytes = recipe->payload.len + (size_t)recipe->payload_bytes;
	size_t transport_bytes = transport_header_bytes(recipe) + payload_bytes;
	put_link(frame, recipe);
	if (recipe->version == 4)
		put_ipv4(frame, recipe, transport_bytes);
	else if (recipe->version == 6)
		put_ipv6(frame, recipe, transport_bytes);
	if (recipe->transport == TCP)
		put_tcp(frame, recipe);
	else if (recipe->transport == UDP)
		put_udp(frame, recipe, payload_bytes);
	put_text(frame, recipe->payload);
	put_zeros(frame, recipe->payload_bytes);
}

void packet_fixture_make(size_t number, struct packet_fixture *ret_fixture)
{
	const struct recipe *recipe = &recipes[number];
	struct frame frame = { .bytes = ret_fixture->frame };
	put_packet(&frame, recipe);
	frame.len -= (size_t)recipe->cut;
	put_zeros(&frame, recipe->pad);
	ret_fixture->frame_bytes = frame.len;
	ret_fixture->class = recipe->class;
	snprintf(ret_fixture->name, sizeof(ret_fixture->name), "%s.%s", packet_class_word(recipe->class), recipe->name);
}
