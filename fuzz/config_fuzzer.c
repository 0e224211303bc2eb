/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text must be read to its end, and either give a whole tree, which can be written and read again, or at least one
 * error. Includes are refused, so no input makes the fuzzer open files.
 */
#include "config/load.h"
#include "loaded.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct load_options options = { .refuses_includes = true };
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = load_text("fuzz", (struct span){ (const char *)data, len }, &options, &diagnostics);
	loaded_check(config, &diagnostics);
	config_free(&config);
	diagnostics_done(&diagnostics);
	return 0;
}
