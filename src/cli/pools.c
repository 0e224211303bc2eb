/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>

static void print_pools(const json_t *document)
{
	pool_table_print(json_object_get(document, "pools"), ask_colour(), stdout);
}

static void print_pool(const json_t *pool)
{
	json_t *pools = json_pack("[O]", pool);
	pool_table_print(pools, ask_colour(), stdout);
	json_decref(pools);
}

static int run(const struct options *options)
{
	const char *name = options->argument_count > 0 ? options->arguments[0] : NULL;
	char *encoded = ask_encode(name != NULL ? name : "");
	char *path;
	if (asprintf(&path, "/v1/pools%s%s", name != NULL ? "/" : "", encoded) < 0)
		return EXIT_CODE_FAILED;
	const struct admin_client_request request = { .method = "GET", .path = path };
	int code = ask_and_show(options, &request, name != NULL ? print_pool : print_pools);
	free(encoded);
	free(path);
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
