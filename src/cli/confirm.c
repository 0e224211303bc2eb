/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"

#include <stdio.h>

static void print_generation(const json_t *answer)
{
	printf("generation %llu stays in force\n", (unsigned long long)document_number(answer, "generation"));
}

static int run(const struct options *options)
{
	const struct admin_client_request request = { .method = "POST", .path = "/v1/confirm" };
	return ask_and_show(options, &request, print_generation);
}

const struct command command_confirm = {
	.name = "confirm",
	.arguments = "",
	.summary = "keep the configuration that strait reload --confirm has put in force",
	.options = { ASK_OPTIONS },
	.run = run,
};
