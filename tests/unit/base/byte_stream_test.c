/* SPDX-License-Identifier: Apache-2.0 */
#include "base/byte_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct byte_reader reader_of(const struct byte_writer *writer)
{
	return (struct byte_reader){ .left = { (const char *)writer->bytes, writer->len } };
}

static void what_is_written_is_read(void **state)
{
	struct byte_writer writer = { 0 };
	(void)state;
	for (uint64_t i = 0; i < 5000; i++)
		BYTE_WRITER_PUT(&writer, i);
	byte_writer_put(&writer, "tail", 4);
	byte_writer_put(&writer, NULL, 0);
	struct byte_reader reader = reader_of(&writer);
	for (uint64_t i = 0; i < 5000; i++) {
		uint64_t number;
		assert_true(BYTE_READER_TAKE(&reader, number));
		assert_int_equal(number, i);
	}
	struct span tail = byte_reader_take_span(&reader, 4);
	assert_memory_equal(tail.data, "tail", 4);
	assert_int_equal(reader.left.len, 0);
	assert_false(reader.has_failed);
	byte_writer_done(&writer);
	assert_null(writer.bytes);
}

static void nothing_is_read_beyond_the_end(void **state)
{
	struct byte_reader reader = { .left = { "abcdef", 6 } };
	uint32_t number = 7;
	uint64_t large = 7;
	(void)state;
	assert_true(BYTE_READER_TAKE(&reader, number));
	assert_false(BYTE_READER_TAKE(&reader, large));
	assert_int_equal(large, 0);
	assert_true(reader.has_failed);
	/* What is left would do, but what comes after a failure means nothing. */
	uint8_t small = 7;
	assert_false(BYTE_READER_TAKE(&reader, small));
	assert_int_equal(small, 0);
	assert_int_equal(byte_reader_take_span(&reader, 1).len, 0);
}

static void a_cleared_writer_keeps_its_buffer(void **state)
{
	struct byte_writer writer = { 0 };
	(void)state;
	byte_writer_put(&writer, "one", 3);
	const uint8_t *before = writer.bytes;
	byte_writer_clear(&writer);
	byte_writer_put(&writer, "two", 3);
	assert_ptr_equal(writer.bytes, before);
	assert_int_equal(writer.len, 3);
	assert_memory_equal(writer.bytes, "two", 3);
	byte_writer_done(&writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(nothing_is_read_beyond_the_end),
		cmocka_unit_test(a_cleared_writer_keeps_its_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
