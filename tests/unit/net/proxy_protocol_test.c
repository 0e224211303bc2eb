/* SPDX-License-Identifier: Apache-2.0 */
#include "net/crc32c.h"
#include "net/proxy_protocol.h"
#include "net/tlv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) ((struct span){ text, sizeof(text) - 1 })

/* In memory of just that size, so that sanitizers see every byte that is read beyond it. */
static int read_copy(struct span bytes, struct proxy_header *header, const char **problem)
{
	char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	assert_non_null(copy);
	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	int result = proxy_header_read((struct span){ copy, bytes.len }, header, problem);
	free(copy);
	return result;
}

/* Split at every byte more is wanted; whole, and with something behind it, it is as long as it is. */
static struct proxy_header read_whole(struct span bytes)
{
	struct proxy_header header;
	const char *problem;
	char *longer = malloc(bytes.len + 9);
	assert_non_null(longer);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(read_copy((struct span){ bytes.data, len }, &header, &problem), 0);
	memcpy(longer, bytes.data, bytes.len);
	memcpy(longer + bytes.len, "\r\nGET / \r", 9);
	assert_int_equal(read_copy((struct span){ longer, bytes.len + 9 }, &header, &problem), 1);
	assert_int_equal(header.len, bytes.len);
	free(longer);
	assert_int_equal(proxy_header_read(bytes, &header, &problem), 1);
	assert_null(problem);
	assert_int_equal(header.len, bytes.len);
	return header;
}

/* At the byte where it goes wrong, and not later: what is before that could be the beginning of a header. */
static const char *refused_at(struct span bytes, size_t wrong_at)
{
	struct proxy_header header;
	const char *problem;
	for (size_t len = 0; len <= wrong_at; len++)
		assert_int_equal(read_copy((struct span){ bytes.data, len }, &header, &problem), 0);
	for (size_t len = wrong_at + 1; len <= bytes.len; len++)
		assert_int_equal(read_copy((struct span){ bytes.data, len }, &header, &problem), -EINVAL);
	assert_non_null(problem);
	return problem;
}

static void assert_endpoints(const struct proxy_header *header, const char *source, const char *destination)
{
	char text[ENDPOINT_TEXT_BYTES];
	assert_true(header->has_addresses);
	assert_string_equal(endpoint_format(&header->source, text, sizeof(text)), source);
	assert_string_equal(endpoint_format(&header->destination, text, sizeof(text)), destination);
}

/* --- version 1 --------------------------------------------------------------------------------------------------- */

