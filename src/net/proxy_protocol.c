/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy_protocol.h"

#include "net/crc32c.h"
#include "net/tlv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

/* --- version 1: a line of text ----------------------------------------------------------------------------------- */

enum outcome { WHOLE, SHORT, WRONG };

/* What is left of the line; what is not there yet may still be right. */
struct cursor {
	const char *at;
	const char *end;
};

static size_t left_of(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

static enum outcome take_text(struct cursor *cursor, const char *text)
{
	size_t len = strlen(text);
	size_t there = left_of(cursor) < len ? left_of(cursor) : len;
	if (memcmp(cursor->at, text, there) != 0)
		return WRONG;
	cursor->at += there;
	return there == len ? WHOLE : SHORT;
}

/* A word of these characters, up to the character behind it. */
static enum outcome take_word(struct cursor *cursor, const char *characters, size_t len_max, char behind,
			      struct span *ret_word)
{
	*ret_word = (struct span){ cursor->at, 0 };
	for (; cursor->at < cursor->end; cursor->at++) {
		if (*cursor->at == behind) {
			cursor->at++;
			return ret_word->len > 0 ? WHOLE : WRONG;
		}
		if (*cursor->at == '\0' || strchr(characters, *cursor->at) == NULL || ret_word->len == len_max)
			return WRONG;
		ret_word->len++;
	}
	return SHORT;
}

static enum outcome take_address(struct cursor *cursor, int family, struct addr *ret_addr)
{
	char text[INET6_ADDRSTRLEN];
	struct span word;
	bool is_ipv4 = family == AF_INET;
	const char *characters = is_ipv4 ? "0123456789." : "0123456789abcdefABCDEF:.";
	size_t len_max = is_ipv4 ? INET_ADDRSTRLEN - 1 : INET6_ADDRSTRLEN - 1;
	enum outcome outcome = take_word(cursor, characters, len_max, ' ', &word);
	if (outcome != WHOLE)
		return outcome;
	span_copy(word, text, sizeof(text));
	*ret_addr = (struct addr){ 0 };
	ret_addr->sa.sa_family = (sa_family_t)family;
	void *place = is_ipv4 ? (void *)&ret_addr->in.sin_addr : (void *)&ret_addr->in6.sin6_addr;
	return inet_pton(family, text, place) == 1 ? WHOLE : WRONG;
}

static enum outcome take_port(struct cursor *cursor, char behind, struct addr *addr)
{
	struct span word;
	uint32_t port = 0;
	enum outcome outcome = take_word(cursor, "0123456789", 5, behind, &word);
	if (outcome != WHOLE)
		return outcome;
	for (size_t i = 0; i < word.len; i++)
		port = port * 10 + (uint32_t)(word.data[i] - '0');
	if (port > UINT16_MAX || (word.len > 1 && word.data[0] == '0'))
		return WRONG;
	addr_set_port(addr, (uint16_t)port);
	return WHOLE;
}

static enum outcome take_addresses(struct cursor *cursor, int family, struct proxy_header *header)
{
	struct addr source, destination;
	enum outcome outcome = take_address(cursor, family, &source);
	if (outcome == WHOLE)
		outcome = take_address(cursor, family, &destination);
	if (outcome == WHOLE)
		outcome = take_port(cursor, ' ', &source);
	if (outcome == WHOLE)
		outcome = take_port(cursor, '\r', &destination);
	if (outcome != WHOLE)
		return outcome;
	header->has_addresses = true;
	header->transport = PROXY_TRANSPORT_STREAM;
	header->source = endpoint_from_addr(&source);
	header->destination = endpoint_from_addr(&destination);
	return WHOLE;
}

/* Whatever follows UNKNOWN is skipped. */
static enum outcome skip_line(struct cursor *cursor)
{
	const char *end = memchr(cursor->at, '\r', left_of(cursor));
	cursor->at = end != NULL ? end + 1 : cursor->end;
	return end != NULL ? WHOLE : SHORT;
}

static enum outcome take_protocol(struct cursor *cursor, struct proxy_header *header)
{
	char kind = left_of(cursor) > 0 ? cursor->at[0] : 'U';
	if (kind == 'U') {
		enum outcome outcome = take_text(cursor, "UNKNOWN");
		if (outcome != WHOLE || left_of(cursor) == 0)
			return outcome == WHOLE ? SHORT : outcome;
		return *cursor->at == ' ' || *cursor->at == '\r' ? skip_line(cursor) : WRONG;
	}
	enum outcome outcome = take_text(cursor, "TCP");
	if (outcome != WHOLE || left_of(cursor) == 0)
		return outcome == WHOLE ? SHORT : outcome;
	int family = *cursor->at == '4' ? AF_INET : AF_INET6;
	outcome = take_text(cursor, family == AF_INET ? "4 " : "6 ");
	return outcome == WHOLE ? take_addresses(cursor, family, header) : outcome;
}

static enum outcome read_v1(struct span bytes, struct proxy_header *header)
{
	size_t len = bytes.len < PROXY_V1_BYTES_MAX ? bytes.len : PROXY_V1_BYTES_MAX;
	struct cursor cursor = { bytes.data, bytes.data + len };
	header->version = 1;
	enum outcome outcome = take_text(&cursor, "PROXY ");
	if (outcome == WHOLE)
		outcome = take_protocol(&cursor, header);
	if (outcome == WHOLE)
		outcome = take_text(&cursor, "\n");
	header->len = (size_t)(cursor.at - bytes.data);
	return outcome == SHORT && len == PROXY_V1_BYTES_MAX ? WRONG : outcome;
}

/* --- version 2: binary ------------------------------------------------------------------------------------------- */

enum {
	AT_COMMAND = PROXY_V2_SIGNATURE_BYTES, /* with the version in the upper half */
	AT_FAMILY = 13,                        /* in the upper half; the transport in the lower one */
	AT_LENGTH = 14,
	COMMAND_LOCAL = 0x20,
	COMMAND_PROXY = 0x21,
	FAMILY_UNSPEC = 0,
	FAMILY_INET = 1,
	FAMILY_INET6 = 2,
	FAMILY_UNIX = 3,
	UNIX_PATH_BYTES = 108,
	CHECKSUM_BYTES = 4,
};

static const uint8_t signature[PROXY_V2_SIGNATURE_BYTES] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
							     0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };
