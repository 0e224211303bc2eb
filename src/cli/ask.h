/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all commands that ask a running daemon share: the options that tell where it is, the question, and what is said
 * on stderr when there is no answer or a refusal.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/admin_client.h"
#include "cli/options.h"
#include "cli/pool_table.h"

#include <jansson.h>
#include <stdbool.h>

/* The first options of every such command, in this order. */
enum { ASK_CONFIG, ASK_ADMIN, ASK_TOKEN, ASK_OUTPUT, ASK_OPTION_COUNT };

extern const char *const ask_output_words[];

#define ASK_OPTIONS                                                                                                    \
	[ASK_CONFIG] = { 'c', "config", "FILE", NULL, "take the admin address from this configuration" },              \
	[ASK_ADMIN] = { 0, "admin", "ADDRESS", NULL,                                                                   \
			"ask there: 127.0.0.1:9900 or unix:PATH; default: that of " COMMAND_DEFAULT_FILE },            \
	[ASK_TOKEN] = { 0, "token-file", "FILE", NULL, "holds the token that the daemon wants" },                      \
	[ASK_OUTPUT] = { 'o', "output", "table|json", ask_output_words, "form of the output" }

/*
 * Finds the daemon that the options name and asks it. Returns EXIT_CODE_OK and the answer, of a status below 300, as a
 * document (an object; the caller's reference); or another exit code, and then it has said on stderr what is wrong:
 * EXIT_CODE_CONFLICT for 409, EXIT_CODE_INVALID_CONFIGURATION for a configuration with errors, which are printed.
 */
int ask(const struct options *options, const struct admin_client_request *request, json_t **ret_document);

/* The same, without a word: NULL when there is no such answer. */
json_t *ask_if_there(const struct options *options, const struct admin_client_request *request);

/*
 * Asks for an answer that goes on, which the request's on_piece takes, and returns when it has ended: EXIT_CODE_OK, or as
 * ask does.
 */
int ask_and_follow(const struct options *options, const struct admin_client_request *request);

/* Asks, and prints the answer: as JSON where that is wanted, else with show. Returns as ask does. */
int ask_and_show(const struct options *options, const struct admin_client_request *request,
		 void (*show)(const json_t *document));

/* What is wrong with a configuration, as the daemon tells it, on stderr in the form of strait check. */
void ask_print_diagnostics(const json_t *list);

/* Has -o json been given? */
bool ask_wants_json(const struct options *options);

/* Prints the document as JSON on stdout, and drops the reference. */
void ask_print_json(json_t *document);

/* Colour when stdout is a terminal that can and nobody has said no (no-color.org). */
enum look_colour ask_colour(void);

/* The text percent-encoded as a part of a path or argument; heap. */
char *ask_encode(const char *text);

#endif
