/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns_message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint8_t query[DNS_QUERY_BYTES_MAX];
static uint8_t answer[512];

static int write_name(const char *name)
{
	return dns_write_query(0x1234, span_from_text(name), 2, query);
}

static void queries_look_like_this(void **state)
{
	(void)state;
	static const uint8_t root[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01";
	static const uint8_t name[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				      "\x03www\x07"
				      "example\x00\x00\x02\x00\x01";
	assert_int_equal(write_name("."), sizeof(root) - 1);
	assert_memory_equal(query, root, sizeof(root) - 1);
	assert_int_equal(write_name("www.example"), sizeof(name) - 1);
	assert_memory_equal(query, name, sizeof(name) - 1);
	assert_int_equal(write_name("www.example."), sizeof(name) - 1);
	assert_memory_equal(query, name, sizeof(name) - 1);
}

static void what_is_no_name_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = { "",
					     "..",
					     "a..",
					     ".a",
					     "a..b",
					     "."
					     "."
					     "a" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(write_name(names[i]), -EINVAL);
}

static void lengths_are_bounded(void **state)
{
	(void)state;
	char label[66];
	memset(label, 'a', sizeof(label));
	label[63] = '\0';
	assert_int_equal(write_name(label), DNS_HEADER_BYTES + 1 + 63 + 1 + 4);
	label[63] = 'a';
	label[64] = '\0';
	assert_int_equal(write_name(label), -EINVAL);
	/* 127 labels of one letter are 253 bytes with their dots: the longest name there is. */
	char name[300];
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[253] = '\0';
	assert_int_equal(write_name(name), DNS_QUERY_BYTES_MAX);
	name[253] = '.';
	name[254] = '\0';
	assert_int_equal(write_name(name), DNS_QUERY_BYTES_MAX);
	name[254] = 'a';
	name[255] = '\0';
	assert_int_equal(write_name(name), -EINVAL);
}

/* The answer to a query for name; to be spoilt. Returns its length. */
static size_t make_answer(const char *name)
{
	int len = write_name(name);
	assert_true(len > 0);
	memcpy(answer, query, (size_t)len);
	answer[2] |= 0x84; /* a response, authoritative */
	answer[3] |= 0x80;
	memcpy(answer + len, "\xc0\x0c\x00\x02", 4); /* the beginning of a record */
	answer[7] = 1;
	return (size_t)len;
}

static bool is_read(size_t query_len, size_t answer_len, struct dns_answer *ret_answer)
{
	return dns_read_answer((struct span){ (const char *)query, query_len },
			       (struct span){ (const char *)answer, answer_len }, ret_answer);
}

static void answers_are_known(void **state)
{
	(void)state;
	struct dns_answer read;
	size_t len = make_answer("Www.Example");
	assert_true(is_read(len, len, &read));
	assert_int_equal(read.rcode, 0);
	assert_false(read.is_truncated);
	assert_true(is_read(len, len + 4, &read));
	answer[2] |= 0x02;
	answer[3] |= 0x03;
	assert_true(is_read(len, len, &read));
	assert_int_equal(read.rcode, 3);
	assert_true(read.is_truncated);
	/* A server may write names as it likes. */
	answer[DNS_HEADER_BYTES + 1] = 'w';
	answer[DNS_HEADER_BYTES + 2] = 'W';
	assert_true(is_read(len, len, &read));
}

static void what_does_not_belong_is_told_apart(void **state)
{
	(void)state;
	struct dns_answer read;
	size_t len = make_answer("www.example");
	static const struct {
		size_t at;
		uint8_t flipped;
	} spoils[] = {
		{ 0, 0x01 },  { 1, 0x80 },                           /* the id */
		{ 2, 0x80 },  { 2, 0x08 },                           /* no response; another opcode */
		{ 4, 0x01 },  { 5, 0x01 },  { 5, 0x03 },             /* the number of questions */
		{ 12, 0x01 }, { 13, 0x01 }, { 13, 0x80 }, { 24, 1 }, /* the name */
		{ 25, 0x01 }, { 26, 0x03 }, { 28, 0x02 },            /* type and class */
	};
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		answer[spoils[i].at] ^= spoils[i].flipped;
		assert_false(is_read(len, len + 4, &read));
		answer[spoils[i].at] ^= spoils[i].flipped;
		assert_true(is_read(len, len + 4, &read));
	}
	for (size_t i = 0; i < len; i++)
		assert_false(is_read(len, i, &read));
}

/* Types hold bytes that look like letters: 0x41 and 0x61 differ. */
static void types_are_not_letters(void **state)
{
	(void)state;
	struct dns_answer read;
	int len = dns_write_query(1, span_from_text("a"), 0x41, query);
	dns_write_query(1, span_from_text("a"), 0x61, answer);
	answer[2] |= 0x80;
	assert_false(is_read((size_t)len, (size_t)len, &read));
}

static void rcodes_have_names(void **state)
{
	(void)state;
	char buf[DNS_RCODE_TEXT_BYTES];
	assert_string_equal(dns_format_rcode(0, buf), "NOERROR");
	assert_string_equal(dns_format_rcode(2, buf), "SERVFAIL");
	assert_string_equal(dns_format_rcode(5, buf), "REFUSED");
	assert_string_equal(dns_format_rcode(15, buf), "rcode 15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_look_like_this),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(answers_are_known),
		cmocka_unit_test(what_does_not_belong_is_told_apart),
		cmocka_unit_test(types_are_not_letters),
		cmocka_unit_test(rcodes_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
