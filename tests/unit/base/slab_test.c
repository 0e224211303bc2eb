/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static void gives_every_object_once(void **state)
{
	(void)state;
	struct slab slab;
	uint8_t *objects[100];
	slab_init(&slab, 40, 100);
	for (uint32_t i = 0; i < 100; i++) {
		objects[i] = slab_take(&slab);
		assert_non_null(objects[i]);
		memset(objects[i], (int)i, 40);
	}
	assert_true(slab_is_full(&slab));
	assert_null(slab_take(&slab));
	for (uint32_t i = 0; i < 100; i++)
		for (uint32_t byte = 0; byte < 40; byte++)
			assert_int_equal(objects[i][byte], i);
	slab_done(&slab);
}

static void takes_the_last_given_back_first(void **state)
{
	(void)state;
	struct slab slab;
	slab_init(&slab, 16, 8);
	void *first = slab_take(&slab);
	void *second = slab_take(&slab);
	slab_give(&slab, first);
	slab_give(&slab, second);
	assert_ptr_equal(slab_take(&slab), second);
	assert_ptr_equal(slab_take(&slab), first);
	assert_int_equal(slab.touched_count, 2);
	slab_done(&slab);
}

static bool is_in_memory(const uint8_t *at)
{
	unsigned char is_resident = 0;
	uintptr_t page = (uintptr_t)at & ~(uintptr_t)4095;
	assert_int_equal(mincore((void *)page, 4096, &is_resident), 0);
	return (is_resident & 1) != 0;
}

static void gives_memory_of_large_objects_back(void **state)
{
	enum { OBJECT_BYTES = 16 * 4096 + 80, COUNT = 10, WARM = 3 };
	(void)state;
	struct slab slab;
	uint8_t *objects[COUNT];
	slab_init(&slab, OBJECT_BYTES, COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		objects[i] = memset(slab_take(&slab), 7, OBJECT_BYTES);
	for (uint32_t i = 0; i < COUNT; i += 2) {
		slab_give_large(&slab, objects[i], WARM);
		bool is_kept = slab.taken_count <= WARM;
		assert_int_equal(is_in_memory(objects[i] + OBJECT_BYTES / 2), is_kept);
	}
	for (uint32_t i = 1; i < COUNT; i += 2)
		for (uint32_t byte = 0; byte < OBJECT_BYTES; byte++)
			assert_int_equal(objects[i][byte], 7);
	for (uint32_t i = 0; i < COUNT / 2; i++)
		assert_non_null(slab_take(&slab));
	assert_true(slab_is_full(&slab));
	slab_done(&slab);
}

static void walks_over_taken_objects_only(void **state)
{
	(void)state;
	struct slab slab;
	void *objects[200];
	slab_init(&slab, 16, 200);
	for (uint32_t i = 0; i < 200; i++)
		objects[i] = slab_take(&slab);
	for (uint32_t i = 0; i < 200; i++)
		if (i % 70 != 69)
			slab_give(&slab, objects[i]);
	uint32_t seen = 0;
	void *object;
	for (uint32_t index = 0; (object = slab_next(&slab, &index)) != NULL; index++) {
		assert_int_equal(index % 70, 69);
		assert_ptr_equal(object, objects[index]);
		seen++;
	}
	assert_int_equal(seen, 2);
	slab_done(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_every_object_once),
		cmocka_unit_test(takes_the_last_given_back_first),
		cmocka_unit_test(gives_memory_of_large_objects_back),
		cmocka_unit_test(walks_over_taken_objects_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
