/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/flow_packets.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>

/* RFC 1071 */
static uint32_t sum(uint32_t so_far, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < count; i++)
		so_far += i % 2 == 0 ? (uint32_t)at[i] << 8 : at[i];
	return so_far;
}

static uint16_t checksum(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static size_t put_ip(const struct flow_says *says, size_t l4_bytes, uint8_t *at)
{
	if (endpoint_is_ipv4(&says->source)) {
		struct iphdr ip = { .version = 4, .ihl = 5, .ttl = says->lifetime, .protocol = says->protocol };
		ip.tot_len = htons((uint16_t)(sizeof(ip) + l4_bytes));
		memcpy(&ip.saddr, says->source.ip + 12, 4);
		memcpy(&ip.daddr, says->dest.ip + 12, 4);
		ip.check = htons(checksum(sum(0, &ip, sizeof(ip))));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	}
	struct ipv6hdr ip = { .version = 6, .hop_limit = says->lifetime, .nexthdr = says->protocol };
	ip.payload_len = htons((uint16_t)l4_bytes);
	memcpy(&ip.saddr, says->source.ip, 16);
	memcpy(&ip.daddr, says->dest.ip, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_header(const struct flow_says *says, uint8_t *at)
{
	if (says->protocol == IPPROTO_UDP) {
		struct udphdr udp = { .source = htons(says->source.port), .dest = htons(says->dest.port) };
		udp.len = htons((uint16_t)(sizeof(udp) + says->payload_bytes));
		memcpy(at, &udp, sizeof(udp));
		return sizeof(udp);
	}
	struct tcphdr tcp = {
		.source = htons(says->source.port),
		.dest = htons(says->dest.port),
		.seq = htonl(says->seq),
		.ack_seq = htonl(says->ack),
		.window = htons(says->window),
		.doff = (uint16_t)((sizeof(tcp) + says->options_bytes) / 4) & 0xf,
	};
	memcpy(at, &tcp, sizeof(tcp));
	at[13] = says->flags;
	if (says->options_bytes > 0)
		memcpy(at + sizeof(tcp), says->options, says->options_bytes);
	return sizeof(tcp) + says->options_bytes;
}

static uint16_t l4_checksum(const struct flow_says *says, const uint8_t *l4, size_t l4_bytes)
{
	bool is_ipv4 = endpoint_is_ipv4(&says->source);
	size_t skipped = is_ipv4 ? 12 : 0;
	uint32_t total = sum(0, says->source.ip + skipped, 16 - skipped);
	total = sum(total, says->dest.ip + skipped, 16 - skipped);
	uint16_t result = checksum(sum(total + says->protocol + (uint32_t)l4_bytes, l4, l4_bytes));
	if (says->protocol == IPPROTO_UDP && result == 0)
		result = 0xffff;
	return (uint16_t)(says->is_wrong ? result + 1 : result);
}

static void put_frame(const struct flow_says *says, const uint8_t *l4, size_t l4_bytes, struct flow_frame *ret_frame)
{
	*ret_frame = (struct flow_frame){ .bytes = ETH_HLEN };
	uint16_t type = htons(endpoint_is_ipv4(&says->source) ? ETH_P_IP : ETH_P_IPV6);
	memcpy(ret_frame->at + 12, &type, sizeof(type));
	ret_frame->bytes += put_ip(says, l4_bytes, ret_frame->at + ret_frame->bytes);
	memcpy(ret_frame->at + ret_frame->bytes, l4, l4_bytes);
	ret_frame->bytes += l4_bytes;
}

void flow_frame_make(const struct flow_says *says, struct flow_frame *ret_frame)
{
	uint8_t l4[FLOW_FRAME_BYTES_MAX] = { 0 };
	size_t l4_bytes = put_header(says, l4);
	memcpy(l4 + l4_bytes, says->payload, says->payload_bytes);
	l4_bytes += says->payload_bytes;
	size_t check_at =
		says->protocol == IPPROTO_UDP ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check);
	uint16_t check = says->has_no_checksum ? 0 : htons(l4_checksum(says, l4, l4_bytes));
	memcpy(l4 + check_at, &check, sizeof(check));
	put_frame(says, l4, l4_bytes, ret_frame);
}

void flow_frame_make_too_big(const struct flow_says *says, const struct flow_says *about, uint16_t mtu,
			     struct flow_frame *ret_frame)
{
	bool is_ipv4 = endpoint_is_ipv4(&says->source);
	uint8_t l4[FLOW_FRAME_BYTES_MAX] = { is_ipv4 ? 3 : 2, is_ipv4 ? 4 : 0 };
	size_t quoted_bytes = (is_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + 8;
	size_t l4_bytes = 8 + quoted_bytes;
	struct flow_frame quoted;
	struct flow_says outer = *says;
	outer.protocol = is_ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	flow_frame_make(about, &quoted);
	l4[6] = (uint8_t)(mtu >> 8);
	l4[7] = (uint8_t)mtu;
	memcpy(l4 + 8, quoted.at + ETH_HLEN, quoted_bytes);
	uint16_t check = htons(is_ipv4 ? checksum(sum(0, l4, l4_bytes)) : l4_checksum(&outer, l4, l4_bytes));
	memcpy(l4 + 2, &check, sizeof(check));
	put_frame(&outer, l4, l4_bytes, ret_frame);
}

int flow_frame_run(int program_fd, const struct flow_frame *frame, struct flow_frame *ret_frame)
{
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = frame->at,
		.data_size_in = (uint32_t)frame->bytes,
		.data_out = ret_frame->at,
		.data_size_out = sizeof(ret_frame->at),
		.repeat = 1,
	};
	if (bpf_prog_test_run_opts(program_fd, &options) != 0)
		return INT_MIN;
	ret_frame->bytes = options.data_size_out;
	return (int)options.retval;
}
