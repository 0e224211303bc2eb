/* SPDX-License-Identifier: Apache-2.0 */
#include "config/network_list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct told {
	size_t count;
	char text[1024];
};

static void on_problem(void *owner, const struct network_list_problem *problem)
{
	struct told *told = owner;
	size_t len = strlen(told->text);
	snprintf(told->text + len, sizeof(told->text) - len, "%u:%u+%u ", problem->line, problem->column, problem->len);
	told->count++;
}

static int parse(const char *text, struct config_memory *memory, struct network_list *ret_list, struct told *told)
{
	*told = (struct told){ .count = 0 };
	*ret_list = (struct network_list){ NULL, 0 };
	return network_list_parse(span_from_text(text), memory, on_problem, told, ret_list);
}

static void a_network_stands_in_each_line(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	struct network_list list;
	struct told told;
	char text[NETWORK_TEXT_BYTES];
	const char *content = "# scanners\n\n192.0.2.7\t# with a comment\r\n 10.0.0.0/8;and one\n2001:db8::/32\nunix:";
	static const char *const expected[] = { "192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "unix:" };
	assert_int_equal(parse(content, memory, &list, &told), 0);
	assert_int_equal(list.count, 4);
	for (size_t i = 0; i < list.count; i++)
		assert_string_equal(network_format(&list.networks[i], text, sizeof(text)), expected[i]);
	assert_int_equal(parse("", memory, &list, &told), 0);
	assert_int_equal(list.count, 0);
	config_memory_free(&memory);
}

static void every_wrong_line_is_told(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	struct network_list list;
	struct told told;
	assert_int_equal(parse("10.0.0.1\n  nonsense\n10.0.0.2 10.0.0.3\n10.0.0.0/33\n", memory, &list, &told),
			 -EINVAL);
	assert_string_equal(told.text, "2:3+8 3:10+8 4:1+11 ");
	assert_int_equal(list.count, 0);
	config_memory_free(&memory);
}

static void a_list_has_an_end(void **state)
{
	(void)state;
	struct config_memory *memory = config_memory_new();
	struct network_list list;
	struct told told;
	size_t len = 4 * ((size_t)NETWORK_LIST_MAX + 1);
	char *text = malloc(len + 1);
	for (size_t i = 0; i < len; i += 4)
		memcpy(text + i, "::1\n", 4);
	text[len] = '\0';
	assert_int_equal(parse(text, memory, &list, &told), -E2BIG);
	text[len - 4] = '\0';
	assert_int_equal(parse(text, memory, &list, &told), 0);
	assert_int_equal(list.count, NETWORK_LIST_MAX);
	free(text);
	config_memory_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_stands_in_each_line),
		cmocka_unit_test(every_wrong_line_is_told),
		cmocka_unit_test(a_list_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
