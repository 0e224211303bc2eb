/* SPDX-License-Identifier: Apache-2.0 */
#include "health/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* outcomes: '1' good, '0' bad. expected, for each: '.' no change, 'U' now up, 'D' now down. */
static void assert_changes(struct verdict verdict, const char *outcomes, const char *expected)
{
	for (size_t i = 0; outcomes[i] != '\0'; i++) {
		bool has_changed = verdict_note(&verdict, outcomes[i] == '1', 2, 3);
		char change = has_changed ? (verdict.is_up ? 'U' : 'D') : '.';
		if (change != expected[i])
			fail_msg("outcomes %s, number %zu: '%c' instead of '%c'", outcomes, i, change, expected[i]);
	}
}

static const struct verdict starts_up = { .is_up = true };
static const struct verdict was_up = { .is_up = true, .is_decided = true };
static const struct verdict starts_down = { .is_up = false };

static void decides_with_the_first_outcome(void **state)
{
	(void)state;
	assert_changes(starts_up, "0", "D");
	assert_changes(starts_up, "1", ".");
	assert_changes(starts_down, "1", "U");
	assert_changes(starts_down, "0", ".");
}

static void needs_a_row_of_failures_to_fall(void **state)
{
	(void)state;
	assert_changes(was_up, "000", "..D");
	assert_changes(was_up, "00100100", "........");
	assert_changes(was_up, "001000", ".....D");
	assert_changes(was_up, "0000000", "..D....");
}

static void needs_a_row_of_successes_to_rise(void **state)
{
	(void)state;
	assert_changes(starts_up, "011", "D.U");
	assert_changes(starts_up, "01010", "D....");
	assert_changes(starts_up, "01011111", "D...U...");
	assert_changes(starts_up, "011000110", "D.U..D.U.");
}

static void first_outcome_counts_as_decided_even_if_it_changes_nothing(void **state)
{
	(void)state;
	assert_changes(starts_up, "1000", "...D");
	assert_changes(starts_up, "100", "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_with_the_first_outcome),
		cmocka_unit_test(needs_a_row_of_failures_to_fall),
		cmocka_unit_test(needs_a_row_of_successes_to_rise),
		cmocka_unit_test(first_outcome_counts_as_decided_even_if_it_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
