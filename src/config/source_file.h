/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a file of bounded size into memory. The control thread and the command line. Reports nothing: the caller knows
 * the place.
 */
#ifndef CONFIG_SOURCE_FILE_H
#define CONFIG_SOURCE_FILE_H

#include "base/span.h"
#include "config/config_memory.h"

#include <stdint.h>

struct source_file {
	struct span text; /* in the memory given; a UTF-8 byte order mark is left out */
	uint64_t device;
	uint64_t inode;
};

/*
 * Returns 0, or a negative errno with *ret_problem set to what people should read (static, or in the memory given).
 * Never waits for a writer: a pipe is read as it is, to its end.
 */
int source_file_read(const char *path, size_t bytes_max, struct config_memory *memory, struct source_file *ret_file,
		     const char **ret_problem);

/* A path that stands in the file `including`: relative ones begin in its folder. */
char *source_file_path_beside(const char *including, struct span path, struct config_memory *memory);

/* Leaves out a UTF-8 byte order mark. Returns -EINVAL for UTF-16 with *ret_problem set. */
int source_file_strip_mark(struct span *text, const char **ret_problem);

#endif
