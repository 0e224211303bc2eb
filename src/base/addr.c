/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

/* Bytes of a sockaddr_un before its path. */
#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int refuse(const char *problem, const char **ret_problem)
{
	*ret_problem = problem;
	return -EINVAL;
}

static bool span_starts_with(struct span span, const char *prefix)
{
	size_t len = strlen(prefix);
	return span.len >= len && memcmp(span.data, prefix, len) == 0;
}

static struct span span_from(struct span span, size_t offset)
{
	return (struct span){ span.data + offset, span.len - offset };
}

static bool span_has_only(struct span span, const char *accepted)
{
	for (size_t i = 0; i < span.len; i++) {
		if (span.data[i] == '\0' || strchr(accepted, span.data[i]) == NULL)
			return false;
	}
	return true;
}

/* Digits only, at most max; false otherwise. */
static bool number_parse(struct span text, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;
	if (text.len == 0 || text.len > 10 || !span_has_only(text, "0123456789"))
		return false;
	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	if (number > max)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

int addr_parse_port(struct span text, uint16_t *ret_port, const char **ret_problem)
{
	uint32_t number = 0;
	if (text.len == 0)
		return refuse("the port is missing behind the colon", ret_problem);
	if (memchr(text.data, '-', text.len) != NULL && span_has_only(text, "0123456789-"))
		return refuse("port ranges are not supported yet: write each port", ret_problem);
	if (!span_has_only(text, "0123456789"))
		return refuse("a port is a number from 1 to 65535", ret_problem);
	if (!number_parse(text, UINT16_MAX, &number))
		return refuse("a port is at most 65535", ret_problem);
	if (number == 0)
		return refuse("port 0 cannot be used", ret_problem);
	*ret_port = (uint16_t)number;
	return 0;
}

static bool ipv4_parse(struct span text, struct in_addr *ret_ip)
{
	char buf[INET_ADDRSTRLEN];
	/* inet_pton would stop at a zero byte that the span holds. */
	return span_has_only(text, "0123456789.") && span_copy(text, buf, sizeof(buf)) &&
	       inet_pton(AF_INET, buf, ret_ip) == 1;
}

static bool ipv6_parse(struct span text, struct in6_addr *ret_ip)
{
	char buf[INET6_ADDRSTRLEN];
	return span_has_only(text, "0123456789abcdefABCDEF:.") && span_copy(text, buf, sizeof(buf)) &&
	       inet_pton(AF_INET6, buf, ret_ip) == 1;
}

static struct addr addr_from_ipv4(struct in_addr ip, uint16_t port)
{
	struct addr addr;
	memset(&addr, 0, sizeof(addr));
	addr.len = sizeof(addr.in);
	addr.in.sin_family = AF_INET;
	addr.in.sin_addr = ip;
	addr.in.sin_port = htons(port);
	return addr;
}

/* An IPv4-mapped address becomes IPv4, so that one server has one spelling. */
static struct addr addr_from_ipv6(const struct in6_addr *ip, uint32_t scope_id, uint16_t port)
{
	struct addr addr;
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		struct in_addr ip4;
		memcpy(&ip4, &ip->s6_addr[12], sizeof(ip4));
		return addr_from_ipv4(ip4, port);
	}
	memset(&addr, 0, sizeof(addr));
	addr.len = sizeof(addr.in6);
	addr.in6.sin6_family = AF_INET6;
	addr.in6.sin6_addr = *ip;
	addr.in6.sin6_scope_id = scope_id;
	addr.in6.sin6_port = htons(port);
	return addr;
}

