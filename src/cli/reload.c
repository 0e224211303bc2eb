/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CONFIRM = ASK_OPTION_COUNT, OPTION_DRY_RUN };

/* A configuration of thousands of servers takes its time. */
enum { RELOAD_TIMEOUT_MS = 60 * 1000 };

static char *make_path(const struct options *options)
{
	const char *confirm = options->values[OPTION_CONFIRM];
	char *encoded = ask_encode(confirm != NULL ? confirm : "");
	char *path;
	int len = asprintf(&path, "/v1/reload%s%s%s", confirm != NULL ? "?confirm=" : "", encoded,
			   options->values[OPTION_DRY_RUN] == NULL ? ""
			   : confirm != NULL                       ? "&dry_run=1"
								   : "?dry_run=1");
	free(encoded);
	return len < 0 ? NULL : path;
}

static void print_report(const json_t *report)
{
	size_t index;
	const json_t *line;
	unsigned long long generation = (unsigned long long)json_integer_value(json_object_get(report, "generation"));
	json_int_t confirm_ms = json_integer_value(json_object_get(report, "confirm_within_ms"));
	const json_t *changes = json_object_get(report, "changes");
	ask_print_diagnostics(json_object_get(report, "warnings"));
	json_array_foreach(changes, index, line) printf("%s\n", json_string_value(line));
	if (json_array_size(changes) == 0)
		printf("no changes\n");
	if (json_is_true(json_object_get(report, "is_dry_run")))
		printf("dry run: nothing was changed; generation %llu keeps running\n", generation);
	else
		printf("generation %llu is in force\n", generation);
	if (confirm_ms > 0 && !json_is_true(json_object_get(report, "is_dry_run")))
		printf("the old one comes back in %.0f s unless you run: strait confirm\n", (double)confirm_ms / 1000);
}

static int run(const struct options *options)
{
	char *path = make_path(options);
	const struct admin_client_request request = { .method = "POST", .path = path, .timeout_ms = RELOAD_TIMEOUT_MS };
	int code = ask_and_show(options, &request, print_report);
	free(path);
	return code;
}

const struct command command_reload = {
	.name = "reload",
	.arguments = "",
	.summary = "make a running strait read its configuration again",
	.details = "Prints what changed, in words, and the new generation; or everything that is wrong with the file, and then\n"
		   "nothing was changed. Exit code 0 when it is in force, 78 when the file has errors, 5 when it cannot be\n"
		   "taken now, 3 when no daemon answers.",
	.options = {
		ASK_OPTIONS,
		[OPTION_CONFIRM] = { 0, "confirm", "TIME", NULL,
				     "the old configuration comes back after this time unless strait confirm follows" },
		[OPTION_DRY_RUN] = { 0, "dry-run", NULL, NULL, "try it, and change nothing" },
	},
	.run = run,
};
