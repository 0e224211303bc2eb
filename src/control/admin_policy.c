/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_policy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { PORT_DIGITS_MAX = 5 };

/* What stands before the port; empty when the port is malformed. "[::1]:80" gives "[::1]". */
static struct span without_port(struct span host)
{
	const char *colon = memrchr(host.data, ':', host.len);
	bool is_inside_brackets = host.len > 0 && host.data[host.len - 1] == ']';
	if (colon == NULL || is_inside_brackets)
		return host;
	size_t name_bytes = (size_t)(colon - host.data);
	size_t digits = host.len - name_bytes - 1;
	if (digits == 0 || digits > PORT_DIGITS_MAX || strspn(colon + 1, "0123456789") != digits)
		return (struct span){ host.data, 0 };
	return (struct span){ host.data, name_bytes };
}

/* Reads "10.0.0.1" or "[::1]" into an address without a port. */
static bool read_ip(struct span text, struct addr *ret_addr)
{
	char buf[INET6_ADDRSTRLEN];
	bool is_bracketed = text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']';
	if (is_bracketed)
		text = (struct span){ text.data + 1, text.len - 2 };
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sa.sa_family = is_bracketed ? AF_INET6 : AF_INET;
	ret_addr->len = is_bracketed ? sizeof(ret_addr->in6) : sizeof(ret_addr->in);
	void *ip = is_bracketed ? (void *)&ret_addr->in6.sin6_addr : (void *)&ret_addr->in.sin_addr;
	return span_copy(text, buf, sizeof(buf)) && inet_pton(ret_addr->sa.sa_family, buf, ip) == 1;
}

static bool is_standard_loopback(const struct addr *ip)
{
	if (ip->sa.sa_family == AF_INET)
		return ip->in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	return IN6_IS_ADDR_LOOPBACK(&ip->in6.sin6_addr);
}

static bool is_local_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '-' && name.data[i] != '_')
			return false;
	return name.len > 0;
}

bool admin_policy_accepts_host(const char *host, const struct addr *listen)
{
	struct addr ip;
	if (host == NULL)
		return true;
	struct span name = without_port(span_from_text(host));
	if (name.len == strlen("localhost") && strncasecmp(name.data, "localhost", name.len) == 0)
		return true;
	if (!read_ip(name, &ip))
		return addr_is_unix(listen) && is_local_name(name);
	if (addr_is_unix(listen) || is_standard_loopback(&ip) || addr_is_any(listen))
		return true;
	addr_set_port(&ip, addr_port(listen));
	return addr_equal(&ip, listen);
}

bool admin_policy_accepts_origin(const char *origin, const char *host)
{
	static const char scheme[] = "http://";
	if (origin == NULL)
		return true;
	return host != NULL && strncasecmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
	       strcasecmp(origin + sizeof(scheme) - 1, host) == 0;
}

bool admin_policy_accepts_fetch(const char *site, const char *mode, const char *dest)
{
	if (site == NULL || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0)
		return true;
	return mode != NULL && strcmp(mode, "navigate") == 0 && dest != NULL && strcmp(dest, "document") == 0;
}

bool admin_policy_accepts_token(const char *authorization, const char *token)
{
	static const char scheme[] = "Bearer ";
	if (token == NULL)
		return true;
	if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return false;
	const char *given = authorization + sizeof(scheme) - 1;
	given += strspn(given, " ");
	size_t given_bytes = strlen(given);
	size_t token_bytes = strlen(token);
	/* The time depends on what was given, never on how much of it is right. */
	unsigned int difference = given_bytes != token_bytes || token_bytes == 0;
	for (size_t i = 0; i < given_bytes; i++)
		difference |= (unsigned char)given[i] ^ (unsigned char)token[token_bytes > 0 ? i % token_bytes : 0];
	return difference == 0;
}