static int unix_parse(struct span path, struct addr *ret_addr, const char **ret_problem)
{
	struct addr addr;
	memset(&addr, 0, sizeof(addr));
	bool is_abstract = path.len > 0 && path.data[0] == '@';
	if (path.len == 0)
		return refuse("a unix socket needs a path: unix:/run/strait/web.sock", ret_problem);
	if (is_abstract && path.len == 1)
		return refuse("an abstract unix socket needs a name behind the @", ret_problem);
	if (memchr(path.data, '\0', path.len) != NULL)
		return refuse("a unix socket path cannot hold a zero byte", ret_problem);
	if (path.len > sizeof(addr.un.sun_path) - 1)
		return refuse("a unix socket path is at most 107 bytes long", ret_problem);
	addr.un.sun_family = AF_UNIX;
	memcpy(addr.un.sun_path, path.data, path.len);
	if (is_abstract)
		addr.un.sun_path[0] = '\0';
	addr.len = (socklen_t)(UNIX_PATH_OFFSET + path.len + (is_abstract ? 0 : 1));
	*ret_addr = addr;
	return 0;
}

/* Takes "%2" off the end of an IPv6 address. */
static int scope_take(struct span *text, uint32_t *ret_scope_id, const char **ret_problem)
{
	const char *percent = text->len > 0 ? memchr(text->data, '%', text->len) : NULL;
	*ret_scope_id = 0;
	if (percent == NULL)
		return 0;
	size_t ip_len = (size_t)(percent - text->data);
	if (!number_parse(span_from(*text, ip_len + 1), UINT32_MAX, ret_scope_id) || *ret_scope_id == 0)
		return refuse("an interface is written as its number: [fe80::1%2]:53", ret_problem);
	text->len = ip_len;
	return 0;
}

/* "[address%scope]:port" */
static int bracketed_parse(struct span text, struct addr *ret_addr, const char **ret_problem)
{
	const char *close = memchr(text.data, ']', text.len);
	struct in6_addr ip;
	struct in_addr ip4;
	uint32_t scope_id = 0;
	uint16_t port = 0;
	if (close == NULL)
		return refuse("the closing ] is missing", ret_problem);
	struct span inside = { text.data + 1, (size_t)(close - text.data) - 1 };
	struct span rest = span_from(text, inside.len + 2);
	if (scope_take(&inside, &scope_id, ret_problem) < 0)
		return -EINVAL;
	if (ipv4_parse(inside, &ip4))
		return refuse("an IPv4 address stands without brackets: 10.0.0.1:80", ret_problem);
	if (!ipv6_parse(inside, &ip))
		return refuse("what stands in [ ] is not an IPv6 address", ret_problem);
	if (rest.len == 0 || rest.data[0] != ':')
		return refuse("the port is missing: [fd00::1]:53", ret_problem);
	int error = addr_parse_port(span_from(rest, 1), &port, ret_problem);
	if (error == 0)
		*ret_addr = addr_from_ipv6(&ip, scope_id, port);
	return error;
}

/* Text without any colon is never an address; says what it may have been meant to be. */
static int portless_refuse(struct span text, const char **ret_problem)
{
	struct in_addr ip;
	if (span_has_only(text, "0123456789"))
		return refuse("a port alone does not say where: *:8080 is IPv4, :8080 both families", ret_problem);
	if (ipv4_parse(text, &ip) || span_equals(text, "*"))
		return refuse("the port is missing: 10.0.0.1:80", ret_problem);
	return refuse("an address looks like 10.0.0.1:80, [fd00::1]:53 or unix:/run/x.sock", ret_problem);
}

static int hosted_parse(struct span host, struct span port_text, struct addr *ret_addr, const char **ret_problem)
{
	struct in_addr ip = { INADDR_ANY };
	uint16_t port = 0;
	bool is_star = span_equals(host, "*");
	if (!is_star && host.len > 0 && !ipv4_parse(host, &ip)) {
		if (span_has_only(host, "0123456789."))
			return refuse("an IPv4 address has four numbers from 0 to 255", ret_problem);
		return refuse("a host name cannot stand here: write the IP address", ret_problem);
	}
	int error = addr_parse_port(port_text, &port, ret_problem);
	if (error == 0)
		*ret_addr = host.len > 0 ? addr_from_ipv4(ip, port) : addr_from_ipv6(&in6addr_any, 0, port);
	return error;
}

