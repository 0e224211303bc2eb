/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses in three shapes:
 *
 *   struct addr      any socket address (IPv4, IPv6, unix), as system calls want it; about 120 bytes
 *   struct endpoint  an IP address and port in 24 bytes, for flows; IPv4 is kept as an IPv4-mapped IPv6 address
 *   struct network   an IP prefix, for access lists
 *
 * All are plain values: copy them freely, zero-initialise them so that they compare bytewise. Any thread. Nothing here
 * resolves names or allocates.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/span.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	/* "unix:" and the longest path, or "[" the longest IPv6 address "%" a 10-digit scope "]:65535", and a zero */
	ADDR_TEXT_BYTES = 5 + sizeof(((struct sockaddr_un *)0)->sun_path) + 1,
	ENDPOINT_TEXT_BYTES = 72,
	NETWORK_TEXT_BYTES = 56,
	NETWORK_PREFIX_MAX = 128,
};

struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/*
 * Reads "10.0.0.1:80", "*:443" (0.0.0.0), ":8080" ([::], see addr_is_any), "[fd00::1]:53" or "unix:/path" (a unix path
 * beginning with '@' is an abstract name). Port 0 is refused. Returns 0, or -EINVAL with *ret_problem set to a static
 * phrase for people that says what is wrong ("an IPv6 address with a port needs brackets: [fd00::1]:53").
 */
int addr_parse(struct span text, struct addr *ret_addr, const char **ret_problem);

/* Reads "80": 1 to 65535. Returns as addr_parse. */
int addr_parse_port(struct span text, uint16_t *ret_port, const char **ret_problem);

/* Reads an IP address alone, "10.0.0.9" or "fd00::9", perhaps in brackets: port 0. Returns as addr_parse. */
int addr_parse_ip(struct span text, struct addr *ret_addr, const char **ret_problem);

/* Writes the text form that addr_parse reads; 0.0.0.0 is written out, not as '*'. buf: ADDR_TEXT_BYTES. Returns buf. */
char *addr_format(const struct addr *addr, char *buf, size_t buf_bytes);

/* The IP address without port and brackets; "" for unix. buf: ADDR_TEXT_BYTES. Returns buf. */
char *addr_format_ip(const struct addr *addr, char *buf, size_t buf_bytes);

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_unix(const struct addr *addr);
bool addr_is_any(const struct addr *addr); /* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *addr);
uint16_t addr_port(const struct addr *addr); /* host order; 0 for unix */
void addr_set_port(struct addr *addr, uint16_t port);

struct endpoint {
	uint8_t ip[16];    /* network order; IPv4 as ::ffff:a.b.c.d */
	uint32_t scope_id; /* interface of a link-local IPv6 address, else 0 */
	uint16_t port;     /* host order */
	uint8_t family;    /* AF_INET, AF_INET6, AF_UNIX (then all else is 0), or 0: unknown */
	uint8_t reserved;  /* always 0 */
};
static_assert(sizeof(struct endpoint) == 24, "flows hold several");

/* An address of any other family than the three becomes an endpoint of family 0. */
struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa);
struct endpoint endpoint_from_addr(const struct addr *addr);
/* Not for AF_UNIX. An IPv4 endpoint becomes a sockaddr_in. */
void endpoint_to_addr(const struct endpoint *endpoint, struct addr *ret_addr);
/* "192.0.2.1:80", "[fd00::1]:80", "unix:" or "" . buf: ENDPOINT_TEXT_BYTES. Returns buf. */
char *endpoint_format(const struct endpoint *endpoint, char *buf, size_t buf_bytes);
/* By its address: IPv4, also on a socket of IPv6. */
bool endpoint_is_ipv4(const struct endpoint *endpoint);
static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

struct network {
	uint8_t ip[16];      /* as in struct endpoint, host bits cleared */
	uint8_t prefix_bits; /* of the 128-bit form: an IPv4 /24 is 120 */
	uint8_t family;      /* AF_INET, AF_INET6 or AF_UNIX: all clients of unix sockets */
};

/*
 * Reads "10.0.0.0/8", "2001:db8::/32", "192.0.2.7" or "unix:". Host bits are cleared; *ret_had_host_bits tells.
 * Returns 0, or -EINVAL with *ret_problem as in addr_parse.
 */
int network_parse(struct span text, struct network *ret_network, bool *ret_had_host_bits, const char **ret_problem);
/* The one address of an endpoint, without its port. */
struct network network_from_endpoint(const struct endpoint *endpoint);
char *network_format(const struct network *network, char *buf, size_t buf_bytes); /* NETWORK_TEXT_BYTES */
bool network_contains(const struct network *network, const struct endpoint *endpoint);

#endif
