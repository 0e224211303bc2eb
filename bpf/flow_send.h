/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sends a packet on by the interface that its flow leaves by. The kernel finds the neighbour's hardware address, and the
 * route before that, unless the destination is known to be the neighbour.
 */
#ifndef BPF_FLOW_SEND_H
#define BPF_FLOW_SEND_H

#include "bpf/flow_abi.h"

enum { FLOW_FAMILY_IPV4 = 2, FLOW_FAMILY_IPV6 = 10 }; /* AF_INET and AF_INET6 of linux/socket.h */

static __attribute__((noinline)) int flow_send(const struct flow_side *side, __u32 version)
{
	struct bpf_redir_neigh neighbour = { .nh_family = version == 4 ? FLOW_FAMILY_IPV4 : FLOW_FAMILY_IPV6 };
	__u32 interface_index = side->way_out & FLOW_INTERFACE_BITS;
	if ((side->way_out & FLOW_ON_LINK) == 0)
		return bpf_redirect_neigh(interface_index, NULL, 0, 0);
	__builtin_memcpy(neighbour.ipv6_nh, side->dest, sizeof(neighbour.ipv6_nh));
	return bpf_redirect_neigh(interface_index, &neighbour, sizeof(neighbour), 0);
}

#endif
