/* SPDX-License-Identifier: Apache-2.0 */
#include "config/json_pointer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void names_its_place(void **state)
{
	(void)state;
	char text[JSON_POINTER_TEXT_BYTES];
	struct config_memory *memory = config_memory_new();
	struct json_pointers *pointers = json_pointers_new(memory);
	uint32_t pool = json_pointers_add_key(pointers, JSON_POINTER_ROOT, "pool");
	uint32_t second = json_pointers_add_index(pointers, pool, 1);
	uint32_t odd = json_pointers_add_key(pointers, second, "a/b~c");
	uint32_t empty = json_pointers_add_key(pointers, odd, "");
	assert_string_equal(json_pointers_format(pointers, 0, text), "");
	assert_string_equal(json_pointers_format(pointers, JSON_POINTER_ROOT, text), "");
	assert_string_equal(json_pointers_format(pointers, pool, text), "/pool");
	assert_string_equal(json_pointers_format(pointers, second, text), "/pool/1");
	assert_string_equal(json_pointers_format(pointers, odd, text), "/pool/1/a~1b~0c");
	assert_string_equal(json_pointers_format(pointers, empty, text), "/pool/1/a~1b~0c/");
	config_memory_free(&memory);
}

/* For each length of a key around the limit, made of two-byte characters: it is cut between two of them. */
static void long_pointers_keep_their_end(void **state)
{
	(void)state;
	char text[JSON_POINTER_TEXT_BYTES];
	char key[2 * JSON_POINTER_TEXT_BYTES];
	struct config_memory *memory = config_memory_new();
	for (size_t count = 110; count < 140; count++) {
		struct json_pointers *pointers = json_pointers_new(memory);
		for (size_t i = 0; i < count; i++)
			memcpy(key + 2 * i, "\xc3\xa9", 3);
		uint32_t parent = json_pointers_add_key(pointers, JSON_POINTER_ROOT, key);
		json_pointers_format(pointers, json_pointers_add_key(pointers, parent, "end"), text);
		assert_true(strlen(text) < JSON_POINTER_TEXT_BYTES);
		assert_string_equal(text + strlen(text) - 6, "\xc3\xa9/end");
		bool is_cut = strncmp(text, "...", 3) == 0;
		assert_true(is_cut || strlen(text) == 1 + 2 * count + 4);
		assert_int_equal((unsigned char)text[is_cut ? 3 : 1], 0xc3);
	}
	config_memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_its_place),
		cmocka_unit_test(long_pointers_keep_their_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
