/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns_message.h"

#include <errno.h>
#include <stdio.h>

enum {
	CLASS_IN = 1,
	/* In the third byte of the header */
	BIT_RESPONSE = 0x80,
	BITS_OPCODE = 0x78,
	BIT_TRUNCATED = 0x02,
	BIT_RECURSION_DESIRED = 0x01,
	/* and in the fourth */
	BITS_RCODE = 0x0f,
};

static uint8_t *put_16(uint8_t *at, uint16_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
	return at + 2;
}

/* The labels of the name, each behind its length; returns where they end, or NULL. */
static uint8_t *put_name(uint8_t *at, struct span name)
{
	const uint8_t *start = at;
	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	else if (name.len == 0)
		return NULL;
	while (name.len > 0) {
		const char *dot = memchr(name.data, '.', name.len);
		size_t len = dot != NULL ? (size_t)(dot - name.data) : name.len;
		bool is_last_empty = dot != NULL && len + 1 == name.len;
		size_t written_len = (size_t)(at - start);
		if (len == 0 || is_last_empty || len > DNS_LABEL_BYTES_MAX ||
		    written_len + 1 + len + 1 > DNS_NAME_BYTES_MAX)
			return NULL;
		*at++ = (uint8_t)len;
		memcpy(at, name.data, len);
		at += len;
		name.data += dot != NULL ? len + 1 : len;
		name.len -= dot != NULL ? len + 1 : len;
	}
	*at++ = 0;
	return at;
}

int dns_write_query(uint16_t id, struct span name, uint16_t type, uint8_t *buf)
{
	uint8_t *at = put_16(buf, id);
	at = put_16(at, BIT_RECURSION_DESIRED << 8);
	at = put_16(at, 1); /* questions */
	for (int i = 0; i < 3; i++)
		at = put_16(at, 0); /* records of the three sections */
	at = put_name(at, name);
	if (at == NULL)
		return -EINVAL;
	at = put_16(at, type);
	at = put_16(at, CLASS_IN);
	return (int)(at - buf);
}

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* The lengths of labels are below 64 and so never letters. */
static bool is_same_question(const uint8_t *a, const uint8_t *b, size_t len)
{
	const size_t name_len = len - 4;
	for (size_t i = 0; i < name_len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return memcmp(a + name_len, b + name_len, 4) == 0;
}

bool dns_read_answer(struct span query, struct span datagram, struct dns_answer *ret_answer)
{
	const uint8_t *asked = (const uint8_t *)query.data;
	const uint8_t *told = (const uint8_t *)datagram.data;
	if (query.len < DNS_HEADER_BYTES + 5 || datagram.len < query.len)
		return false;
	bool is_same_id = told[0] == asked[0] && told[1] == asked[1];
	bool is_response = (told[2] & (BIT_RESPONSE | BITS_OPCODE)) == BIT_RESPONSE;
	bool is_one_question = told[4] == 0 && told[5] == 1;
	if (!is_same_id || !is_response || !is_one_question ||
	    !is_same_question(asked + DNS_HEADER_BYTES, told + DNS_HEADER_BYTES, query.len - DNS_HEADER_BYTES))
		return false;
	ret_answer->rcode = told[3] & BITS_RCODE;
	ret_answer->is_truncated = (told[2] & BIT_TRUNCATED) != 0;
	return true;
}

char *dns_format_rcode(unsigned int rcode, char *buf)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };
	if (rcode < sizeof(names) / sizeof(names[0]))
		snprintf(buf, DNS_RCODE_TEXT_BYTES, "%s", names[rcode]);
	else
		snprintf(buf, DNS_RCODE_TEXT_BYTES, "rcode %u", rcode);
	return buf;
}