static const size_t address_bytes[] = {
	[FAMILY_UNSPEC] = 0, [FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 2 * UNIX_PATH_BYTES
};

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct endpoint get_endpoint(int family, const uint8_t *ip, const uint8_t *port)
{
	struct addr addr = { 0 };
	switch (family) {
	case FAMILY_INET:
		addr.in.sin_family = AF_INET;
		memcpy(&addr.in.sin_addr, ip, 4);
		break;
	case FAMILY_INET6:
		addr.in6.sin6_family = AF_INET6;
		memcpy(&addr.in6.sin6_addr, ip, 16);
		break;
	default:
		return (struct endpoint){ .family = AF_UNIX };
	}
	addr_set_port(&addr, get_16(port));
	return endpoint_from_addr(&addr);
}

static void get_addresses(const uint8_t *at, int family, struct proxy_header *header)
{
	size_t ip_bytes = family == FAMILY_INET ? 4 : 16;
	const uint8_t *ports = at + 2 * ip_bytes;
	header->has_addresses = true;
	header->source = get_endpoint(family, at, ports);
	header->destination = get_endpoint(family, at + ip_bytes, ports + 2);
}

/* Of the whole header, with zeroes where the checksum stands. */
static bool has_right_checksum(struct span bytes, struct span checksum)
{
	static const uint8_t zeroes[CHECKSUM_BYTES];
	size_t before = (size_t)(checksum.data - bytes.data);
	uint32_t expected, found = crc32c(0, bytes.data, before);
	found = crc32c(found, zeroes, CHECKSUM_BYTES);
	found = crc32c(found, checksum.data + CHECKSUM_BYTES, bytes.len - before - CHECKSUM_BYTES);
	memcpy(&expected, checksum.data, sizeof(expected));
	return ntohl(expected) == found;
}

static const char *find_tlv_problem(struct span bytes, struct span tlvs)
{
	struct tlv_reader reader = tlv_read(tlvs);
	struct tlv tlv;
	while (tlv_next(&reader, &tlv)) {
		if (tlv.type != PROXY_TLV_CRC32C)
			continue;
		if (tlv.value.len != CHECKSUM_BYTES || !has_right_checksum(bytes, tlv.value))
			return "the checksum of the PROXY header is wrong";
	}
	return reader.is_broken ? "a TLV of the PROXY header reaches beyond its end" : NULL;
}

/* The four bytes behind the signature, as far as they are there. */
static const char *find_head_problem(struct span bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	if (bytes.len > AT_COMMAND && at[AT_COMMAND] >> 4 != 2)
		return "the PROXY header has an unknown version";
	if (bytes.len > AT_COMMAND && at[AT_COMMAND] != COMMAND_LOCAL && at[AT_COMMAND] != COMMAND_PROXY)
		return "the PROXY header has an unknown command";
	if (bytes.len <= AT_FAMILY || at[AT_COMMAND] == COMMAND_LOCAL)
		return NULL;
	if (at[AT_FAMILY] >> 4 > FAMILY_UNIX || (at[AT_FAMILY] & 0x0f) > PROXY_TRANSPORT_DATAGRAM)
		return "the PROXY header has an unknown family of addresses";
	if (bytes.len < PROXY_V2_HEAD_BYTES)
		return NULL;
	bool is_short = get_16(at + AT_LENGTH) < address_bytes[at[AT_FAMILY] >> 4];
	return is_short ? "the PROXY header is too short for its addresses" : NULL;
}

static enum outcome read_v2(struct span bytes, struct proxy_header *header, const char **ret_problem)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	const char *problem = find_head_problem(bytes);
	header->version = 2;
	if (problem != NULL) {
		*ret_problem = problem;
		return WRONG;
	}
	if (bytes.len < PROXY_V2_HEAD_BYTES || bytes.len < PROXY_V2_HEAD_BYTES + (size_t)get_16(at + AT_LENGTH))
		return SHORT;
	header->len = PROXY_V2_HEAD_BYTES + (size_t)get_16(at + AT_LENGTH);
	int family = at[AT_FAMILY] >> 4;
	if (at[AT_COMMAND] == COMMAND_LOCAL || family == FAMILY_UNSPEC)
		return WHOLE;
	header->transport = at[AT_FAMILY] & 0x0f;
	get_addresses(at + PROXY_V2_HEAD_BYTES, family, header);
	size_t addresses_end = PROXY_V2_HEAD_BYTES + address_bytes[family];
	header->tlvs = (struct span){ bytes.data + addresses_end, header->len - addresses_end };
	problem = find_tlv_problem((struct span){ bytes.data, header->len }, header->tlvs);
	if (problem != NULL)
		*ret_problem = problem;
	return problem != NULL ? WRONG : WHOLE;
}

