/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/exit_code.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPTION_SERVICE = ASK_OPTION_COUNT, OPTION_CLIENT, OPTION_SERVER, OPTION_LIMIT, OPTION_COUNT };

static char *make_path(const struct options *options)
{
	static const char *const names[OPTION_COUNT] = { [OPTION_SERVICE] = "service",
							 [OPTION_CLIENT] = "client",
							 [OPTION_SERVER] = "server",
							 [OPTION_LIMIT] = "limit" };
	char *path = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&path, &bytes);
	CHECK(out != NULL);
	fputs("/v1/flows", out);
	char mark = '?';
	for (int i = OPTION_SERVICE; i < OPTION_COUNT; i++) {
		if (options->values[i] == NULL)
			continue;
		char *encoded = ask_encode(options->values[i]);
		fprintf(out, "%c%s=%s", mark, names[i], encoded);
		free(encoded);
		mark = '&';
	}
	fclose(out);
	return path;
}

static void add_flow(struct table *table, const json_t *flow)
{
	char text[TABLE_NUMBER_BYTES];
	struct table_row *row = table_add(table);
	table_set(row, 0, "%s", document_text(flow, "id"));
	table_set(row, 1, "%s", document_text(flow, "protocol"));
	table_set(row, 2, "%s", document_text(flow, "client"));
	table_set(row, 3, "%s", document_text(flow, "service"));
	table_set(row, 4, "%s/%s", document_text(flow, "pool"), document_text(flow, "server"));
	table_set(row, 5, "%s", table_time(document_number(flow, "duration_ms") / 1000, text));
	table_set(row, 6, "%s", table_size(document_number(flow, "bytes_in"), text));
	table_set(row, 7, "%s", table_size(document_number(flow, "bytes_out"), text));
}

static void print_flows(const json_t *document)
{
	static const char *const heads[] = { "ID", "PROTOCOL", "CLIENT", "SERVICE", "SERVER", "AGE", "IN", "OUT" };
	const json_t *flows = json_object_get(document, "flows");
	uint64_t matched = document_number(document, "matched_count");
	struct table table;
	size_t index;
	const json_t *flow;
	table_begin(&table, heads, sizeof(heads) / sizeof(heads[0]));
	json_array_foreach(flows, index, flow) add_flow(&table, flow);
	table_print(&table, ask_colour(), stdout);
	if (matched > json_array_size(flows))
		fprintf(stderr, "%zu of %llu; --limit shows more\n", json_array_size(flows),
			(unsigned long long)matched);
	if (json_is_false(json_object_get(document, "is_whole")))
		fprintf(stderr, "strait: a worker did not answer in time, so flows are missing here\n");
}

static int run(const struct options *options)
{
	char *path = make_path(options);
	const struct admin_client_request request = { .method = "GET", .path = path };
	int code = ask_and_show(options, &request, print_flows);
	free(path);
	return code;
}

const struct command command_connections = {
	.name = "connections",
	.arguments = "",
	.summary = "show live TCP connections and UDP sessions",
	.options = {
		ASK_OPTIONS,
		[OPTION_SERVICE] = { 0, "service", "NAME", NULL, "only those of this service" },
		[OPTION_CLIENT] = { 0, "client", "ADDRESS", NULL, "only those of this address, ADDRESS:PORT or network" },
		[OPTION_SERVER] = { 0, "server", "[POOL/]SERVER", NULL, "only those to this server" },
		[OPTION_LIMIT] = { 'n', "limit", "N", NULL, "show at most so many; 100 if not given, at most 10000" },
	},
	.run = run,
};
