/* SPDX-License-Identifier: Apache-2.0 */
/* The commands tcp and udp: a load balancer without a file. */
#include "base/check.h"
#include "cli/command.h"
#include "cli/launch.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_ADMIN };

enum { SERVERS_MAX = 1000 };

/* UDP servers cannot be checked without knowing what they answer; that is no reason for a warning here. */
static char *write_configuration(const char *protocol, const char *check, const struct options *options)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	CHECK(out != NULL);
	launch_write_admin(options->values[OPTION_ADMIN], out);
	/* Somebody waits at the terminal. */
	fprintf(out, "timeout drain=5s\n");
	fprintf(out, "service %s {\n    listen %s ", protocol, protocol);
	launch_write_word(options->arguments[0], out);
	fprintf(out, "\n    to servers\n}\npool servers {\n    check %s\n", check);
	for (size_t i = 1; i < options->argument_count; i++) {
		fprintf(out, "    server ");
		launch_write_word(options->arguments[i], out);
		fprintf(out, "\n");
	}
	fprintf(out, "}\n");
	fclose(out);
	return text;
}

static int launch(const char *protocol, const char *check, const struct options *options)
{
	char *text = write_configuration(protocol, check, options);
	int code = launch_text("command line", text);
	free(text);
	return code;
}

static int run_tcp(const struct options *options)
{
	return launch("tcp", "tcp", options);
}

static int run_udp(const struct options *options)
{
	return launch("udp", "none", options);
}

#define ADMIN_OPTION                                                                                                   \
	{                                                                                                              \
		0, "admin", "ADDRESS", NULL, "of the admin API, or none; default " COMMAND_DEFAULT_ADMIN " if free"    \
	}

const struct command command_tcp = {
	.name = "tcp",
	.arguments = "LISTEN SERVER...",
	.arguments_min = 2,
	.arguments_max = SERVERS_MAX,
	.summary = "balance TCP without a file: strait tcp :8080 10.0.0.1:80 10.0.0.2:80",
	.details =
		"Connections go to the servers in turn; a server that refuses a handshake gets none until it is back.",
	.options = { [OPTION_ADMIN] = ADMIN_OPTION },
	.run = run_tcp,
};

const struct command command_udp = {
	.name = "udp",
	.arguments = "LISTEN SERVER...",
	.arguments_min = 2,
	.arguments_max = SERVERS_MAX,
	.summary = "balance UDP without a file: strait udp :5353 10.0.0.1:53 10.0.0.2:53",
	.details =
		"Sessions go to the servers in turn. Servers are not checked: only a configuration file can say how.",
	.options = { [OPTION_ADMIN] = ADMIN_OPTION },
	.run = run_udp,
};