int addr_parse(struct span text, struct addr *ret_addr, const char **ret_problem)
{
	if (text.len == 0)
		return refuse("an address is missing", ret_problem);
	if (span_starts_with(text, "unix:"))
		return unix_parse(span_from(text, 5), ret_addr, ret_problem);
	if (text.data[0] == '[')
		return bracketed_parse(text, ret_addr, ret_problem);
	const char *colon = memchr(text.data, ':', text.len);
	if (colon == NULL)
		return portless_refuse(text, ret_problem);
	size_t host_len = (size_t)(colon - text.data);
	struct span port_text = span_from(text, host_len + 1);
	if (port_text.len > 0 && memchr(port_text.data, ':', port_text.len) != NULL)
		return refuse("an IPv6 address with a port needs brackets: [fd00::1]:53", ret_problem);
	return hosted_parse((struct span){ text.data, host_len }, port_text, ret_addr, ret_problem);
}

int addr_parse_ip(struct span text, struct addr *ret_addr, const char **ret_problem)
{
	const char *colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
	struct in_addr ip4;
	struct in6_addr ip6;
	uint32_t scope_id;
	if (ipv4_parse(text, &ip4)) {
		*ret_addr = addr_from_ipv4(ip4, 0);
		return 0;
	}
	if (text.len > 1 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		text = (struct span){ text.data + 1, text.len - 2 };
	if (colon == NULL)
		return refuse("an IP address looks like 10.0.0.9 or fd00::9", ret_problem);
	if (scope_take(&text, &scope_id, ret_problem) < 0)
		return -EINVAL;
	if (!ipv6_parse(text, &ip6))
		return refuse("an IP address without a port is wanted: 10.0.0.9 or fd00::9", ret_problem);
	*ret_addr = addr_from_ipv6(&ip6, scope_id, 0);
	return 0;
}

static void unix_format(const struct addr *addr, char *buf, size_t buf_bytes)
{
	size_t path_bytes = addr->len > UNIX_PATH_OFFSET ? addr->len - UNIX_PATH_OFFSET : 0;
	const char *path = addr->un.sun_path;
	if (path_bytes > 0 && path[0] == '\0')
		snprintf(buf, buf_bytes, "unix:@%.*s", (int)path_bytes - 1, path + 1);
	else
		snprintf(buf, buf_bytes, "unix:%.*s", (int)path_bytes, path);
}

static void ipv6_format(const struct addr *addr, char *buf, size_t buf_bytes)
{
	char ip[INET6_ADDRSTRLEN] = "";
	inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof(ip));
	if (addr->in6.sin6_scope_id != 0)
		snprintf(buf, buf_bytes, "[%s%%%u]:%u", ip, addr->in6.sin6_scope_id, ntohs(addr->in6.sin6_port));
	else
		snprintf(buf, buf_bytes, "[%s]:%u", ip, ntohs(addr->in6.sin6_port));
}

char *addr_format(const struct addr *addr, char *buf, size_t buf_bytes)
{
	char ip[INET_ADDRSTRLEN] = "";
	CHECK(buf_bytes > 0);
	buf[0] = '\0';
	switch (addr->sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof(ip));
		snprintf(buf, buf_bytes, "%s:%u", ip, ntohs(addr->in.sin_port));
		break;
	case AF_INET6:
		ipv6_format(addr, buf, buf_bytes);
		break;
	case AF_UNIX:
		unix_format(addr, buf, buf_bytes);
		break;
	default:
		break;
	}
	return buf;
}

char *addr_format_ip(const struct addr *addr, char *buf, size_t buf_bytes)
{
	char ip[INET6_ADDRSTRLEN] = "";
	bool is_ipv6 = addr->sa.sa_family == AF_INET6;
	uint32_t scope_id = is_ipv6 ? addr->in6.sin6_scope_id : 0;
	CHECK(buf_bytes > 0);
	if (is_ipv6)
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof(ip));
	else if (addr->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof(ip));
	if (scope_id != 0)
		snprintf(buf, buf_bytes, "%s%%%u", ip, scope_id);
	else
		snprintf(buf, buf_bytes, "%s", ip);
	return buf;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr && a->in.sin_port == b->in.sin_port;
	case AF_INET6:
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
		       a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id;
	case AF_UNIX:
		return a->len == b->len && (a->len <= UNIX_PATH_OFFSET ||
					    memcmp(a->un.sun_path, b->un.sun_path, a->len - UNIX_PATH_OFFSET) == 0);
	default:
		return a->len == b->len && memcmp(a, b, sizeof(*a)) == 0;
	}
}

