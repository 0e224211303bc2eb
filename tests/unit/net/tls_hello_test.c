/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_hello.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_BYTES_MAX = 80000 };

/* Bytes that are put together from pieces. */
struct text {
	size_t len;
	uint8_t bytes[TEXT_BYTES_MAX];
};

static void put(struct text *text, const void *bytes, size_t len)
{
	assert_true(text->len + len <= TEXT_BYTES_MAX);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

static void put_number(struct text *text, size_t number, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		uint8_t byte = (uint8_t)(number >> 8 * i);
		put(text, &byte, 1);
	}
}

static void put_vector(struct text *text, const void *bytes, size_t len, size_t length_bytes)
{
	put_number(text, len, length_bytes);
	put(text, bytes, len);
}

static void put_extension(struct text *text, uint16_t type, const void *bytes, size_t len)
{
	put_number(text, type, 2);
	put_vector(text, bytes, len, 2);
}

static void put_name(struct text *extensions, const char *name)
{
	static struct text value;
	value.len = 0;
	put_number(&value, strlen(name) + 3, 2);
	put_number(&value, 0, 1);
	put_vector(&value, name, strlen(name), 2);
	put_extension(extensions, 0, value.bytes, value.len);
}

/* A message with these extensions; NULL: without any. */
static void put_message(struct text *message, const struct text *extensions)
{
	static struct text body;
	static const uint8_t random[32] = { 1, 2, 3 };
	body.len = 0;
	put_number(&body, 0x0303, 2);
	put(&body, random, sizeof(random));
	put_vector(&body, random, 32, 1);
	put_vector(&body, "\x13\x01\x13\x02", 4, 2);
	put_vector(&body, "", 1, 1);
	if (extensions != NULL)
		put_vector(&body, extensions->bytes, extensions->len, 2);
	put_number(message, 1, 1);
	put_vector(message, body.bytes, body.len, 3);
}

/* In records of so many bytes. */
static void put_records(struct text *text, const struct text *message, size_t record_bytes)
{
	for (size_t at = 0; at < message->len; at += record_bytes) {
		size_t left = message->len - at;
		put(text, "\x16\x03\x01", 3);
		put_vector(text, message->bytes + at, left < record_bytes ? left : record_bytes, 2);
	}
}

static struct text *make_hello(const struct text *extensions, size_t record_bytes)
{
	static struct text message, text;
	message.len = text.len = 0;
	put_message(&message, extensions);
	put_records(&text, &message, record_bytes);
	return &text;
}

static const struct text *extensions_with(const char *name)
{
	static struct text extensions;
	extensions.len = 0;
	put_extension(&extensions, 43, "\x02\x03\x04", 3);
	put_extension(&extensions, 23, "", 0);
	put_name(&extensions, name);
	put_extension(&extensions, 16, "\x00\x03\x02h2", 5);
	return &extensions;
}

static struct tls_hello hello;

/* In memory of just that size, so that sanitizers see every byte that is read beyond it. */
static int read_copy(const uint8_t *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	int result = tls_hello_read((struct span){ copy, len }, &hello);
	free(copy);
	return result;
}

static void assert_name(const char *name)
{
	assert_int_equal(hello.server_name.len, strlen(name));
	assert_memory_equal(hello.server_name.data, name, hello.server_name.len);
}

/* Split at every byte more is wanted; whole, and with something behind it, it says the same. */
static void assert_read(struct text *text, const char *name)
{
	for (size_t len = 0; len < text->len; len++)
		assert_int_equal(read_copy(text->bytes, len), 0);
	assert_int_equal(read_copy(text->bytes, text->len), 1);
	assert_name(name);
	put(text, "\x14\x03\x03\x00\x01\x01", 6);
	assert_int_equal(read_copy(text->bytes, text->len), 1);
	assert_name(name);
}

/* At the byte where it goes wrong. */
static void assert_refused_at(const void *bytes, size_t len, size_t wrong_at)
{
	for (size_t i = 0; i <= wrong_at; i++)
		assert_int_equal(read_copy(bytes, i), 0);
	for (size_t i = wrong_at + 1; i <= len; i++)
		assert_int_equal(read_copy(bytes, i), -EINVAL);
}

static void reads_the_name(void **state)
{
	(void)state;
	assert_read(make_hello(extensions_with("www.example.test"), 1 << 14), "www.example.test");
	assert_read(make_hello(extensions_with("x"), 1 << 14), "x");
	char longest[TLS_SERVER_NAME_BYTES_MAX + 1];
	memset(longest, 'a', sizeof(longest));
	longest[TLS_SERVER_NAME_BYTES_MAX] = '\0';
	assert_read(make_hello(extensions_with(longest), 1 << 14), longest);
}

static void reads_messages_in_many_records(void **state)
{
	(void)state;
	for (size_t record_bytes = 1; record_bytes < 40; record_bytes++)
		assert_read(make_hello(extensions_with("www.example.test"), record_bytes), "www.example.test");
}