static void reads_lines(void **state)
{
	(void)state;
	struct proxy_header header = read_whole(BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"));
	assert_int_equal(header.version, 1);
	assert_int_equal(header.transport, PROXY_TRANSPORT_STREAM);
	assert_endpoints(&header, "192.0.2.1:56324", "198.51.100.2:443");
	header = read_whole(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"));
	assert_endpoints(&header, "255.255.255.255:65535", "255.255.255.255:65535");
	header = read_whole(BYTES("PROXY TCP6 2001:db8::1 ::1 0 1\r\n"));
	assert_endpoints(&header, "[2001:db8::1]:0", "[::1]:1");
	header = read_whole(BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
				  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
	assert_int_equal(header.len, 104);
	header = read_whole(BYTES("PROXY TCP6 ::ffff:192.0.2.1 2001:DB8::2 1 2\r\n"));
	assert_endpoints(&header, "192.0.2.1:1", "[2001:db8::2]:2");
}

static void reads_unknown(void **state)
{
	(void)state;
	assert_false(read_whole(BYTES("PROXY UNKNOWN\r\n")).has_addresses);
	assert_false(read_whole(BYTES("PROXY UNKNOWN \r\n")).has_addresses);
	assert_false(read_whole(BYTES("PROXY UNKNOWN anything \t\n at all\r\n")).has_addresses);
	struct proxy_header longest = read_whole(BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
						       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
	assert_int_equal(longest.len, PROXY_V1_BYTES_MAX);
}

static void refuses_wrong_lines(void **state)
{
	static const struct {
		struct span line;
		size_t wrong_at;
	} lines[] = {
		{ BYTES("GET / HTTP/1.1\r\n"), 0 },
		{ BYTES("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 0 },
		{ BYTES("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 6 },
		{ BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), 7 },
		{ BYTES("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), 9 },
		{ BYTES("PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n"), 10 },
		{ BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), 11 },
		{ BYTES("PROXY TCP4 example.com 192.0.2.2 1 2\r\n"), 11 },
		{ BYTES("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), 22 },
		{ BYTES("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), 21 },
		{ BYTES("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), 18 },
		{ BYTES("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n"), 15 },
		{ BYTES("PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n"), 20 },
		{ BYTES("PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n"), 18 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), 36 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), 33 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"), 31 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), 32 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), 34 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), 34 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r"), 35 },
		{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), 33 },
		{ BYTES("PROXY UNKNOWNS\r\n"), 13 },
		{ BYTES("PROXY UNKNOWN \r\r\n"), 15 },
		{ BYTES("PROXY UNKNOWN\n"), 13 },
		{ BYTES("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), 20 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		print_message("%s\n", lines[i].line.data);
		const char *problem = refused_at(lines[i].line, lines[i].wrong_at);
		bool begins_right = lines[i].wrong_at >= 6;
		assert_string_equal(problem, begins_right ? "the line of the PROXY header is malformed"
							  : "it does not begin with a PROXY header");
	}
}

static void refuses_long_lines(void **state)
{
	char line[200];
	struct proxy_header header;
	const char *problem;
	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_header_read((struct span){ line, PROXY_V1_BYTES_MAX - 1 }, &header, &problem), 0);
	assert_int_equal(proxy_header_read((struct span){ line, PROXY_V1_BYTES_MAX }, &header, &problem), -EINVAL);
	memcpy(line + PROXY_V1_BYTES_MAX - 1, "\r\n", 2);
	assert_int_equal(proxy_header_read((struct span){ line, sizeof(line) }, &header, &problem), -EINVAL);
}

/* --- version 2 --------------------------------------------------------------------------------------------------- */

static void reads_binary(void **state)
{
	(void)state;
	struct proxy_header header =
		read_whole(BYTES(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"));
	assert_int_equal(header.version, 2);
	assert_int_equal(header.transport, PROXY_TRANSPORT_STREAM);
	assert_int_equal(header.tlvs.len, 0);
	assert_endpoints(&header, "192.0.2.1:56324", "198.51.100.2:443");
	header = read_whole(BYTES(SIGNATURE "\x21\x22\x00\x24"
					    " \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
					    " \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x35\xff\xff"));
	assert_int_equal(header.transport, PROXY_TRANSPORT_DATAGRAM);
	assert_endpoints(&header, "[2001:db8::1]:53", "[2001:db8::2]:65535");
	header = read_whole(BYTES(SIGNATURE "\x21\x10\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"));
	assert_int_equal(header.transport, PROXY_TRANSPORT_NONE);
}

static void reads_unix(void **state)
{
	char bytes[16 + 216] = SIGNATURE "\x21\x31\x00\xd8/a/path";
	(void)state;
	struct proxy_header header = read_whole((struct span){ bytes, sizeof(bytes) });
	assert_endpoints(&header, "unix:", "unix:");
}

/* The family of LOCAL does not matter, nor what follows; UNSPEC says nothing that could be used. */
static void reads_those_without_addresses(void **state)
{
	(void)state;
	assert_false(read_whole(BYTES(SIGNATURE "\x20\x00\x00\x00")).has_addresses);
	assert_false(read_whole(BYTES(SIGNATURE "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"))
			     .has_addresses);
	assert_false(read_whole(BYTES(SIGNATURE "\x20\xff\x00\x03xyz")).has_addresses);
	assert_false(read_whole(BYTES(SIGNATURE "\x21\x00\x00\x00")).has_addresses);
	struct proxy_header header = read_whole(BYTES(SIGNATURE "\x21\x01\x00\x05hello"));
	assert_false(header.has_addresses);
	assert_int_equal(header.tlvs.len, 0);
}

static void refuses_wrong_heads(void **state)
{
	(void)state;
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x11\x11\x00\x0c"), 12),
			    "the PROXY header has an unknown version");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x22\x11\x00\x0c"), 12),
			    "the PROXY header has an unknown command");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x41\x00\x0c"), 13),
			    "the PROXY header has an unknown family of addresses");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x13\x00\x0c"), 13),
			    "the PROXY header has an unknown family of addresses");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x0b"), 15),
			    "the PROXY header is too short for its addresses");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x21\x00\x23"), 15),
			    "the PROXY header is too short for its addresses");
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x31\x00\xd7"), 15),
			    "the PROXY header is too short for its addresses");
	assert_string_equal(refused_at(BYTES("\r\n\r\n\0\r\nQUIX"), 10), "it does not begin with a PROXY header");
}

#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"

static void reads_tlvs(void **state)
{
	struct tlv tlv;
	(void)state;
	struct proxy_header header =
		read_whole(BYTES(SIGNATURE "\x21\x11\x00\x19" IPV4 "\x02\x00\x04host\x04\x00\x00\xe0\x00\x00"));
	struct tlv_reader reader = tlv_read(header.tlvs);
	assert_true(tlv_next(&reader, &tlv));
	assert_int_equal(tlv.type, PROXY_TLV_AUTHORITY);
	assert_true(span_equals(tlv.value, "host"));
	assert_true(tlv_next(&reader, &tlv));
	assert_int_equal(tlv.type, PROXY_TLV_NOOP);
	assert_int_equal(tlv.value.len, 0);
	assert_true(tlv_next(&reader, &tlv));
	assert_int_equal(tlv.type, 0xe0);
	assert_false(tlv_next(&reader, &tlv));
	assert_false(reader.is_broken);
}

static void refuses_broken_tlvs(void **state)
{
	(void)state;
	static const char problem[] = "a TLV of the PROXY header reaches beyond its end";
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x0d" IPV4 "\x04"), 28), problem);
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x0e" IPV4 "\x04\x00"), 29), problem);
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x0f" IPV4 "\x04\x00\x01"), 30), problem);
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x12" IPV4 "\x04\x00\x00\x04\xff\xff"), 33),
			    problem);
}

static void reads_the_longest(void **state)
{
	static char bytes[PROXY_V2_BYTES_MAX];
	struct proxy_header header;
	const char *problem;
	size_t value_len = UINT16_MAX - 12 - PROXY_TLV_HEAD_BYTES;
	(void)state;
	memcpy(bytes, SIGNATURE "\x21\x11\xff\xff" IPV4 "\xee", 29);
	bytes[29] = (char)(value_len >> 8);
	bytes[30] = (char)value_len;
	for (size_t len = 0; len < sizeof(bytes); len += 257)
		assert_int_equal(proxy_header_read((struct span){ bytes, len }, &header, &problem), 0);
	assert_int_equal(proxy_header_read((struct span){ bytes, sizeof(bytes) - 1 }, &header, &problem), 0);
	assert_int_equal(proxy_header_read((struct span){ bytes, sizeof(bytes) }, &header, &problem), 1);
	assert_int_equal(header.len, PROXY_V2_BYTES_MAX);
}

/* --- checksums --------------------------------------------------------------------------------------------------- */

/* RFC 3720, appendix B.4 */
static void knows_the_checksum(void **state)
{
	uint8_t bytes[32] = { 0 };
	(void)state;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(crc32c(crc32c(0, bytes, 7), bytes + 7, 25), 0x46dd794e);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void verifies_the_checksum(void **state)
{
	char bytes[] = SIGNATURE "\x21\x11\x00\x13" IPV4 "\x03\x00\x04\x00\x00\x00\x00";
	size_t len = sizeof(bytes) - 1;
	struct proxy_header header;
	const char *problem;
	(void)state;
	uint32_t sum = crc32c(0, bytes, len);
	assert_int_equal(proxy_header_read((struct span){ bytes, len }, &header, &problem), -EINVAL);
	assert_string_equal(problem, "the checksum of the PROXY header is wrong");
	for (int i = 0; i < 4; i++)
		bytes[len - 4 + (size_t)i] = (char)(sum >> (24 - 8 * i));
	read_whole((struct span){ bytes, len });
	bytes[16] ^= 1;
	assert_int_equal(proxy_header_read((struct span){ bytes, len }, &header, &problem), -EINVAL);
	assert_string_equal(refused_at(BYTES(SIGNATURE "\x21\x11\x00\x12" IPV4 "\x03\x00\x03\x00\x00\x00"), 33),
			    "the checksum of the PROXY header is wrong");
}

/* --- recognizing ------------------------------------------------------------------------------------------------- */

static void recognizes_signatures(void **state)
{
	static const struct span headers[] = { BYTES(SIGNATURE), BYTES("PROXY TCP4 "), BYTES("PROXY TCP6 "),
					       BYTES("PROXY UNKNOWN") };
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		for (size_t len = 0; len < headers[i].len; len++)
			assert_int_equal(proxy_header_recognize((struct span){ headers[i].data, len }), 0);
		assert_int_equal(proxy_header_recognize(headers[i]), 1);
	}
	assert_int_equal(proxy_header_recognize(BYTES(SIGNATURE "!")), 1);
	assert_int_equal(proxy_header_recognize(BYTES("POST")), -1);
	assert_int_equal(proxy_header_recognize(BYTES("PROXY it")), -1);
	assert_int_equal(proxy_header_recognize(BYTES("\r\n\r\nx")), -1);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static struct endpoint endpoint_of(const char *text)
{
	struct addr addr;
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &addr, &problem), 0);
	return endpoint_from_addr(&addr);
}

static const struct endpoint unknown;

static void writes_lines(void **state)
{
	uint8_t buf[PROXY_V1_BYTES_MAX];
	struct endpoint a = endpoint_of("192.0.2.1:56324"), b = endpoint_of("198.51.100.2:443"),
			c = endpoint_of("[fd00::1]:80");
	struct endpoint local = { .family = AF_UNIX };
	(void)state;
	static const char ipv4[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
	size_t len =
		proxy_header_write_v1(&(struct proxy_content){ .source = &a, .destination = &b }, buf, sizeof(buf));
	assert_int_equal(len, sizeof(ipv4) - 1);
	assert_memory_equal(buf, ipv4, len);
	assert_int_equal(
		proxy_header_write_v1(&(struct proxy_content){ .source = &a, .destination = &b }, buf, len - 1), 0);
	static const char mixed[] = "PROXY TCP6 ::ffff:192.0.2.1 fd00::1 56324 80\r\n";
	len = proxy_header_write_v1(&(struct proxy_content){ .source = &a, .destination = &c }, buf, sizeof(buf));
	assert_int_equal(len, sizeof(mixed) - 1);
	assert_memory_equal(buf, mixed, len);
	static const char none[] = "PROXY UNKNOWN\r\n";
	const struct endpoint *nobody[] = { &unknown, &local };
	for (int i = 0; i < 2; i++) {
		struct proxy_content content = { .source = nobody[i], .destination = nobody[i] };
		len = proxy_header_write_v1(&content, buf, sizeof(buf));
		assert_int_equal(len, sizeof(none) - 1);
		assert_memory_equal(buf, none, len);
	}
}

static struct proxy_header write_and_read(const struct proxy_content *content, uint8_t *buf, size_t buf_bytes)
{
	size_t len = proxy_header_write_v2(content, buf, buf_bytes);
	assert_true(len > 0);
	for (size_t less = 0; less < len; less++) {
		uint8_t *small = malloc(less > 0 ? less : 1);
		assert_non_null(small);
		assert_int_equal(proxy_header_write_v2(content, small, less), 0);
		free(small);
	}
	return read_whole((struct span){ (const char *)buf, len });
}

static void writes_binary(void **state)
{
	uint8_t buf[512];
	struct endpoint a = endpoint_of("192.0.2.1:56324"), b = endpoint_of("198.51.100.2:443"),
			c = endpoint_of("[fd00::1]:80");
	struct endpoint local = { .family = AF_UNIX };
	(void)state;
	struct proxy_content content = { .source = &a, .destination = &b, .transport = PROXY_TRANSPORT_STREAM };
	size_t len = proxy_header_write_v2(&content, buf, sizeof(buf));
	assert_int_equal(len, 28);
	assert_memory_equal(buf, SIGNATURE "\x21\x11\x00\x0c" IPV4, 28);
	content = (struct proxy_content){ .source = &a, .destination = &c, .transport = PROXY_TRANSPORT_DATAGRAM };
	struct proxy_header header = write_and_read(&content, buf, sizeof(buf));
	assert_int_equal(header.transport, PROXY_TRANSPORT_DATAGRAM);
	assert_endpoints(&header, "192.0.2.1:56324", "[fd00::1]:80");
	content =
		(struct proxy_content){ .source = &local, .destination = &local, .transport = PROXY_TRANSPORT_STREAM };
	header = write_and_read(&content, buf, sizeof(buf));
	assert_endpoints(&header, "unix:", "unix:");
	content = (struct proxy_content){ .source = &unknown, .destination = &b, .authority = BYTES("host") };
	header = write_and_read(&content, buf, sizeof(buf));
	assert_false(header.has_addresses);
	assert_int_equal(header.len, PROXY_V2_HEAD_BYTES);
}

static void passes_tlvs_on(void **state)
{
	uint8_t buf[512];
	struct endpoint a = endpoint_of("192.0.2.1:1"), b = endpoint_of("198.51.100.2:2");
	(void)state;
	struct span came = BYTES("\x02\x00\x03old\x03\x00\x04sums\xe0\x00\x01x\x05\x00\x02id");
	struct proxy_content content = {
		.source = &a, .destination = &b, .transport = PROXY_TRANSPORT_STREAM, .tlvs = came
	};
	struct proxy_header header = write_and_read(&content, buf, sizeof(buf));
	struct span kept = BYTES("\x02\x00\x03old\xe0\x00\x01x\x05\x00\x02id");
	assert_int_equal(header.tlvs.len, kept.len);
	assert_memory_equal(header.tlvs.data, kept.data, kept.len);
	content.authority = BYTES("new");
	content.unique_id = BYTES("42");
	header = write_and_read(&content, buf, sizeof(buf));
	struct span replaced = BYTES("\xe0\x00\x01x\x02\x00\x03new\x05\x00\x02"
				     "42");
	assert_int_equal(header.tlvs.len, replaced.len);
	assert_memory_equal(header.tlvs.data, replaced.data, replaced.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(reads_unknown),
		cmocka_unit_test(refuses_wrong_lines),
		cmocka_unit_test(refuses_long_lines),
		cmocka_unit_test(reads_binary),
		cmocka_unit_test(reads_unix),
		cmocka_unit_test(reads_those_without_addresses),
		cmocka_unit_test(refuses_wrong_heads),
		cmocka_unit_test(reads_tlvs),
		cmocka_unit_test(refuses_broken_tlvs),
		cmocka_unit_test(reads_the_longest),
		cmocka_unit_test(knows_the_checksum),
		cmocka_unit_test(verifies_the_checksum),
		cmocka_unit_test(recognizes_signatures),
		cmocka_unit_test(writes_lines),
		cmocka_unit_test(writes_binary),
		cmocka_unit_test(passes_tlvs_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
