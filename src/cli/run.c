/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/exit_code.h"
#include "config/config.h"
#include "control/daemon.h"

#include <stdio.h>

enum { OPTION_CONFIG };

/* Whoever asked for JSON on stderr reads it by machine: then nothing else is written there. `strait check` warns, too. */
static bool may_warn(const struct config *config)
{
	for (size_t i = 0; i < config->log_count; i++) {
		if (config->logs[i].sink == CONFIG_LOG_STDERR && config->logs[i].format == CONFIG_LOG_JSON)
			return false;
	}
	return true;
}

static struct config *load(const char *path)
{
	char summary[64];
	struct diagnostics diagnostics;
	diagnostics_init(&diagnostics);
	struct config *config = config_load(path, &diagnostics);
	if (config == NULL || may_warn(config))
		diagnostics_print(&diagnostics, stderr);
	if (config == NULL)
		fprintf(stderr, "%s. strait was not started.\n",
			diagnostics_summarize(&diagnostics, summary, sizeof(summary)));
	diagnostics_done(&diagnostics);
	return config;
}

static int run(const struct options *options)
{
	const char *path = options->values[OPTION_CONFIG];
	if (path == NULL)
		path = COMMAND_DEFAULT_FILE;
	struct config *config = load(path);
	return config != NULL ? daemon_run(config, path) : EXIT_CODE_INVALID_CONFIGURATION;
}

const struct command command_run = {
	.name = "run",
	.arguments = "",
	.summary = "serve in the foreground, as a service manager wants it",
	.details = "Signals: TERM and INT stop gracefully, a second one at once; USR1 opens log files anew.",
	.options = { [OPTION_CONFIG] = { 'c', "config", "FILE", NULL,
					 "the configuration; default " COMMAND_DEFAULT_FILE } },
	.run = run,
};
