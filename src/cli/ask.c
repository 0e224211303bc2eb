/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"

#include "base/check.h"
#include "base/memory.h"
#include "cli/document.h"
#include "cli/exit_code.h"
#include "cli/shown_text.h"
#include "config/diagnostics.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const ask_output_words[] = { "table", "json", NULL };

enum look_colour ask_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");
	bool is_wanted = no_color == NULL || no_color[0] == '\0';
	bool is_able = isatty(STDOUT_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0;
	return is_wanted && is_able ? LOOK_COLOURED : LOOK_COLOURLESS;
}

bool ask_wants_json(const struct options *options)
{
	return options->values[ASK_OUTPUT] != NULL && strcmp(options->values[ASK_OUTPUT], "json") == 0;
}

void ask_print_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
	json_decref(document);
}

char *ask_encode(const char *text)
{
	char *encoded = memory_alloc_zeroed(3 * strlen(text) + 1, 1);
	size_t len = 0;
	for (; *text != '\0'; text++)
		if ((isascii(*text) && isalnum((unsigned char)*text)) || strchr("-._~:@", *text) != NULL)
			encoded[len++] = *text;
		else
			len += (size_t)snprintf(encoded + len, 4, "%%%02X", (unsigned char)*text);
	return encoded;
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

static int report_unreachable(const struct admin_client *client, const char *problem, int error)
{
	char address[ADDR_TEXT_BYTES];
	fprintf(stderr, "strait: no answer from the daemon at %s: %s\n",
		addr_format(&client->addr, address, sizeof(address)), problem);
	return error == -ETIMEDOUT ? EXIT_CODE_TIMED_OUT : EXIT_CODE_NOT_REACHABLE;
}

void ask_print_diagnostics(const json_t *list)
{
	struct diagnostics diagnostics;
	size_t index;
	const json_t *object;
	diagnostics_init(&diagnostics);
	json_array_foreach(list, index, object)
	{
		const char *severity = document_find_text(object, "severity");
		const char *message = document_find_text(object, "message");
		struct diagnostic entry = {
			.severity = severity != NULL && strcmp(severity, "warning") == 0 ? DIAGNOSTIC_WARNING
											 : DIAGNOSTIC_ERROR,
			.file = (char *)document_find_text(object, "file"),
			.line = (uint32_t)document_number(object, "line"),
			.column = (uint32_t)document_number(object, "column"),
			.len = (uint32_t)document_number(object, "len"),
			.source = (char *)document_find_text(object, "source"),
			.message = (char *)(message != NULL ? message : ""),
			.hint = (char *)document_find_text(object, "hint"),
			.accepted = (char *)document_find_text(object, "accepted"),
		};
		if (entry.source == NULL)
			entry.line = 0;
		diagnostics_add(&diagnostics, &entry);
	}
	diagnostics_print(&diagnostics, stderr);
	diagnostics_done(&diagnostics);
}

static int report_invalid(const json_t *problem, const json_t *errors)
{
	char summary[64];
	struct diagnostics counts = { 0 };
	size_t index;
	const json_t *entry;
	json_array_foreach(errors, index, entry)
	{
		if (strcmp(document_find_text(entry, "severity"), "error") == 0)
			counts.error_count++;
		else
			counts.warning_count++;
	}
	ask_print_diagnostics(errors);
	fprintf(stderr, "%s. Nothing was changed; generation %u keeps running.\n",
		diagnostics_summarize(&counts, summary, sizeof(summary)),
		(uint32_t)document_number(problem, "generation"));
	return EXIT_CODE_INVALID_CONFIGURATION;
}

/* The daemon's own words, where the answer is a problem document. */
static int report_refused(const struct admin_client_answer *answer)
{
	json_t *problem = json_loads(answer->body, 0, NULL);
	const char *detail = document_find_text(problem, "detail");
	const json_t *errors = json_object_get(problem, "errors");
	int code = answer->status == 409 ? EXIT_CODE_CONFLICT : EXIT_CODE_FAILED;
	if (json_is_array(errors))
		code = report_invalid(problem, errors);
	else
		fprintf(stderr, "strait: %s\n", detail != NULL ? detail : "the daemon refused without saying why");
	json_decref(problem);
	return code;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static int read_document(const struct admin_client_answer *answer, json_t **ret_document)
{
	*ret_document = json_loads(answer->body, 0, NULL);
	if (json_is_object(*ret_document))
		return EXIT_CODE_OK;
	fprintf(stderr, "strait: the answer is no JSON object; is it strait that listens there?\n");
	json_decref(*ret_document);
	*ret_document = NULL;
	return EXIT_CODE_FAILED;
}

/* ret_document: NULL when none is expected. */
static int find_and_ask(const struct options *options, const struct admin_client_request *request,
			json_t **ret_document)
{
	struct admin_client client;
	struct admin_client_answer answer;
	char problem[ADMIN_CLIENT_PROBLEM_BYTES];
	shown_text_use_locale();
	int code = admin_client_find(options->values[ASK_ADMIN], options->values[ASK_CONFIG],
				     options->values[ASK_TOKEN], &client);
	if (code != 0)
		return code;
	int error = admin_client_ask(&client, request, &answer, problem);
	if (error < 0)
		return report_unreachable(&client, problem, error);
	if (answer.status >= 300)
		code = report_refused(&answer);
	else if (ret_document != NULL)
		code = read_document(&answer, ret_document);
	free(answer.body);
	return code;
}

int ask(const struct options *options, const struct admin_client_request *request, json_t **ret_document)
{
	*ret_document = NULL;
	return find_and_ask(options, request, ret_document);
}

json_t *ask_if_there(const struct options *options, const struct admin_client_request *request)
{
	struct admin_client client;
	struct admin_client_answer answer;
	char problem[ADMIN_CLIENT_PROBLEM_BYTES];
	json_t *document = NULL;
	if (admin_client_find(options->values[ASK_ADMIN], options->values[ASK_CONFIG], options->values[ASK_TOKEN],
			      &client) != 0 ||
	    admin_client_ask(&client, request, &answer, problem) < 0)
		return NULL;
	if (answer.status == 200)
		document = json_loads(answer.body, 0, NULL);
	free(answer.body);
	return document;
}

int ask_and_follow(const struct options *options, const struct admin_client_request *request)
{
	return find_and_ask(options, request, NULL);
}

int ask_and_show(const struct options *options, const struct admin_client_request *request,
		 void (*show)(const json_t *document))
{
	json_t *document;
	int code = ask(options, request, &document);
	if (code != EXIT_CODE_OK)
		return code;
	if (ask_wants_json(options)) {
		ask_print_json(document);
		return code;
	}
	show(document);
	json_decref(document);
	return code;
}
