/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

static int run(const struct options *options)
{
	int worst = EXIT_CODE_OK;
	for (size_t i = 0; i < options->argument_count; i++) {
		char *encoded = ask_encode(options->arguments[i]);
		char *path;
		if (asprintf(&path, "/v1/flows/%s", encoded) < 0)
			return EXIT_CODE_FAILED;
		const struct admin_client_request request = { .method = "DELETE", .path = path };
		json_t *document;
		int code = ask(options, &request, &document);
		if (code == EXIT_CODE_OK)
			printf("closed %s\n", options->arguments[i]);
		else
			worst = code;
		json_decref(document);
		free(encoded);
		free(path);
	}
	return worst;
}

const struct command command_close = {
	.name = "close",
	.arguments = "ID...",
	.arguments_min = 1,
	.arguments_max = 1000,
	.summary = "close connections or sessions that strait connections has shown",
	.options = { ASK_OPTIONS },
	.run = run,
};
