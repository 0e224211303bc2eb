/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a plain program of a fuzz target: runs it once on every file named, and on every file in the folders named, at
 * any depth. Any compiler; the sanitizers say what is wrong.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { OPEN_FOLDERS_MAX = 16 };

static size_t input_count;

static int file_run(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)place;
	if (kind != FTW_F)
		return 0;
	/* The exact size, so that reading one byte too far is seen. */
	size_t len = (size_t)status->st_size;
	uint8_t *data = malloc(len > 0 ? len : 1);
	FILE *file = fopen(path, "rb");
	if (data == NULL || file == NULL || fread(data, 1, len, file) != len) {
		perror(path);
		exit(2);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	input_count++;
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], file_run, OPEN_FOLDERS_MAX, FTW_PHYS) != 0) {
			perror(argv[i]);
			return 2;
		}
	}
	const char *name = strrchr(argv[0], '/');
	printf("%s: %zu inputs\n", name != NULL ? name + 1 : argv[0], input_count);
	return input_count > 0 ? 0 : 2;
}
