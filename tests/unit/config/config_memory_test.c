/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_memory.h"

#include "config/name_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void pieces_do_not_overlap(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	unsigned char *pieces[500];
	for (size_t i = 0; i < 500; i++) {
		size_t bytes = i * i % 5000;
		pieces[i] = config_memory_alloc(memory, bytes);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < bytes; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)(i % 251), bytes);
	}
	for (size_t i = 0; i < 500; i++) {
		for (size_t j = 0; j < i * i % 5000; j++)
			assert_int_equal(pieces[i][j], i % 251);
	}
	config_memory_free(&memory);
	assert_null(memory);
	config_memory_free(&memory);
}

static void large_pieces_come_first_or_last(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	char *large = config_memory_alloc(memory, 1 << 20);
	char *little = config_memory_alloc(memory, 1);
	char *larger = config_memory_alloc(memory, 2 << 20);
	large[0] = large[(1 << 20) - 1] = 'a';
	larger[(2 << 20) - 1] = 'b';
	*little = 'c';
	assert_int_equal(large[0], 'a');
	config_memory_free(&memory);
}

static void arrays_grow(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	uint32_t *items = NULL;
	for (uint32_t i = 0; i < 10000; i++) {
		items = config_memory_grow(memory, items, i, sizeof(*items));
		items[i] = i;
	}
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(items[i], i);
	config_memory_free(&memory);
}

static void formats_any_length(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	for (int len = 1000; len < 1100; len++)
		assert_int_equal(strlen(config_memory_format(memory, "%*d", len, 7)), len);
	assert_string_equal(config_memory_text(memory, (struct span){ "abc", 2 }), "ab");
	assert_string_equal(config_memory_text(memory, (struct span){ NULL, 0 }), "");
	config_memory_free(&memory);
}

static void index_finds_names(void **state)
{
	(void)state;
	struct name_index *index = name_index_new();
	char name[16];
	size_t number = 0;
	for (size_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "name%zu", i);
		assert_true(name_index_add(index, span_from_text(name), i, &number));
	}
	for (size_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "name%zu", i);
		assert_true(name_index_find(index, span_from_text(name), &number));
		assert_int_equal(number, i);
		assert_false(name_index_add(index, span_from_text(name), 5000, &number));
		assert_int_equal(number, i);
	}
	assert_false(name_index_find(index, span_from_text("name"), &number));
	assert_false(name_index_find(index, (struct span){ "name1\0", 6 }, &number));
	assert_true(name_index_add(index, (struct span){ "", 0 }, 7, &number));
	assert_true(name_index_find(index, (struct span){ "", 0 }, &number));
	name_index_free(&index);
	assert_null(index);
	name_index_free(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_do_not_overlap), cmocka_unit_test(large_pieces_come_first_or_last),
		cmocka_unit_test(arrays_grow),           cmocka_unit_test(formats_any_length),
		cmocka_unit_test(index_finds_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
