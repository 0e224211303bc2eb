/* SPDX-License-Identifier: Apache-2.0 */
#include "health/program_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[PROGRAM_PATH_BYTES / 2];

void program_fixture_init(void)
{
	snprintf(folder, sizeof(folder), "/tmp/strait-programs-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

void program_fixture_done(void)
{
	nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

char *program_path(const char *name, char *buf)
{
	snprintf(buf, PROGRAM_PATH_BYTES, "%s/%s", folder, name);
	return buf;
}

/* In a process of its own the file would be open for writing while another is started: "text file busy". */
char *program_write(const char *name, const char *script, char *buf)
{
	FILE *file = fopen(program_path(name, buf), "we");
	assert_non_null(file);
	fputs("#!/bin/sh\n", file);
	for (const char *part; (part = strstr(script, "%s")) != NULL; script = part + 2)
		fprintf(file, "%.*s%s", (int)(part - script), script, folder);
	fputs(script, file);
	assert_int_equal(fchmod(fileno(file), 0755), 0);
	assert_int_equal(fclose(file), 0);
	return buf;
}

const char *program_read_file(const char *name)
{
	static char content[4096];
	char path[PROGRAM_PATH_BYTES];
	FILE *file = fopen(program_path(name, path), "re");
	size_t len = 0;
	if (file != NULL) {
		len = fread(content, 1, sizeof(content) - 1, file);
		fclose(file);
	}
	content[len] = '\0';
	return content;
}

pid_t program_read_pid(const char *name)
{
	const char *content = program_read_file(name);
	return strchr(content, '\n') != NULL ? (pid_t)atoi(content) : 0;
}

bool program_is_alive(pid_t pid)
{
	char path[64];
	char state = 'Z';
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z' && state != 'X';
}

unsigned int program_count_children(void)
{
	char path[64];
	unsigned int count = 0;
	int pid;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fscanf(file, "%d", &pid) == 1)
		count++;
	fclose(file);
	return count;
}
