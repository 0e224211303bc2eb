/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is a name or is none, and any datagram an answer to it or not. The first byte is the length of the name; the
 * datagram follows. Whatever is written as a query is also known again as its own answer.
 */
#include "base/check.h"
#include "net/dns_message.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t query[DNS_QUERY_BYTES_MAX], echo[DNS_QUERY_BYTES_MAX];
	struct dns_answer answer = { 0 };
	if (len == 0)
		return 0;
	size_t name_len = data[0] < len - 1 ? data[0] : len - 1;
	struct span name = { (const char *)data + 1, name_len };
	struct span datagram = { (const char *)data + 1 + name_len, len - 1 - name_len };
	int query_len = dns_write_query(0x1234, name, 2, query);
	if (query_len < 0)
		query_len = dns_write_query(0x1234, span_from_text("example.test"), 2, query);
	CHECK(query_len > DNS_HEADER_BYTES && query_len <= DNS_QUERY_BYTES_MAX);
	struct span asked = { (const char *)query, (size_t)query_len };
	if (dns_read_answer(asked, datagram, &answer))
		CHECK(answer.rcode < DNS_RCODE_COUNT);
	memcpy(echo, query, (size_t)query_len);
	CHECK(!dns_read_answer(asked, (struct span){ (const char *)echo, (size_t)query_len }, &answer));
	echo[2] |= 0x80;
	bool is_read = dns_read_answer(asked, (struct span){ (const char *)echo, (size_t)query_len }, &answer);
	CHECK(is_read);
	return 0;
}
