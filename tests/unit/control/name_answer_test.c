/* SPDX-License-Identifier: Apache-2.0 */
#include "control/name_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct name_entry entry_make(const char *text, uint32_t priority, uint32_t weight, uint64_t origin)
{
	struct name_entry entry = { .priority = priority, .weight = weight, .origin = origin };
	const char *problem;
	assert_int_equal(addr_parse(span_from_text(text), &entry.addr, &problem), 0);
	return entry;
}

static void add(struct name_answer *answer, const char *text, uint32_t priority, uint32_t weight)
{
	struct name_entry entry = entry_make(text, priority, weight, 0);
	name_answer_add(answer, &entry);
}

/* "10.0.0.1:1 10.0.0.2:1/30 10.0.0.3:1/1b" */
static const char *text_of(const struct name_answer *answer)
{
	static char text[2048];
	size_t len = 0;
	text[0] = '\0';
	for (size_t i = 0; i < answer->resolved_count; i++) {
		char addr[ADDR_TEXT_BYTES];
		const struct config_resolved *resolved = &answer->resolved[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "",
					addr_format(&resolved->addr, addr, sizeof(addr)));
		if (resolved->weight > 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "/%u%s", resolved->weight,
						resolved->is_backup ? "b" : "");
	}
	return text;
}

static void order_and_repetition_do_not_matter(void **state)
{
	static const char *const orders[2][5] = {
		{ "10.0.0.2:1", "[fd00::1]:1", "10.0.0.1:1", "10.0.0.2:1", "[::ffff:10.0.0.1]:1" },
		{ "[fd00::1]:1", "10.0.0.1:1", "10.0.0.1:1", "[fd00::1]:1", "10.0.0.2:1" },
	};
	struct name_answer answers[2];
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		name_answer_init(&answers[i], false);
		for (size_t j = 0; j < 5; j++)
			add(&answers[i], orders[i][j], 0, 0);
		name_answer_finish(&answers[i]);
		assert_string_equal(text_of(&answers[i]), "10.0.0.1:1 10.0.0.2:1 [fd00::1]:1");
	}
	assert_true(name_answer_equal(&answers[0], &answers[1]));
	name_answer_done(&answers[0]);
	name_answer_done(&answers[1]);
}

static void what_no_server_can_have_is_left_out(void **state)
{
	struct name_answer answer;
	(void)state;
	name_answer_init(&answer, true);
	add(&answer, "*:1", 0, 0);
	add(&answer, "[::]:1", 0, 0);
	add(&answer, "224.0.0.1:1", 0, 0);
	add(&answer, "255.255.255.255:1", 0, 0);
	add(&answer, "[ff02::1]:1", 0, 0);
	add(&answer, "[fe80::1%2]:1", 0, 0);
	struct name_entry portless = entry_make("10.0.0.1:1", 0, 0, 0);
	addr_set_port(&portless.addr, 0);
	name_answer_add(&answer, &portless);
	name_answer_finish(&answer);
	assert_int_equal(answer.resolved_count, 0);
	name_answer_done(&answer);
	name_answer_init(&answer, false);
	name_answer_add(&answer, &portless);
	name_answer_finish(&answer);
	assert_int_equal(answer.resolved_count, 1);
	name_answer_done(&answer);
}

static void priorities_make_backups_and_weights_fit(void **state)
{
	struct name_answer answer;
	(void)state;
	name_answer_init(&answer, true);
	add(&answer, "10.0.0.3:1", 20, 65535);
	add(&answer, "10.0.0.2:1", 10, 0);
	add(&answer, "10.0.0.1:1", 10, 32768);
	add(&answer, "10.0.0.4:1", 30, 10);
	/* Twice, once better. */
	add(&answer, "10.0.0.2:1", 30, 9);
	name_answer_finish(&answer);
	assert_string_equal(text_of(&answer), "10.0.0.1:1/500 10.0.0.2:1/1 10.0.0.3:1/1000b 10.0.0.4:1/1b");
	name_answer_done(&answer);
	name_answer_init(&answer, true);
	add(&answer, "10.0.0.1:1", 5, 1000);
	add(&answer, "10.0.0.2:1", 5, 3);
	name_answer_finish(&answer);
	assert_string_equal(text_of(&answer), "10.0.0.1:1/1000 10.0.0.2:1/3");
	name_answer_done(&answer);
}

static void a_change_of_weight_or_rank_is_a_change(void **state)
{
	struct name_answer a, b, copy;
	(void)state;
	name_answer_init(&a, true);
	add(&a, "10.0.0.1:1", 1, 1);
	add(&a, "10.0.0.2:1", 1, 1);
	name_answer_finish(&a);
	name_answer_copy(&a, &copy);
	assert_true(name_answer_equal(&a, &copy));
	name_answer_init(&b, true);
	add(&b, "10.0.0.1:1", 1, 1);
	add(&b, "10.0.0.2:1", 2, 1);
	name_answer_finish(&b);
	assert_false(name_answer_equal(&a, &b));
	name_answer_done(&b);
	add(&b, "10.0.0.1:1", 1, 1);
	add(&b, "10.0.0.2:1", 1, 2);
	name_answer_finish(&b);
	assert_false(name_answer_equal(&a, &b));
	name_answer_done(&a);
	name_answer_done(&b);
	name_answer_done(&copy);
}

static void known_addresses_of_one_origin_and_family_are_taken_again(void **state)
{
	struct name_answer older, answer;
	struct name_entry entries[] = {
		entry_make("10.0.0.1:1", 1, 5, 7),
		entry_make("[fd00::1]:1", 1, 5, 7),
		entry_make("10.0.0.2:1", 1, 5, 8),
	};
	struct name_entry pattern = entry_make("*:2", 3, 6, 7);
	(void)state;
	name_answer_init(&older, true);
	for (size_t i = 0; i < 3; i++)
		name_answer_add(&older, &entries[i]);
	name_answer_finish(&older);
	name_answer_init(&answer, true);
	name_answer_add_known(&answer, &older, AF_INET, &pattern);
	name_answer_finish(&answer);
	assert_string_equal(text_of(&answer), "10.0.0.1:2/6");
	assert_int_equal(answer.entries[0].priority, 3);
	name_answer_done(&older);
	name_answer_done(&answer);
}

static void there_is_a_limit(void **state)
{
	struct name_answer answer;
	(void)state;
	name_answer_init(&answer, false);
	for (unsigned int i = 0; i < 1000; i++) {
		char text[32];
		snprintf(text, sizeof(text), "10.0.%u.%u:1", i / 250, i % 250 + 1);
		add(&answer, text, 0, 0);
	}
	name_answer_finish(&answer);
	assert_int_equal(answer.resolved_count, NAME_ADDRESSES_MAX);
	name_answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_repetition_do_not_matter),
		cmocka_unit_test(what_no_server_can_have_is_left_out),
		cmocka_unit_test(priorities_make_backups_and_weights_fit),
		cmocka_unit_test(a_change_of_weight_or_rank_is_a_change),
		cmocka_unit_test(known_addresses_of_one_origin_and_family_are_taken_again),
		cmocka_unit_test(there_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