bool addr_is_unix(const struct addr *addr)
{
	return addr->sa.sa_family == AF_UNIX;
}

bool addr_is_any(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool addr_is_loopback(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

uint16_t addr_port(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return ntohs(addr->in.sin_port);
	return addr->sa.sa_family == AF_INET6 ? ntohs(addr->in6.sin6_port) : 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
	CHECK(addr->sa.sa_family == AF_INET || addr->sa.sa_family == AF_INET6);
	if (addr->sa.sa_family == AF_INET)
		addr->in.sin_port = htons(port);
	else
		addr->in6.sin6_port = htons(port);
}

static void endpoint_set_ipv4(struct endpoint *endpoint, const void *ip)
{
	memcpy(endpoint->ip, mapped_prefix, sizeof(mapped_prefix));
	memcpy(endpoint->ip + sizeof(mapped_prefix), ip, 4);
	endpoint->family = AF_INET;
}

struct endpoint endpoint_from_sockaddr(const struct sockaddr *sa)
{
	struct endpoint endpoint = { 0 };
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
		endpoint_set_ipv4(&endpoint, &in->sin_addr);
		endpoint.port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
		endpoint.port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			endpoint_set_ipv4(&endpoint, &in6->sin6_addr.s6_addr[12]);
			return endpoint;
		}
		memcpy(endpoint.ip, &in6->sin6_addr, sizeof(endpoint.ip));
		endpoint.scope_id = in6->sin6_scope_id;
		endpoint.family = AF_INET6;
	} else if (sa->sa_family == AF_UNIX) {
		endpoint.family = AF_UNIX;
	}
	return endpoint;
}

