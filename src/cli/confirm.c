/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>

static int run(const struct options *options)
{
	const struct admin_client_request request = { .method = "POST", .path = "/v1/confirm" };
	json_t *answer;
	int code = ask(options, &request, &answer);
	if (code != EXIT_CODE_OK)
		return code;
	if (ask_wants_json(options)) {
		ask_print_json(answer);
		return code;
	}
	printf("generation %llu stays in force\n",
	       (unsigned long long)json_integer_value(json_object_get(answer, "generation")));
	json_decref(answer);
	return code;
}

const struct command command_confirm = {
	.name = "confirm",
	.arguments = "",
	.summary = "keep the configuration that strait reload --confirm has put in force",
	.options = { ASK_OPTIONS },
	.run = run,
};
