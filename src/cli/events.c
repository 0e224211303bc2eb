/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/event_line.h"
#include "cli/event_reader.h"
#include "cli/exit_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_LIMIT = ASK_OPTION_COUNT, OPTION_ONCE };

static void print_event(const json_t *event, bool wants_json)
{
	if (wants_json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		event_line_print(event, stdout);
	}
}

/* Returns as ask does, with the number of the last event. */
static int print_past(const struct options *options, char ret_last_id[32])
{
	const char *limit = options->values[OPTION_LIMIT];
	char *encoded = ask_encode(limit != NULL ? limit : "");
	char *path;
	json_t *document;
	size_t index;
	const json_t *event;
	if (asprintf(&path, "/v1/history%s%s", limit != NULL ? "?limit=" : "", encoded) < 0)
		return EXIT_CODE_FAILED;
	int code = ask(options, &(struct admin_client_request){ .method = "GET", .path = path }, &document);
	json_array_foreach(json_object_get(document, "events"), index, event)
		print_event(event, ask_wants_json(options));
	snprintf(ret_last_id, 32, "%llu", (unsigned long long)document_number(document, "last_id"));
	fflush(stdout);
	json_decref(document);
	free(encoded);
	free(path);
	return code;
}

/* The number comes first, as in the history. */
static void on_event(void *options, const struct server_event *received)
{
	json_t *data = strcmp(received->kind, "change") == 0
			       ? json_loadb(received->data.data, received->data.len, 0, NULL)
			       : NULL;
	if (!json_is_object(data)) {
		json_decref(data);
		return;
	}
	json_t *event = json_object();
	json_object_set_new(event, "id", json_integer(strtoll(received->id, NULL, 10)));
	json_object_update(event, data);
	print_event(event, ask_wants_json(options));
	fflush(stdout);
	json_decref(event);
	json_decref(data);
}

static bool on_piece(void *reader, struct span piece)
{
	return event_reader_take(reader, piece) && !ferror(stdout);
}

static int follow(const struct options *options, const char *last_id)
{
	struct event_reader reader = { .on_event = on_event, .owner = (void *)options };
	const struct admin_client_request request = {
		.method = "GET",
		.path = "/v1/events",
		.on_piece = on_piece,
		.owner = &reader,
		.last_event_id = last_id,
	};
	int code = ask_and_follow(options, &request);
	event_reader_done(&reader);
	if (code != EXIT_CODE_OK || ferror(stdout))
		return code;
	fprintf(stderr, "strait: the daemon tells no more: it has stopped, or does not listen there any longer\n");
	return EXIT_CODE_NOT_REACHABLE;
}

static int run(const struct options *options)
{
	char last_id[32];
	int code = print_past(options, last_id);
	if (code != EXIT_CODE_OK || options->values[OPTION_ONCE] != NULL)
		return code;
	return follow(options, last_id);
}

const struct command command_events = {
	.name = "events",
	.arguments = "",
	.summary = "show what has happened, and what happens until Ctrl-C",
	.details = "With -o json each event is an object on a line of its own.",
	.options = {
		ASK_OPTIONS,
		[OPTION_LIMIT] = { 'n', "limit", "N", NULL, "begin with the latest N; with all that the daemon remembers if not given" },
		[OPTION_ONCE] = { 0, "once", NULL, NULL, "only what has happened; do not wait for more" },
	},
	.run = run,
};
