/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_line(const char *event, const char *expected)
{
	char *text = NULL;
	size_t bytes;
	json_t *document = json_loads(event, 0, NULL);
	assert_non_null(document);
	FILE *out = open_memstream(&text, &bytes);
	event_line_print(document, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_decref(document);
}

static void fields_come_in_their_order(void **state)
{
	(void)state;
	assert_line("{\"id\":3,\"ts\":\"2026-11-23T06:29:19.266Z\",\"event\":\"server_down\",\"pool\":\"web\",\"n\":5,"
		    "\"cause\":\"connection refused\",\"ok\":true,\"tried\":[\"a\",\"b\"],\"none\":\"\"}",
		    "2026-11-23T06:29:19.266Z server_down pool=web n=5 cause=\"connection refused\" ok=true "
		    "tried=[\"a\",\"b\"] none=\"\"\n");
}

static void nothing_steers_a_terminal(void **state)
{
	(void)state;
	assert_line("{\"ts\":\"t\",\"event\":\"e\",\"a\":\"\\u001b[2J\\u009b1m\\u007f\\n\\\"\",\"\\u001b]\":1}",
		    "t e a=\"\\u001B[2J\\u009B1m\\u007f\\n\\\"\" ?=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_in_their_order),
		cmocka_unit_test(nothing_steers_a_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
