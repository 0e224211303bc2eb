/* SPDX-License-Identifier: Apache-2.0 */
/* What GET / answers in a build without the page: the table of files here takes the place of the one in the library. */
#include "control/admin_page.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct admin_page_file admin_page_files[] = { { .path = "" } };
const size_t admin_page_file_count = 0;

static void the_root_says_where_to_look(void **state)
{
	struct admin_request request = { .method = "GET", .path = "/" };
	struct admin_answer answer;
	(void)state;
	admin_page_answer(&request, &answer);
	assert_int_equal(answer.status, ADMIN_OK);
	assert_string_equal(answer.type, "text/plain; charset=utf-8");
	assert_null(answer.etag);
	assert_non_null(memmem(answer.body, answer.body_bytes, "dashboard was not built in", 26));
	assert_non_null(memmem(answer.body, answer.body_bytes, "GET /v1 lists", 13));
	free(answer.body);
}

static void there_are_no_files(void **state)
{
	struct admin_request request = { .method = "GET", .path = "/assets/main.js" };
	struct admin_answer answer;
	(void)state;
	admin_page_answer(&request, &answer);
	assert_int_equal(answer.status, ADMIN_NOT_FOUND);
	free(answer.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_says_where_to_look),
		cmocka_unit_test(there_are_no_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
