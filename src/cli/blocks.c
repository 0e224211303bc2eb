/* SPDX-License-Identifier: Apache-2.0 */
/* blocks, block and unblock: whom a running strait keeps out. */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/exit_code.h"
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPTION_ADDRESS = ASK_OPTION_COUNT, OPTION_LIMIT };
enum { OPTION_FOR = ASK_OPTION_COUNT, OPTION_CAUSE };

/* --- listing ----------------------------------------------------------------------------------------------------- */

static void add_block(struct table *table, const json_t *block)
{
	char text[TABLE_NUMBER_BYTES];
	struct table_row *row = table_add(table);
	bool has_end = json_is_integer(json_object_get(block, "remaining_ms"));
	uint64_t remaining_s = (document_number(block, "remaining_ms") + 999) / 1000;
	table_set(row, 0, "%s", document_text(block, "network"));
	table_set(row, 1, "%s", document_text(block, "origin"));
	table_set(row, 2, "%s", document_text(block, "service"));
	table_set(row, 3, "%s", has_end ? table_time(remaining_s, text) : "until removed");
	table_set(row, 4, "%s", table_count(document_number(block, "refused"), text));
	table_set(row, 5, "%s", table_count(document_number(block, "packets_dropped"), text));
	table_set(row, 6, "%s", document_text(block, "cause"));
}

static void print_blocks(const json_t *document)
{
	static const char *const heads[] = { "NETWORK", "ORIGIN",  "SERVICE", "FOR ANOTHER",
					     "REFUSED", "DROPPED", "CAUSE" };
	const json_t *blocks = json_object_get(document, "blocks");
	uint64_t count = document_number(document, "count");
	struct table table;
	size_t index;
	const json_t *block;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(blocks, index, block) add_block(&table, block);
	table_print(&table, ask_colour(), stdout);
	if (count > json_array_size(blocks))
		fprintf(stderr, "%zu of %llu; --limit shows more\n", json_array_size(blocks),
			(unsigned long long)count);
}

static int run_list(const struct options *options)
{
	char *path;
	char *address = ask_encode(options->values[OPTION_ADDRESS] != NULL ? options->values[OPTION_ADDRESS] : "");
	char *limit = ask_encode(options->values[OPTION_LIMIT] != NULL ? options->values[OPTION_LIMIT] : "1000");
	int len = asprintf(&path, "/v1/blocks?limit=%s%s%s", limit, address[0] != '\0' ? "&address=" : "", address);
	CHECK(len >= 0);
	const struct admin_client_request request = { .method = "GET", .path = path };
	int code = ask_and_show(options, &request, print_blocks);
	free(path);
	free(limit);
	free(address);
	return code;
}

const struct command command_blocks = {
	.name = "blocks",
	.arguments = "",
	.summary = "show which networks are blocked",
	.options = {
		ASK_OPTIONS,
		[OPTION_ADDRESS] = { 0, "address", "ADDRESS", NULL, "only the block that this address falls under" },
		[OPTION_LIMIT] = { 'n', "limit", "N", NULL, "show at most so many; 1000 if not given" },
	},
	.run = run_list,
};

/* --- blocking ---------------------------------------------------------------------------------------------------- */

static void print_blocked(const json_t *block)
{
	char text[TABLE_NUMBER_BYTES];
	bool has_end = json_is_integer(json_object_get(block, "remaining_ms"));
	printf("%s is blocked %s%s; %llu flows were closed\n", document_text(block, "network"),
	       has_end ? "for " : "until it is unblocked",
	       has_end ? table_time((document_number(block, "remaining_ms") + 999) / 1000, text) : "",
	       (unsigned long long)document_number(block, "closed_count"));
}

static int run_block(const struct options *options)
{
	json_t *document = json_object();
	json_object_set_new(document, "network", json_string(options->arguments[0]));
	if (options->values[OPTION_FOR] != NULL)
		json_object_set_new(document, "for", json_string(options->values[OPTION_FOR]));
	if (options->values[OPTION_CAUSE] != NULL)
		json_object_set_new(document, "cause", json_string(options->values[OPTION_CAUSE]));
	char *body = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	if (body == NULL) {
		fprintf(stderr, "strait: the words have to be UTF-8\n");
		return EXIT_CODE_USAGE;
	}
	const struct admin_client_request request = { .method = "POST", .path = "/v1/blocks", .body = body };
	int code = ask_and_show(options, &request, print_blocked);
	free(body);
	return code;
}

const struct command command_block = {
	.name = "block",
	.arguments = "NETWORK",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "keep a network out of all services, and close its flows",
	.details = "NETWORK is an address or a network: 203.0.113.7, 203.0.113.0/24, 2001:db8::/32. The block stays over "
		   "reloads, and until strait ends.",
	.options = {
		ASK_OPTIONS,
		[OPTION_FOR] = { 0, "for", "TIME", NULL, "so long, 10m for instance; if not given until it is unblocked" },
		[OPTION_CAUSE] = { 0, "cause", "TEXT", NULL, "why, for those who look at it later" },
	},
	.run = run_block,
};

/* --- unblocking -------------------------------------------------------------------------------------------------- */

static int run_unblock(const struct options *options)
{
	int worst = EXIT_CODE_OK;
	for (size_t i = 0; i < options->argument_count; i++) {
		char *encoded = ask_encode(options->arguments[i]);
		char *path;
		json_t *document;
		int len = asprintf(&path, "/v1/blocks/%s", encoded);
		CHECK(len >= 0);
		const struct admin_client_request request = { .method = "DELETE", .path = path };
		int code = ask(options, &request, &document);
		if (code == EXIT_CODE_OK)
			printf("%s is not blocked any more\n", options->arguments[i]);
		else
			worst = code;
		json_decref(document);
		free(path);
		free(encoded);
	}
	return worst;
}

const struct command command_unblock = {
	.name = "unblock",
	.arguments = "NETWORK...",
	.arguments_min = 1,
	.arguments_max = 1000,
	.summary = "let networks in again that strait blocks has shown",
	.options = { ASK_OPTIONS },
	.run = run_unblock,
};
