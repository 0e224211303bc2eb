/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin_client.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/status_table.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_CONFIG, OPTION_ADMIN, OPTION_TOKEN, OPTION_OUTPUT };

static const char *const output_words[] = { "table", "json", NULL };

/* See no-color.org. */
static enum status_colour choose_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");
	bool is_wanted = no_color == NULL || no_color[0] == '\0';
	bool is_able = isatty(STDOUT_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
	return is_wanted && is_able ? STATUS_COLOURED : STATUS_PLAIN;
}

static int report_unreachable(const struct admin_client *client, const char *problem, int error)
{
	char address[ADDR_TEXT_BYTES];
	fprintf(stderr, "strait: no answer from the daemon at %s: %s\n",
		addr_format(&client->addr, address, sizeof(address)), problem);
	return error == -ETIMEDOUT ? EXIT_CODE_TIMED_OUT : EXIT_CODE_NOT_REACHABLE;
}

/* The daemon's own words, where the answer is a problem document. */
static int report_refused(const struct admin_client_answer *answer)
{
	json_t *problem = json_loads(answer->body, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	fprintf(stderr, "strait: the daemon refused with %ld%s%s\n", answer->status, detail != NULL ? ": " : "",
		detail != NULL ? detail : "");
	json_decref(problem);
	return EXIT_CODE_FAILED;
}

static int print_status(const struct admin_client_answer *answer, bool is_json)
{
	json_error_t error;
	json_t *status = json_loads(answer->body, 0, &error);
	if (!json_is_object(status)) {
		fprintf(stderr, "strait: the answer is not a status document; is it strait that listens there?\n");
		json_decref(status);
		return EXIT_CODE_FAILED;
	}
	if (is_json)
		fputs(answer->body, stdout);
	else
		status_table_print(status, choose_colour(), stdout);
	bool is_degraded = json_is_true(json_object_get(status, "is_degraded"));
	json_decref(status);
	return is_degraded ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int run(const struct options *options)
{
	struct admin_client client;
	struct admin_client_answer answer;
	char problem[ADMIN_CLIENT_PROBLEM_BYTES];
	const char *output = options->values[OPTION_OUTPUT];
	int code = admin_client_find(options->values[OPTION_ADMIN], options->values[OPTION_CONFIG],
				     options->values[OPTION_TOKEN], &client);
	if (code != 0)
		return code;
	int error = admin_client_get(&client, "/v1/status", &answer, problem);
	if (error < 0)
		return report_unreachable(&client, problem, error);
	if (answer.status == 200)
		code = print_status(&answer, output != NULL && strcmp(output, "json") == 0);
	else
		code = report_refused(&answer);
	free(answer.body);
	return code;
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.summary = "show what a running strait does and how its servers are",
	.details = "Exit code 0 when all is well, 1 when a server is down or a pool has none left, 3 when no daemon answers.",
	.options = {
		[OPTION_CONFIG] = { 'c', "config", "FILE", NULL, "take the admin address from this configuration" },
		[OPTION_ADMIN] = { 0, "admin", "ADDRESS", NULL,
				   "ask there: 127.0.0.1:9900 or unix:PATH; default: that of " COMMAND_DEFAULT_FILE },
		[OPTION_TOKEN] = { 0, "token-file", "FILE", NULL, "holds the token that the daemon wants" },
		[OPTION_OUTPUT] = { 'o', "output", "table|json", output_words, "form of the output" },
	},
	.run = run,
};
