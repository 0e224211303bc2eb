/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/screen_size.h"
#include "cli/status_screen.h"

#include <stdio.h>
#include <unistd.h>

/* What only makes the picture fuller, and which an older daemon does not have. NULL without a word if there is none. */
static json_t *ask_quietly(const struct options *options, const char *path)
{
	return ask_if_there(options, &(struct admin_client_request){ .method = "GET", .path = path });
}

static void print(const struct options *options, const json_t *status)
{
	json_t *history = ask_quietly(options, "/v1/history");
	json_t *trends = ask_quietly(options, "/v1/trends?window=1m&limit=1");
	struct screen_size size = screen_size_find();
	const struct status_screen screen = {
		.status = status,
		.history = history,
		.trends = trends,
		.width = size.width,
		.height = size.height - isatty(STDOUT_FILENO), /* and the prompt */
		.colour = ask_colour(),
	};
	status_screen_print(&screen, stdout);
	json_decref(history);
	json_decref(trends);
}

static int run(const struct options *options)
{
	const struct admin_client_request request = { .method = "GET", .path = "/v1/status" };
	json_t *status;
	int code = ask(options, &request, &status);
	if (code != EXIT_CODE_OK)
		return code;
	if (json_is_true(json_object_get(status, "is_degraded")))
		code = EXIT_CODE_FAILED;
	if (ask_wants_json(options)) {
		ask_print_json(status);
		return code;
	}
	print(options, status);
	json_decref(status);
	return code;
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.summary = "show on one screen what a running strait does and how its servers are",
	.details =
		"Problems come first, then what is busiest; strait pools shows all servers, strait top --once all "
		"services.\nExit code 0 when all is well, 1 when a server is down or a pool has none left, 3 when no "
		"daemon\nanswers.",
	.options = { ASK_OPTIONS },
	.run = run,
};
