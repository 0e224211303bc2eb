/* SPDX-License-Identifier: Apache-2.0 */
#include "config/server_address.h"

#include "base/check.h"
#include "base/host_name.h"

#include <errno.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SRV_PREFIX "srv:"

enum { SHORTENED_END_BYTES = 5 }; /* "~3f2a" */

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

static bool looks_numeric(struct span host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9'))
			return false;
	}
	return true;
}

/* Everything that addr_parse knows better: unix sockets, brackets, numbers, wildcards. */
static bool is_for_addr_parse(struct span text)
{
	const char *colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
	struct span host = { text.data, colon != NULL ? (size_t)(colon - text.data) : text.len };
	bool has_more_colons = colon != NULL && memchr(colon + 1, ':', text.len - host.len - 1) != NULL;
	return has_more_colons || span_starts_with(text, "unix:") || looks_numeric(host) || text.data[0] == '[' ||
	       text.data[0] == '*';
}

static int addr_text_parse(struct span text, struct config_server *ret_server, const char **ret_problem)
{
	struct addr addr;
	int error = addr_parse(text, &addr, ret_problem);
	if (error != 0)
		return error;
	for (size_t i = 0; addr_is_unix(&addr) && i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return refuse("a path cannot hold control characters", ret_problem);
	}
	ret_server->addr = addr;
	return 0;
}

static int srv_parse(struct span name, struct config_server *ret_server, const char **ret_problem)
{
	char host[HOST_NAME_BYTES];
	if (name.len > 0 && memchr(name.data, ':', name.len) != NULL)
		return refuse("srv: takes no port: the records tell it", ret_problem);
	int error = host_name_parse(name, host, ret_problem);
	if (error != 0)
		return error;
	memcpy(ret_server->host, host, sizeof(host));
	ret_server->is_srv = true;
	return 0;
}

static int host_parse(struct span text, struct config_server *ret_server, const char **ret_problem)
{
	char host[HOST_NAME_BYTES];
	uint16_t port = 0;
	const char *colon = memchr(text.data, ':', text.len);
	struct span name = { text.data, colon != NULL ? (size_t)(colon - text.data) : text.len };
	int error = host_name_parse(name, host, ret_problem);
	if (error != 0)
		return error;
	if (colon == NULL)
		return refuse("the port is missing: db.example.com:5432", ret_problem);
	error = addr_parse_port((struct span){ colon + 1, text.len - name.len - 1 }, &port, ret_problem);
	if (error != 0)
		return error;
	memcpy(ret_server->host, host, sizeof(host));
	ret_server->port = port;
	return 0;
}

int server_address_parse(struct span text, struct config_server *ret_server, const char **ret_problem)
{
	const size_t prefix_len = sizeof(SRV_PREFIX) - 1;
	if (span_starts_with(text, SRV_PREFIX))
		return srv_parse((struct span){ text.data + prefix_len, text.len - prefix_len }, ret_server,
				 ret_problem);
	if (text.len == 0 || is_for_addr_parse(text))
		return addr_text_parse(text, ret_server, ret_problem);
	return host_parse(text, ret_server, ret_problem);
}

bool server_address_equal(const struct config_server *a, const struct config_server *b)
{
	if (a->host[0] == '\0' && b->host[0] == '\0')
		return addr_equal(&a->addr, &b->addr);
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->is_srv == b->is_srv;
}

/* A unix path may be longer than a name: then the end of it, which tells more than the beginning, is kept. */
static void addr_name(const struct addr *addr, char *buf)
{
	char text[ADDR_TEXT_BYTES];
	addr_format(addr, text, sizeof(text));
	size_t len = strlen(text);
	size_t cut = len < CONFIG_NAME_BYTES ? 0 : len - (CONFIG_NAME_BYTES - 1);
	span_copy(span_from_text(text + cut), buf, CONFIG_NAME_BYTES);
	if (cut > 0)
		memcpy(buf, "unix:", 5);
}

char *server_address_format(const struct config_server *server, char *buf)
{
	if (server->host[0] == '\0')
		addr_format(&server->addr, buf, SERVER_ADDRESS_TEXT_BYTES);
	else if (server->is_srv)
		snprintf(buf, SERVER_ADDRESS_TEXT_BYTES, SRV_PREFIX "%s", server->host);
	else
		snprintf(buf, SERVER_ADDRESS_TEXT_BYTES, "%s:%u", server->host, server->port);
	return buf;
}

char *server_address_name(const struct config_server *server, char *buf)
{
	char text[SERVER_ADDRESS_TEXT_BYTES];
	if (server->host[0] == '\0') {
		addr_name(&server->addr, buf);
		return buf;
	}
	return server_name_shorten(span_from_text(server_address_format(server, text)), CONFIG_NAME_BYTES - 1, 0, buf);
}

char *server_name_shorten(struct span text, size_t room, uint32_t salt, char *buf)
{
	CHECK(room > SHORTENED_END_BYTES);
	if (text.len <= room && salt == 0) {
		span_copy(text, buf, room + 1);
		return buf;
	}
	size_t kept = room - SHORTENED_END_BYTES;
	uint64_t hash = XXH3_64bits_withSeed(text.data, text.len, salt);
	if (text.len < kept)
		kept = text.len;
	memcpy(buf, text.data, kept);
	snprintf(buf + kept, room + 1 - kept, "~%04x", (unsigned int)(hash & 0xffff));
	return buf;
}
