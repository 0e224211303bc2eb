/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pool_table.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char number[TABLE_NUMBER_BYTES];

static void numbers_are_short(void **state)
{
	(void)state;
	assert_string_equal(table_count(0, number), "0");
	assert_string_equal(table_count(999, number), "999");
	assert_string_equal(table_count(1000, number), "1.0k");
	assert_string_equal(table_count(999949, number), "999.9k");
	assert_string_equal(table_count(999950, number), "1.0M");
	assert_string_equal(table_count(UINT64_MAX, number), "18.4E");
	assert_string_equal(table_size(1023, number), "1023 B");
	assert_string_equal(table_size(1536, number), "1.5 KiB");
	assert_string_equal(table_size(UINT64_MAX, number), "16.0 EiB");
	assert_string_equal(table_time(59, number), "59s");
	assert_string_equal(table_time(200, number), "3m20s");
	assert_string_equal(table_time(7500, number), "2h5m");
	assert_string_equal(table_time(356400, number), "4d3h");
}

static char *print(const char *document, enum look_colour colour)
{
	char *text = NULL;
	size_t bytes = 0;
	json_t *status = json_loads(document, 0, NULL);
	assert_non_null(status);
	FILE *out = open_memstream(&text, &bytes);
	pool_table_print(json_object_get(status, "pools"), colour, out);
	fclose(out);
	json_decref(status);
	return text;
}

static const char document[] =
	"{\"version\":\"0.1.0\",\"phase\":\"running\",\"uptime_seconds\":75,\"generation\":1,\"is_degraded\":true,"
	"\"workers\":[{}],\"services\":[{\"name\":\"web\",\"pool\":\"web\",\"flows_active\":3,"
	"\"listens\":[{\"protocol\":\"tcp\",\"address\":\"[::]:8080\",\"is_dual\":true},"
	"{\"protocol\":\"udp\",\"address\":\"127.0.0.1:53\",\"is_dual\":false}]}],"
	"\"pools\":[{\"name\":\"web\",\"available_count\":0,\"is_degraded\":true,\"names\":[{\"host\":\"db.example."
	"com\","
	"\"state\":\"failed\",\"age_ms\":61000,\"addresses\":[\"10.0.0.1:80\"],\"last_error\":\"no answer\\u001b\"},"
	"{\"host\":\"good.example.com\",\"state\":\"resolved\",\"addresses\":[],\"last_error\":null}],"
	"\"servers\":[{\"name\":\"blue\","
	"\"address\":\"10.0.0.1:80\",\"state\":\"down\",\"weight\":1,"
	"\"last_check\":{\"good\":false,\"age_ms\":1500,\"duration_us\":3,\"cause\":\"refused\\u001b[2J\"}}]}]}";

static void a_table_says_what_is_wrong(void **state)
{
	(void)state;
	char *text = print(document, LOOK_COLOURLESS);
	assert_non_null(strstr(text, "blue"));
	assert_non_null(strstr(text, "down"));
	assert_non_null(strstr(text, "refused?[2J, 1s ago"));
	assert_null(strchr(text, '\x1b'));
	free(text);
}

static void colour_only_repeats_words(void **state)
{
	(void)state;
	char *text = print(document, LOOK_COLOURED);
	assert_non_null(strstr(text, "\x1b[1;31mdown"));
	free(text);
}

static void strange_documents_do_no_harm(void **state)
{
	(void)state;
	static const char *const documents[] = {
		"{}",
		"{\"services\":3,\"pools\":\"x\",\"workers\":null,\"limits\":[]}",
		"{\"services\":[1,null,{}],\"pools\":[{\"servers\":[null,{\"last_check\":5}]}],\"uptime_seconds\":-1}",
	};
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		free(print(documents[i], LOOK_COLOURLESS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_short),
		cmocka_unit_test(a_table_says_what_is_wrong),
		cmocka_unit_test(colour_only_repeats_words),
		cmocka_unit_test(strange_documents_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