/* --- either ------------------------------------------------------------------------------------------------------ */

static bool begins_like(struct span bytes, const void *text, size_t text_bytes)
{
	size_t len = bytes.len < text_bytes ? bytes.len : text_bytes;
	return memcmp(bytes.data, text, len) == 0;
}

int proxy_header_read(struct span bytes, struct proxy_header *ret_header, const char **ret_problem)
{
	static const int results[] = { [WHOLE] = 1, [SHORT] = 0, [WRONG] = -EINVAL };
	*ret_header = (struct proxy_header){ 0 };
	*ret_problem = NULL;
	if (bytes.len == 0)
		return 0;
	if (begins_like(bytes, signature, sizeof(signature)))
		return results[read_v2(bytes, ret_header, ret_problem)];
	enum outcome outcome = read_v1(bytes, ret_header);
	if (outcome == WRONG)
		*ret_problem = begins_like(bytes, "PROXY ", 6) ? "the line of the PROXY header is malformed"
							       : "it does not begin with a PROXY header";
	return results[outcome];
}

int proxy_header_recognize(struct span bytes)
{
	static const char *const lines[] = { "PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN" };
	if (bytes.len == 0)
		return 0;
	if (begins_like(bytes, signature, sizeof(signature)))
		return bytes.len >= sizeof(signature);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (begins_like(bytes, lines[i], strlen(lines[i])))
			return bytes.len >= strlen(lines[i]);
	return -1;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static bool is_ip(const struct endpoint *endpoint)
{
	return endpoint->family == AF_INET || endpoint->family == AF_INET6;
}

/* Addresses of both families are written as IPv6, which has a place for those of IPv4. */
static int family_of(const struct proxy_content *content)
{
	if (content->source->family == AF_UNIX && content->destination->family == AF_UNIX)
		return FAMILY_UNIX;
	if (!is_ip(content->source) || !is_ip(content->destination))
		return FAMILY_UNSPEC;
	bool are_ipv4 = content->source->family == AF_INET && content->destination->family == AF_INET;
	return are_ipv4 ? FAMILY_INET : FAMILY_INET6;
}

static void format_ip(int family, const struct endpoint *endpoint, char text[INET6_ADDRSTRLEN])
{
	if (family == FAMILY_INET)
		inet_ntop(AF_INET, endpoint->ip + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, endpoint->ip, text, INET6_ADDRSTRLEN);
}

size_t proxy_header_write_v1(const struct proxy_content *content, uint8_t *buf, size_t buf_bytes)
{
	char line[PROXY_V1_BYTES_MAX + 1], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	int family = family_of(content);
	int len;
	if (family == FAMILY_INET || family == FAMILY_INET6) {
		format_ip(family, content->source, source);
		format_ip(family, content->destination, destination);
		len = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n", family == FAMILY_INET ? '4' : '6',
			       source, destination, content->source->port, content->destination->port);
	} else {
		len = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	}
	if ((size_t)len > buf_bytes)
		return 0;
	memcpy(buf, line, (size_t)len);
	return (size_t)len;
}

