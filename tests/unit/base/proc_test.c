/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/proc_test.XXXXXX";

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void reads_numbers(void **state)
{
	(void)state;
	uint64_t numbers[2] = { 7, 7 };
	write_file("32768\t60999\n");
	assert_int_equal(proc_read_numbers(path, numbers, 2), 2);
	assert_int_equal(numbers[0], 32768);
	assert_int_equal(numbers[1], 60999);
	assert_int_equal(proc_read_numbers(path, numbers, 1), 1);
	write_file("4\n");
	assert_int_equal(proc_read_numbers(path, numbers, 2), 1);
	assert_int_equal(numbers[0], 4);
	write_file("cubic\n");
	assert_int_equal(proc_read_numbers(path, numbers, 2), 0);
	assert_int_equal(proc_read_numbers("/nowhere/at/all", numbers, 2), 0);
}

static void reads_capabilities(void **state)
{
	(void)state;
	write_file("Name:\tstrait\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000001400\nCapBnd:\t0\n");
	uint64_t capabilities = proc_read_capabilities(path);
	assert_int_equal(capabilities, 1 << PROC_CAP_NET_ADMIN | 1 << PROC_CAP_NET_BIND_SERVICE);
	assert_true(proc_may_be_transparent(capabilities));
	assert_true(proc_may_be_transparent(1 << PROC_CAP_NET_RAW));
	assert_false(proc_may_be_transparent(1 << PROC_CAP_NET_BIND_SERVICE));
	assert_int_equal(proc_read_capabilities("/nowhere/at/all"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(reads_capabilities),
	};
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
