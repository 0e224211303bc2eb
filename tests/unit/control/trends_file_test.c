/* SPDX-License-Identifier: Apache-2.0 */
#include "control/trends_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 10000 };

static char folder[] = "/tmp/trends_file_test.XXXXXX";
static char path[64];
static char new_path[64];

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/trends", folder);
	snprintf(new_path, sizeof(new_path), "%s/trends.new", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(new_path);
	return rmdir(folder);
}

static void put(struct trends_file *file, const char *text)
{
	struct byte_writer chunk = { 0 };
	int error;
	assert_int_equal(trends_file_wait(file, WAIT_MS, &error), TRENDS_FILE_READY);
	byte_writer_put(&chunk, text, strlen(text));
	trends_file_put(file, &chunk);
	assert_int_equal(chunk.len, 0);
	byte_writer_done(&chunk);
}

static void write_whole(const char *text)
{
	struct trends_file *file;
	int error;
	assert_int_equal(trends_file_begin(path, &file), 0);
	put(file, text);
	assert_int_equal(trends_file_wait(file, WAIT_MS, &error), TRENDS_FILE_READY);
	trends_file_finish(file);
	assert_int_equal(trends_file_wait(file, WAIT_MS, &error), TRENDS_FILE_DONE);
	trends_file_close(&file);
	assert_null(file);
}

static bool holds(const char *text)
{
	struct span bytes;
	assert_int_equal(trends_file_read(path, &bytes), 0);
	bool is_in = memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
	free((void *)(uintptr_t)bytes.data);
	return is_in;
}

static void a_whole_file_takes_the_place_of_the_old(void **state)
{
	struct stat status;
	(void)state;
	write_whole("first");
	assert_true(holds("first"));
	write_whole("second");
	assert_true(holds("second"));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(access(new_path, F_OK), -1);
}

static void what_is_not_finished_changes_nothing(void **state)
{
	struct trends_file *file;
	(void)state;
	write_whole("old");
	assert_int_equal(trends_file_begin(path, &file), 0);
	put(file, "half");
	trends_file_close(&file);
	assert_true(holds("old"));
	assert_int_equal(access(new_path, F_OK), -1);
	trends_file_close(&file);
}

static void what_cannot_be_written_is_told(void **state)
{
	struct trends_file *file;
	int error = 0;
	(void)state;
	assert_int_equal(trends_file_begin("/nowhere/at/all", &file), 0);
	assert_int_equal(trends_file_wait(file, WAIT_MS, &error), TRENDS_FILE_FAILED);
	assert_int_equal(error, ENOENT);
	trends_file_close(&file);
	/* Links are not followed: the folder may be anybody's. */
	assert_int_equal(symlink("/dev/null", new_path), 0);
	assert_int_equal(trends_file_begin(path, &file), 0);
	assert_int_equal(trends_file_wait(file, WAIT_MS, &error), TRENDS_FILE_FAILED);
	assert_int_equal(error, ELOOP);
	trends_file_close(&file);
	unlink(new_path);
	char long_path[6000];
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(trends_file_begin(long_path, &file), -ENAMETOOLONG);
}

static void what_is_no_file_is_not_read(void **state)
{
	struct span bytes;
	char aside[80];
	(void)state;
	assert_int_equal(trends_file_read("/nowhere/at/all", &bytes), -ENOENT);
	assert_int_equal(trends_file_read(folder, &bytes), -EINVAL);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(trends_file_read(path, &bytes), -EINVAL);
	unlink(path);
	/* An empty one is a file. */
	FILE *empty = fopen(path, "w");
	fclose(empty);
	assert_int_equal(trends_file_read(path, &bytes), 0);
	assert_int_equal(bytes.len, 0);
	free((void *)(uintptr_t)bytes.data);
	assert_int_equal(trends_file_set_aside(path), 0);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	assert_int_equal(unlink(aside), 0);
	assert_int_equal(trends_file_set_aside(path), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_takes_the_place_of_the_old),
		cmocka_unit_test(what_is_not_finished_changes_nothing),
		cmocka_unit_test(what_cannot_be_written_is_told),
		cmocka_unit_test(what_is_no_file_is_not_read),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
