/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/packet_reference.h"

#include <linux/if_ether.h>
#include <linux/types.h>
#include <string.h>

/* What can be read of the frame. */
struct packet_source {
	const uint8_t *bytes;
	size_t count;
};

#define PACKET_SOURCE struct packet_source

static int packet_load(struct packet_source *source, __u32 offset, void *ret_bytes, __u32 count)
{
	if (offset > source->count || count > source->count - offset)
		return -1;
	memcpy(ret_bytes, source->bytes + offset, count);
	return 0;
}

#include "bpf/packet_class.h"

int packet_reference_judge(const uint8_t *frame, size_t frame_bytes, uint32_t packet_bytes)
{
	struct packet_source source = { frame, frame_bytes };
	struct packet packet = { .at = ETH_HLEN, .left = packet_bytes - ETH_HLEN };
	if (packet_load(&source, offsetof(struct ethhdr, h_proto), &packet.protocol_be16,
			sizeof(packet.protocol_be16)) < 0)
		return PACKET_PASSED;
	int class = packet_judge(&packet, &source);
	return class == PACKET_UNREADABLE ? PACKET_PASSED : class;
}