static void reads_messages_without_a_name(void **state)
{
	static struct text extensions;
	(void)state;
	assert_read(make_hello(NULL, 1 << 14), "");
	extensions.len = 0;
	assert_read(make_hello(&extensions, 1 << 14), "");
	put_extension(&extensions, 16, "\x00\x03\x02h2", 5);
	assert_read(make_hello(&extensions, 1 << 14), "");
	put_extension(&extensions, 0, "\x00\x05\x01\x00\x02no", 7); /* a name of another type */
	assert_read(make_hello(&extensions, 1 << 14), "");
	assert_read(make_hello(extensions_with(""), 1 << 14), "");
}

static void reads_the_first_of_several_names(void **state)
{
	static struct text extensions;
	(void)state;
	extensions.len = 0;
	put_extension(&extensions, 0, "\x00\x0a\x00\x00\x02me\x00\x00\x02no", 12);
	put_name(&extensions, "neither");
	assert_read(make_hello(&extensions, 1 << 14), "me");
}

/* So that the message has that length. */
static struct text *hello_of(size_t message_bytes, size_t record_bytes)
{
	static struct text extensions;
	static uint8_t padding[1 << 16];
	extensions.len = 0;
	put_name(&extensions, "long");
	size_t others = make_hello(&extensions, 1 << 15)->len - 5 + 4;
	put_extension(&extensions, 21, padding, message_bytes - others);
	struct text *text = make_hello(&extensions, record_bytes);
	return text;
}

static void reads_messages_up_to_a_length(void **state)
{
	(void)state;
	struct text *text = hello_of(TLS_HELLO_BYTES_MAX, 1 << 14);
	assert_int_equal(text->len, TLS_HELLO_BYTES_MAX + 5);
	assert_int_equal(read_copy(text->bytes, text->len - 1), 0);
	assert_int_equal(read_copy(text->bytes, text->len), 1);
	assert_name("long");
	text = hello_of(TLS_HELLO_BYTES_MAX + 1, 5000);
	assert_refused_at(text->bytes, 100, 8);
}

static void refuses_what_is_something_else(void **state)
{
	(void)state;
	assert_refused_at("GET / HTTP/1.1\r\n", 16, 0);
	assert_refused_at("SSH-2.0-OpenSSH\r\n", 17, 0);
	assert_refused_at("\x15\x03\x03\x00\x02\x01\x00", 7, 0);
	assert_refused_at("\x16\x02\x03\x00\x02\x01\x00", 7, 1);
	assert_refused_at("\x16\x03\x03\x00\x00\x16\x03", 7, 4);
	assert_refused_at("\x16\x03\x03\x40\x01\x01\x00", 7, 4);
	assert_refused_at("\x16\x03\x03\x00\x02\x02\x00", 7, 5);
	assert_refused_at("\x16\x03\x03\x00\x04\x01\x00\x40\x00", 9, 8); /* longer than is looked at */
	assert_refused_at("\x16\x03\x03\x00\x02\x01\x00\x17\x03\x03", 10, 7);
	/* A message of version 2 of SSL. */
	assert_refused_at("\x80\x2e\x01\x03\x01", 5, 0);
}

/* Every length of the message, longer than what it is of. */
static void refuses_lengths_beyond_the_end(void **state)
{
	(void)state;
	static const size_t lengths[] = { 43, 76, 82, 84 }; /* session id, ciphers, compressions, extensions */
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct text *text = make_hello(extensions_with("www.example.test"), 1 << 14);
		text->bytes[lengths[i]] = 0xff;
		assert_int_equal(read_copy(text->bytes, text->len - 1), 0);
		assert_int_equal(read_copy(text->bytes, text->len), -EINVAL);
	}
	static const struct span extensions[] = {
		{ "\x00\x00\x00\x01", 4 },             /* an extension */
		{ "\x00\x00\x00", 3 },                 /* its head */
		{ "\x00\x00\x00\x00", 4 },             /* no list of names */
		{ "\x00\x00\x00\x02\x00\x01", 6 },     /* a list */
		{ "\x00\x00\x00\x03\x00\x01\x00", 7 }, /* the head of a name */
		{ "\x00\x00\x00\x05\x00\x03\x00\x00\x01", 9 },
		{ "\x00\x00\x00\x06\x00\x03\x00\x00\x00x", 10 }, /* something behind the list */
		{ "\x00\x05\x00\x00\x00", 5 },                   /* something behind the last one */
	};
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		static struct text list;
		list.len = 0;
		put(&list, extensions[i].data, extensions[i].len);
		struct text *text = make_hello(&list, 1 << 14);
		assert_int_equal(read_copy(text->bytes, text->len), -EINVAL);
	}
}

static void refuses_long_names(void **state)
{
	char name[TLS_SERVER_NAME_BYTES_MAX + 2];
	(void)state;
	memset(name, 'a', sizeof(name));
	name[TLS_SERVER_NAME_BYTES_MAX + 1] = '\0';
	struct text *text = make_hello(extensions_with(name), 1 << 14);
	assert_int_equal(read_copy(text->bytes, text->len), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_name),
		cmocka_unit_test(reads_messages_in_many_records),
		cmocka_unit_test(reads_messages_without_a_name),
		cmocka_unit_test(reads_the_first_of_several_names),
		cmocka_unit_test(reads_messages_up_to_a_length),
		cmocka_unit_test(refuses_what_is_something_else),
		cmocka_unit_test(refuses_lengths_beyond_the_end),
		cmocka_unit_test(refuses_long_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
