/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/source.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static_assert(sizeof(struct network) == 18, "a source is hashed and compared bytewise");

enum { IPV4_OFFSET_BITS = 96 };

static void clear_host_bits(struct network *network)
{
	size_t whole = network->prefix_bits / 8;
	unsigned int rest = network->prefix_bits % 8;
	if (rest > 0) {
		network->ip[whole] &= (uint8_t)(0xff00 >> rest);
		whole++;
	}
	memset(network->ip + whole, 0, sizeof(network->ip) - whole);
}

struct network source_from_endpoint(const struct endpoint *endpoint, struct source_prefixes prefixes)
{
	struct network source = { .family = endpoint->family };
	if (endpoint->family != AF_INET && endpoint->family != AF_INET6)
		return source;
	memcpy(source.ip, endpoint->ip, sizeof(source.ip));
	source.prefix_bits =
		endpoint->family == AF_INET ? (uint8_t)(IPV4_OFFSET_BITS + prefixes.ipv4_bits) : prefixes.ipv6_bits;
	clear_host_bits(&source);
	return source;
}

uint64_t source_hash(const struct network *source, uint64_t secret)
{
	return XXH3_64bits_withSeed(source, sizeof(*source), secret);
}

char *source_format(const struct network *source, char *buf, size_t buf_bytes)
{
	if (source->family == AF_UNIX)
		snprintf(buf, buf_bytes, "unix");
	else
		network_format(source, buf, buf_bytes);
	char *slash = strchr(buf, '/');
	if (slash != NULL && source->prefix_bits == NETWORK_PREFIX_MAX)
		*slash = '\0';
	return buf;
}
