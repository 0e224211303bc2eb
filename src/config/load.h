/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading with more say than config.h gives: for the fuzzer and for places where text comes from someone who must not
 * make the daemon open files.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"

enum {
	LOAD_FILE_BYTES_MAX = 16 << 20,
	LOAD_ALL_BYTES_MAX = 64 << 20,
	LOAD_FILES_MAX = 1000,
	LOAD_INCLUDE_DEPTH_MAX = 8,
};

struct load_options {
	bool refuses_includes; /* an include is an error, and no file is looked for */
};

/* As config_load_text. */
struct config *load_text(const char *name, struct span text, const struct load_options *options,
			 struct diagnostics *diagnostics);

#endif
