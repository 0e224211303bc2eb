/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/refusal_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct refusal_threshold threshold = { .count = 5, .window_ms = 1000 };

static struct network source(uint32_t number)
{
	struct network network = { .family = AF_INET, .prefix_bits = NETWORK_PREFIX_MAX };
	memcpy(network.ip + 12, &number, sizeof(number));
	return network;
}

static bool note(struct refusal_table *table, uint32_t number, uint64_t now_ms, uint32_t count)
{
	struct network network = source(number);
	return refusal_table_note(table, &threshold, &network, now_ms, count);
}

static void it_is_reached_once_and_again(void **state)
{
	(void)state;
	struct refusal_table *table = refusal_table_new();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			assert_false(note(table, 1, 1000, 1));
		assert_true(note(table, 1, 1000, 1));
	}
	assert_true(note(table, 2, 1000, 7));
	assert_false(note(table, 2, 1000, 4));
	refusal_table_free(&table);
	assert_null(table);
	refusal_table_free(&table);
}

static void a_window_begins_with_the_first_refusal(void **state)
{
	(void)state;
	struct refusal_table *table = refusal_table_new();
	assert_false(note(table, 1, 5000, 4));
	assert_true(note(table, 1, 6000, 1));
	assert_false(note(table, 1, 10000, 4));
	/* Too late: this is the first of another window. */
	assert_false(note(table, 1, 11001, 1));
	assert_false(note(table, 1, 11002, 3));
	assert_true(note(table, 1, 12001, 1));
	/* The clock of another worker is a little behind. */
	assert_false(note(table, 2, 5000, 4));
	assert_true(note(table, 2, 4990, 1));
	refusal_table_free(&table);
}

/* Many that come once each do not hide the one that keeps coming. */
static void a_flood_does_not_hide_one_that_comes_often(void **state)
{
	(void)state;
	struct refusal_table *table = refusal_table_new();
	assert_false(note(table, 1, 1000, 2));
	for (uint32_t i = 0; i < 1000000; i++)
		note(table, 1000 + i, 1000, 1);
	assert_false(note(table, 1, 1500, 2));
	for (uint32_t i = 0; i < 1000000; i++)
		note(table, 2000000 + i, 1600, 1);
	assert_true(note(table, 1, 1900, 1));
	refusal_table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_reached_once_and_again),
		cmocka_unit_test(a_window_begins_with_the_first_refusal),
		cmocka_unit_test(a_flood_does_not_hide_one_that_comes_often),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
