// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * For tests: bpf/tcp_translate.h as the kernel's verifier and its compiler make it. A frame is an Ethernet header, a struct
 * tcp_translation and a TCP header; the program changes the TCP header in place and returns a tcp_translated. It is never
 * attached to anything.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_helpers.h>

#include "bpf/tcp_translate.h"

enum {
	HEADER_AT = ETH_HLEN + sizeof(struct tcp_translation),
	FRAME_UNREADABLE = 100,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_header);
} header_copy SEC(".maps");

static __always_inline int load_header(struct __sk_buff *skb, struct tcp_header *header, __u32 *ret_bytes)
{
	if (bpf_skb_load_bytes(skb, HEADER_AT, header, TCP_HEADER_BYTES_MIN) < 0)
		return -1;
	__u32 bytes = header->fixed.doff * 4;
	if (bytes < TCP_HEADER_BYTES_MIN)
		return -1;
	*ret_bytes = bytes;
	if (bytes == TCP_HEADER_BYTES_MIN)
		return 0;
	return (int)bpf_skb_load_bytes(skb, HEADER_AT + TCP_HEADER_BYTES_MIN, header->bytes + TCP_HEADER_BYTES_MIN,
				       bytes - TCP_HEADER_BYTES_MIN);
}

SEC("tc") int translate_header(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u32 bytes;
	struct tcp_translation translation;
	struct tcp_header *header = bpf_map_lookup_elem(&header_copy, &key);
	if (header == NULL || bpf_skb_load_bytes(skb, ETH_HLEN, &translation, sizeof(translation)) < 0)
		return FRAME_UNREADABLE;
	if (load_header(skb, header, &bytes) < 0)
		return FRAME_UNREADABLE;
	int result = tcp_translate(&translation, header, bytes);
	if (result == TCP_TRANSLATED && bpf_skb_store_bytes(skb, HEADER_AT, header, bytes, 0) < 0)
		return FRAME_UNREADABLE;
	return result;
}

char _license[] SEC("license") = "Dual BSD/GPL";
