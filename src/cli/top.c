/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/screen_size.h"
#include "cli/shown_text.h"
#include "cli/top_session.h"
#include "cli/top_terminal.h"
#include "config/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_EVERY = ASK_OPTION_COUNT, OPTION_VIEW, OPTION_FILTER, OPTION_ONCE };

enum {
	EVERY_MS = 1000,
	EVERY_MS_MIN = 200,
	EVERY_MS_MAX = 60 * 60 * 1000,
};

static const char *const view_words[] = { "services", "pools", "flows", "talkers", "events", "refused", NULL };

static int read_every(const char *text, uint64_t *ret_ms)
{
	struct value_hint hint;
	*ret_ms = EVERY_MS;
	if (text == NULL)
		return EXIT_CODE_OK;
	if (value_parse_time(span_from_text(text), ret_ms, &hint) == 0 && *ret_ms >= EVERY_MS_MIN &&
	    *ret_ms <= EVERY_MS_MAX)
		return EXIT_CODE_OK;
	fprintf(stderr, "strait top: --every is a time from 200ms to 1h: 2s\n");
	return EXIT_CODE_USAGE;
}

static void choose(struct top_screen *screen, const struct options *options)
{
	const char *view = options->values[OPTION_VIEW];
	const char *filter = options->values[OPTION_FILTER];
	for (size_t i = 0; view != NULL && i < TOP_VIEW_COUNT; i++)
		if (strcmp(top_views[i]->name, view) == 0)
			screen->view = i;
	snprintf(screen->filter, sizeof(screen->filter), "%s", filter != NULL ? filter : "");
}

/* A daemon that cannot be asked at all is told of before there is a screen. */
static int prepare(const struct options *options, struct top_session *session)
{
	char where[ADDR_TEXT_BYTES];
	json_t *status;
	int code = ask(options, &(struct admin_client_request){ .method = "GET", .path = "/v1/status" }, &status);
	json_decref(status);
	if (code != EXIT_CODE_OK)
		return code;
	code = admin_client_find(options->values[ASK_ADMIN], options->values[ASK_CONFIG], options->values[ASK_TOKEN],
				 &session->client);
	if (code != EXIT_CODE_OK)
		return code;
	top_screen_init(&session->screen, addr_format(&session->client.addr, where, sizeof(where)));
	choose(&session->screen, options);
	session->colour = ask_colour();
	return EXIT_CODE_OK;
}

static int print_once(struct top_session *session)
{
	struct screen_size size = screen_size_find();
	return top_session_print_once(session, size.width, getenv("LINES") != NULL ? size.height : 0);
}

static int run(const struct options *options)
{
	struct top_session session = { 0 };
	if (ask_wants_json(options)) {
		fprintf(stderr, "strait top: this is for people; strait status -o json tells the same to machines\n");
		return EXIT_CODE_USAGE;
	}
	int code = read_every(options->values[OPTION_EVERY], &session.every_ms);
	if (code != EXIT_CODE_OK)
		return code;
	code = prepare(options, &session);
	if (code != EXIT_CODE_OK)
		return code;
	if (options->values[OPTION_ONCE] != NULL || !top_terminal_is_there())
		return print_once(&session);
	return top_session_run(&session);
}

const struct command command_top = {
	.name = "top",
	.arguments = "",
	.summary = "show what flows, live, on a full screen; ? lists the keys",
	.details = "Views: services, pools and their servers, live flows, talkers, events, refused by reason. Keys: the "
		   "first\nletter of a view, < > to sort, / to filter, arrows and PgUp PgDn to scroll, space to pause, q to "
		   "quit.\nWith --once, or without a terminal, one picture as text: all rows, as wide as COLUMNS or 80.",
	.options = {
		ASK_OPTIONS,
		[OPTION_EVERY] = { 0, "every", "TIME", NULL, "ask so often; 1s if not given" },
		[OPTION_VIEW] = { 0, "view", "VIEW", view_words, "begin with it: services pools flows talkers events refused" },
		[OPTION_FILTER] = { 0, "filter", "TEXT", NULL, "only rows that have the text" },
		[OPTION_ONCE] = { 0, "once", NULL, NULL, "print one picture and end" },
	},
	.run = run,
};