bool endpoint_is_ipv4(const struct endpoint *endpoint)
{
	return memcmp(endpoint->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

struct endpoint endpoint_from_addr(const struct addr *addr)
{
	return endpoint_from_sockaddr(&addr->sa);
}

void endpoint_to_addr(const struct endpoint *endpoint, struct addr *ret_addr)
{
	CHECK(endpoint->family == AF_INET || endpoint->family == AF_INET6);
	struct in6_addr ip;
	memcpy(&ip, endpoint->ip, sizeof(ip));
	*ret_addr = addr_from_ipv6(&ip, endpoint->scope_id, endpoint->port);
}

char *endpoint_format(const struct endpoint *endpoint, char *buf, size_t buf_bytes)
{
	struct addr addr;
	CHECK(buf_bytes > 0);
	buf[0] = '\0';
	if (endpoint->family == AF_UNIX) {
		snprintf(buf, buf_bytes, "unix:");
	} else if (endpoint->family != 0) {
		endpoint_to_addr(endpoint, &addr);
		addr_format(&addr, buf, buf_bytes);
	}
	return buf;
}

/* Clears what lies behind the prefix; true when something was set there. */
static bool host_bits_clear(uint8_t ip[16], unsigned int prefix_bits)
{
	bool had_bits = false;
	for (unsigned int i = prefix_bits / 8; i < 16; i++) {
		unsigned int kept = i == prefix_bits / 8 ? prefix_bits % 8 : 0;
		uint8_t mask = (uint8_t)(0xff00u >> kept);
		had_bits = had_bits || (ip[i] & ~mask) != 0;
		ip[i] &= mask;
	}
	return had_bits;
}

static int network_refuse(struct span text, const char **ret_problem)
{
	if (text.len == 0)
		return refuse("a network is missing", ret_problem);
	if (span_equals(text, "*") || span_equals(text, "all") || span_equals(text, "any"))
		return refuse("everybody is written 0.0.0.0/0 ::/0", ret_problem);
	if (span_starts_with(text, "unix:"))
		return refuse("unix: stands alone, for all clients of unix sockets", ret_problem);
	if (text.data[0] == '[' ||
	    (memchr(text.data, ':', text.len) != NULL && memchr(text.data, '.', text.len) != NULL))
		return refuse("a network has neither brackets nor a port", ret_problem);
	return refuse("a network looks like 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7", ret_problem);
}

/* Reads the address before the slash; *ret_bits is how many bits a prefix of that family may have. */
static bool network_ip_parse(struct span text, struct network *network, unsigned int *ret_bits)
{
	struct in_addr ip4;
	struct in6_addr ip6;
	if (ipv4_parse(text, &ip4)) {
		memcpy(network->ip, mapped_prefix, sizeof(mapped_prefix));
		memcpy(network->ip + sizeof(mapped_prefix), &ip4, sizeof(ip4));
		network->family = AF_INET;
		*ret_bits = 32;
		return true;
	}
	if (!ipv6_parse(text, &ip6))
		return false;
	memcpy(network->ip, &ip6, sizeof(ip6));
	network->family = AF_INET6;
	*ret_bits = 128;
	return true;
}

int network_parse(struct span text, struct network *ret_network, bool *ret_had_host_bits, const char **ret_problem)
{
	struct network network = { 0 };
	unsigned int bits_max = 0;
	uint32_t bits = 0;
	if (span_equals(text, "unix:")) {
		network.family = AF_UNIX;
		*ret_network = network;
		*ret_had_host_bits = false;
		return 0;
	}
	const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
	struct span ip_text = { text.data, slash != NULL ? (size_t)(slash - text.data) : text.len };
	if (!network_ip_parse(ip_text, &network, &bits_max))
		return network_refuse(text, ret_problem);
	bits = bits_max;
	if (slash != NULL && !number_parse(span_from(text, ip_text.len + 1), bits_max, &bits))
		return refuse(bits_max == 32 ? "an IPv4 prefix has 0 to 32 bits" : "an IPv6 prefix has 0 to 128 bits",
			      ret_problem);
	network.prefix_bits = (uint8_t)(NETWORK_PREFIX_MAX - bits_max + bits);
	if (network.family == AF_INET6 && network.prefix_bits >= 96 && memcmp(network.ip, mapped_prefix, 12) == 0)
		network.family = AF_INET;
	*ret_had_host_bits = host_bits_clear(network.ip, network.prefix_bits);
	*ret_network = network;
	return 0;
}

char *network_format(const struct network *network, char *buf, size_t buf_bytes)
{
	char ip[INET6_ADDRSTRLEN] = "";
	CHECK(buf_bytes > 0);
	buf[0] = '\0';
	switch (network->family) {
	case AF_INET:
		inet_ntop(AF_INET, network->ip + 12, ip, sizeof(ip));
		snprintf(buf, buf_bytes, "%s/%u", ip, network->prefix_bits - 96u);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, network->ip, ip, sizeof(ip));
		snprintf(buf, buf_bytes, "%s/%u", ip, network->prefix_bits);
		break;
	case AF_UNIX:
		snprintf(buf, buf_bytes, "unix:");
		break;
	default:
		break;
	}
	return buf;
}

bool network_contains(const struct network *network, const struct endpoint *endpoint)
{
	if (network->family != endpoint->family || network->family == 0)
		return false;
	if (network->family == AF_UNIX)
		return true;
	unsigned int whole_bytes = network->prefix_bits / 8;
	unsigned int rest_bits = network->prefix_bits % 8;
	if (memcmp(network->ip, endpoint->ip, whole_bytes) != 0)
		return false;
	return rest_bits == 0 ||
	       ((network->ip[whole_bytes] ^ endpoint->ip[whole_bytes]) & (0xff00u >> rest_bits) & 0xff) == 0;
}

struct network network_from_endpoint(const struct endpoint *endpoint)
{
	struct network network = { .prefix_bits = 128, .family = endpoint->family };
	memcpy(network.ip, endpoint->ip, sizeof(network.ip));
	return network;
}
