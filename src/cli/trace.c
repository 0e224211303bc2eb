/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_SERVICE = ASK_OPTION_COUNT, OPTION_PROTOCOL };

static const char *const protocols[] = { "tcp", "udp", NULL };

static char *make_path(const struct options *options)
{
	char *client = ask_encode(options->arguments[0]);
	char *service = ask_encode(options->values[OPTION_SERVICE]);
	const char *protocol = options->values[OPTION_PROTOCOL];
	char *path;
	int len = asprintf(&path, "/v1/trace?client=%s&service=%s%s%s", client, service,
			   protocol != NULL ? "&protocol=" : "", protocol != NULL ? protocol : "");
	free(client);
	free(service);
	return len < 0 ? NULL : path;
}

static void print_trace(const json_t *trace)
{
	size_t index;
	const json_t *line;
	const json_t *server;
	printf("%s client %s of service %s\n", document_text(trace, "protocol"), document_text(trace, "client"),
	       document_text(trace, "service"));
	json_array_foreach(json_object_get(trace, "why"), index, line) printf("  %s\n", json_string_value(line));
	json_array_foreach(json_object_get(trace, "servers"), index, server)
	{
		if (strcmp(document_text(server, "obstacle"), "-") != 0)
			printf("  not %s: %s\n", document_text(server, "name"), document_text(server, "obstacle"));
	}
	if (strcmp(document_text(trace, "verdict"), "refused") == 0)
		printf("refused: %s\n", document_text(trace, "reason"));
	else
		printf("server %s/%s (%s)\n", document_text(trace, "pool"), document_text(trace, "server"),
		       document_text(trace, "server_address"));
}

static int run(const struct options *options)
{
	if (options->values[OPTION_SERVICE] == NULL) {
		fprintf(stderr, "strait trace: --service is missing: of which service?\n");
		return EXIT_CODE_USAGE;
	}
	char *path = make_path(options);
	const struct admin_client_request request = { .method = "GET", .path = path };
	int code = ask_and_show(options, &request, print_trace);
	free(path);
	return code;
}

const struct command command_trace = {
	.name = "trace",
	.arguments = "ADDRESS[:PORT]",
	.arguments_min = 1,
	.arguments_max = 1,
	.summary = "tell which rule and which server a client would get, and why",
	.options = {
		ASK_OPTIONS,
		[OPTION_SERVICE] = { 's', "service", "NAME", NULL, "the service that the client would ask" },
		[OPTION_PROTOCOL] = { 0, "protocol", "tcp|udp", protocols, "tcp unless the service has UDP only" },
	},
	.run = run,
};
