/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash_table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { OBJECTS = 1000, HASHES = 37 };

struct object {
	uint64_t key;
	struct hash_link link;
};

static uint32_t hash(uint64_t key)
{
	return (uint32_t)(key % HASHES) * 2654435761u; /* many keys share a hash */
}

static struct object *find(const struct hash_table *table, uint64_t key)
{
	struct object *object = hash_table_find(table, hash(key));
	while (object != NULL && object->key != key)
		object = hash_table_find_next(table, object);
	return object;
}

static void finds_what_was_added_and_not_removed(void **state)
{
	(void)state;
	struct slab slab;
	struct hash_table table;
	struct object *objects[OBJECTS];
	slab_init(&slab, sizeof(struct object), OBJECTS);
	hash_table_init(&table, &slab, offsetof(struct object, link));
	for (uint64_t key = 0; key < OBJECTS; key++) {
		objects[key] = slab_take(&slab);
		objects[key]->key = key;
		hash_table_add(&table, objects[key], hash(key));
	}
	for (uint64_t key = 0; key < OBJECTS; key += 3)
		hash_table_remove(&table, objects[key]);
	for (uint64_t key = 0; key < OBJECTS; key++)
		assert_ptr_equal(find(&table, key), key % 3 == 0 ? NULL : objects[key]);
	assert_null(find(&table, OBJECTS));
	hash_table_done(&table);
	slab_done(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_what_was_added_and_not_removed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
