/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>

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
	status_table_print(status, ask_colour(), stdout);
	json_decref(status);
	return code;
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.summary = "show what a running strait does and how its servers are",
	.details = "Exit code 0 when all is well, 1 when a server is down or a pool has none left, 3 when no daemon "
		   "answers.",
	.options = { ASK_OPTIONS },
	.run = run,
};
