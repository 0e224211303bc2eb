/* SPDX-License-Identifier: Apache-2.0 */
/* The classifier of the packet guard (bpf/packet_class.h) compiled as C: what the eBPF program is held against. Pure. */
#ifndef TESTS_PACKET_REFERENCE_H
#define TESTS_PACKET_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns the class of an Ethernet frame (enum packet_class). packet_bytes: how long the packet is; of one that the system
 * has put together of many, more than is there.
 */
int packet_reference_judge(const uint8_t *frame, size_t frame_bytes, uint32_t packet_bytes);

#endif
