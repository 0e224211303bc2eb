/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>

static int run(const struct options *options)
{
	(void)options;
	printf("strait %s\n", STRAIT_VERSION);
	return EXIT_CODE_OK;
}

const struct command command_version = {
	.name = "version",
	.arguments = "",
	.summary = "print the version",
	.run = run,
};
