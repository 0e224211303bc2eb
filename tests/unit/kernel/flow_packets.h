/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of flows, whole: Ethernet, IPv4 or IPv6, TCP or UDP with right checksums, made from what they say. A frame as it
 * should leave is made in the same way from what it should say then, so nothing here knows of differences.
 */
#ifndef TESTS_FLOW_PACKETS_H
#define TESTS_FLOW_PACKETS_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOW_FRAME_BYTES_MAX = 2048 };

struct flow_says {
	struct endpoint source; /* both of one family */
	struct endpoint dest;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t lifetime;
	bool has_no_checksum; /* UDP */
	bool is_wrong;        /* its checksum is off by one */
	/* TCP */
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	uint8_t flags;
	const uint8_t *options; /* a multiple of four */
	size_t options_bytes;
	const uint8_t *payload;
	size_t payload_bytes;
};

struct flow_frame {
	size_t bytes;
	uint8_t at[FLOW_FRAME_BYTES_MAX];
};

void flow_frame_make(const struct flow_says *says, struct flow_frame *ret_frame);
/*
 * An ICMP error that a packet is larger than its path carries: mtu bytes. says: from whom to whom, and its lifetime;
 * the packet is quoted without what comes behind the first eight bytes of its TCP or UDP header.
 */
void flow_frame_make_too_big(const struct flow_says *says, const struct flow_says *about, uint16_t mtu,
			     struct flow_frame *ret_frame);

/* What the program makes of a frame (BPF_PROG_TEST_RUN). Returns what it says is to be done with it, or INT_MIN when that is not possible. */
int flow_frame_run(int program_fd, const struct flow_frame *frame, struct flow_frame *ret_frame);

#endif
