/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are a header, the beginning of one, or none. What is true of all of them: a header stays the same whatever follows it,
 * every beginning of one wants more, a refusal does not depend on what follows, and what was read is written so that the same
 * is read again.
 */
#include "base/check.h"
#include "net/proxy_protocol.h"
#include "net/tlv.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_beginnings(struct span bytes, size_t header_len)
{
	struct proxy_header header;
	const char *problem;
	size_t step = header_len > 300 ? header_len / 100 : 1;
	for (size_t len = 0; len < header_len; len += step)
		CHECK(proxy_header_read((struct span){ bytes.data, len }, &header, &problem) == 0);
}

/* Once wrong, wrong for ever: there is a byte from which on it is refused. */
static void check_refusal(struct span bytes)
{
	struct proxy_header header;
	const char *problem;
	int last = 0;
	size_t step = bytes.len > 300 ? bytes.len / 100 : 1;
	for (size_t len = 0; len <= bytes.len; len += step) {
		int result = proxy_header_read((struct span){ bytes.data, len }, &header, &problem);
		CHECK(result == 0 || result == -EINVAL);
		CHECK(last == 0 || result == last);
		last = result;
	}
}

static void check_written(const struct proxy_header *header)
{
	static uint8_t buf[PROXY_V2_BYTES_MAX];
	struct proxy_header again;
	const char *problem;
	struct proxy_content content = { .source = &header->source,
					 .destination = &header->destination,
					 .transport = header->transport,
					 .tlvs = header->tlvs };
	size_t len = proxy_header_write_v2(&content, buf, sizeof(buf));
	if (len == 0) /* longer, because IPv4 was written as IPv6 */
		return;
	CHECK(proxy_header_read((struct span){ (const char *)buf, len }, &again, &problem) == 1);
	CHECK(again.len == len && again.has_addresses == header->has_addresses);
	if (header->has_addresses)
		CHECK(endpoint_equal(&again.source, &header->source) &&
		      endpoint_equal(&again.destination, &header->destination));
	len = proxy_header_write_v1(&content, buf, sizeof(buf));
	CHECK(len > 0 && len <= PROXY_V1_BYTES_MAX);
	CHECK(proxy_header_read((struct span){ (const char *)buf, len }, &again, &problem) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span bytes = { (const char *)data, len };
	struct proxy_header header;
	const char *problem;
	int result = proxy_header_read(bytes, &header, &problem);
	int begins = proxy_header_recognize(bytes);
	if (result == 1) {
		CHECK(header.len > 0 && header.len <= len && begins == 1);
		check_beginnings(bytes, header.len);
		check_written(&header);
	} else if (result == 0) {
		CHECK(begins >= 0);
	} else {
		CHECK(problem != NULL);
		check_refusal(bytes);
	}
	return 0;
}
