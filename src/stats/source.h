/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who counts as one source of traffic: an IPv4 or IPv6 network of a certain size, or all clients of unix sockets. Clients
 * choose their addresses, so a source's hash is keyed with a secret. Pure. Any thread.
 */
#ifndef STATS_SOURCE_H
#define STATS_SOURCE_H

#include "base/addr.h"

/* How many bits of an address tell sources apart. */
struct source_prefixes {
	uint8_t ipv4_bits; /* 0 to 32 */
	uint8_t ipv6_bits; /* 0 to 128 */
};

struct network source_from_endpoint(const struct endpoint *endpoint, struct source_prefixes prefixes);
uint64_t source_hash(const struct network *source, uint64_t secret);
/* "192.0.2.7", "2001:db8:1:2::/64" or "unix"; buf: NETWORK_TEXT_BYTES. Returns buf. */
char *source_format(const struct network *source, char *buf, size_t buf_bytes);

static inline bool source_equal(const struct network *a, const struct network *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