/* Everything that does not fit is left out, and noticed at the end. */
struct writer {
	uint8_t *buf;
	size_t bytes;
	size_t len;
};

static void put(struct writer *writer, const void *value, size_t len)
{
	if (len > 0 && writer->len + len <= writer->bytes)
		memcpy(writer->buf + writer->len, value, len);
	writer->len += len;
}

static void put_16(struct writer *writer, size_t number)
{
	uint16_t value = htons((uint16_t)number);
	put(writer, &value, sizeof(value));
}

static void put_tlv(struct writer *writer, uint8_t type, struct span value)
{
	put(writer, &type, 1);
	put_16(writer, value.len);
	put(writer, value.data, value.len);
}

static void put_addresses(struct writer *writer, const struct proxy_content *content, int family)
{
	static const uint8_t no_paths[2 * UNIX_PATH_BYTES];
	size_t skipped = family == FAMILY_INET ? 12 : 0;
	if (family == FAMILY_UNIX)
		put(writer, no_paths, sizeof(no_paths));
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return;
	put(writer, content->source->ip + skipped, 16 - skipped);
	put(writer, content->destination->ip + skipped, 16 - skipped);
	put_16(writer, content->source->port);
	put_16(writer, content->destination->port);
}

static bool is_replaced(const struct proxy_content *content, uint16_t type)
{
	return type == PROXY_TLV_CRC32C || (type == PROXY_TLV_AUTHORITY && content->authority.len > 0) ||
	       (type == PROXY_TLV_UNIQUE_ID && content->unique_id.len > 0);
}

static void put_tlvs(struct writer *writer, const struct proxy_content *content)
{
	struct tlv_reader reader = tlv_read(content->tlvs);
	struct tlv tlv;
	while (tlv_next(&reader, &tlv))
		if (!is_replaced(content, tlv.type))
			put_tlv(writer, (uint8_t)tlv.type, tlv.value);
	if (content->authority.len > 0)
		put_tlv(writer, PROXY_TLV_AUTHORITY, content->authority);
	if (content->unique_id.len > 0)
		put_tlv(writer, PROXY_TLV_UNIQUE_ID, content->unique_id);
}

/* A proxy that says nothing of addresses says nothing else: receivers skip what follows them. */
size_t proxy_header_write_v2(const struct proxy_content *content, uint8_t *buf, size_t buf_bytes)
{
	struct writer writer = { .buf = buf, .bytes = buf_bytes < PROXY_V2_BYTES_MAX ? buf_bytes : PROXY_V2_BYTES_MAX };
	int family = family_of(content);
	uint8_t command = family == FAMILY_UNSPEC ? COMMAND_LOCAL : COMMAND_PROXY;
	int transport = family == FAMILY_UNSPEC ? PROXY_TRANSPORT_NONE : (int)content->transport;
	uint8_t kind = (uint8_t)(family << 4 | transport);
	put(&writer, signature, sizeof(signature));
	put(&writer, &command, 1);
	put(&writer, &kind, 1);
	put_16(&writer, 0);
	put_addresses(&writer, content, family);
	if (family != FAMILY_UNSPEC)
		put_tlvs(&writer, content);
	if (writer.len > writer.bytes)
		return 0;
	uint16_t length = htons((uint16_t)(writer.len - PROXY_V2_HEAD_BYTES));
	memcpy(buf + AT_LENGTH, &length, sizeof(length));
	return writer.len;
}
