/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

static int run(const struct options *options)
{
	const char *name = options->argument_count > 0 ? options->arguments[0] : NULL;
	char *encoded = ask_encode(name != NULL ? name : "");
	char *path;
	if (asprintf(&path, "/v1/pools%s%s", name != NULL ? "/" : "", encoded) < 0)
		return EXIT_CODE_FAILED;
	const struct admin_client_request request = { .method = "GET", .path = path };
	json_t *document;
	int code = ask(options, &request, &document);
	free(encoded);
	free(path);
	if (code != EXIT_CODE_OK)
		return code;
	if (ask_wants_json(options)) {
		ask_print_json(document);
		return code;
	}
	json_t *pools = name != NULL ? json_pack("[O]", document) : json_incref(json_object_get(document, "pools"));
	status_table_print_pools(pools, ask_colour(), stdout);
	json_decref(pools);
	json_decref(document);
	return code;
}

const struct command command_pools = {
	.name = "pools",
	.arguments = "[POOL]",
	.arguments_max = 1,
	.summary = "show the servers of all pools, or of one",
	.options = { ASK_OPTIONS },
	.run = run,
};
