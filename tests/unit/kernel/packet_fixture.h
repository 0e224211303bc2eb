/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet frames, each with what the packet guard has to say of it. From 10.1.0.2 (fd01::2) port 40000 to 10.1.0.1
 * (fd01::1) port 8080 where nothing else is said: a client and the proxy of tests/integration/lab.py, which sends them, too.
 */
#ifndef TESTS_PACKET_FIXTURE_H
#define TESTS_PACKET_FIXTURE_H

#include "bpf/abi.h"

#include <stddef.h>
#include <stdint.h>

enum { PACKET_FIXTURE_BYTES_MAX = 4096, PACKET_FIXTURE_NAME_BYTES = 96 };

struct packet_fixture {
	char name[PACKET_FIXTURE_NAME_BYTES]; /* "land.tcp_over_ipv4", "passed.syn_with_data": a name for a file, too */
	enum packet_class class;
	uint8_t frame[PACKET_FIXTURE_BYTES_MAX];
	size_t frame_bytes;
};

extern const size_t packet_fixture_count;
/* Makes the one of this number. */
void packet_fixture_make(size_t number, struct packet_fixture *ret_fixture);

#endif
