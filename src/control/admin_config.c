/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_config.h"

#include "config/load.h"
#include "config/values.h"
#include "config/write.h"
#include "control/json_bytes.h"
#include "control/reload.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_true(const char *text)
{
	return strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
}

/* Returns false, and refuses, for arguments that are none. */
static bool read_options(const struct admin_request *request, struct reload_options *ret_options,
			 struct admin_answer *answer)
{
	const char *confirm = admin_argument(request, "confirm");
	const char *dry_run = admin_argument(request, "dry_run");
	struct value_hint hint;
	*ret_options = (struct reload_options){ 0 };
	if (confirm != NULL && (value_parse_time(span_from_text(confirm), &ret_options->confirm_ms, &hint) != 0 ||
				ret_options->confirm_ms == 0 || ret_options->confirm_ms > RELOAD_CONFIRM_MS_MAX)) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "confirm is a time such as 60s, at most 1d");
		return false;
	}
	if (dry_run != NULL && !is_true(dry_run) && strcmp(dry_run, "0") != 0 && strcmp(dry_run, "false") != 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "dry_run is 1 or 0");
		return false;
	}
	ret_options->is_dry = dry_run != NULL && is_true(dry_run);
	return true;
}

static json_t *lines_json(const struct diff *diff)
{
	json_t *lines = json_array();
	for (size_t i = 0; i < diff->count; i++)
		json_array_append_new(lines, json_bytes(diff->lines[i]));
	return lines;
}

static void answer_report(const struct reload_report *report, const struct reload_options *options,
			  struct admin_answer *answer)
{
	switch (report->outcome) {
	case RELOAD_DONE:
		admin_answer_json(answer, ADMIN_OK,
				  json_pack("{s:I, s:b, s:o, s:o, s:I}", "generation", (json_int_t)report->generation,
					    "is_dry_run", options->is_dry, "changes", lines_json(&report->diff),
					    "warnings", admin_diagnostics_json(&report->diagnostics),
					    "confirm_within_ms", (json_int_t)options->confirm_ms));
		break;
	case RELOAD_INVALID:
		admin_refuse_configuration(answer, report->problem, &report->diagnostics, report->generation);
		break;
	case RELOAD_REFUSED:
		admin_refuse(answer, ADMIN_CONFLICT, report->problem);
		break;
	}
}

void admin_config_reload(struct admin_request *request, struct admin_answer *answer)
{
	struct reload_options options;
	struct reload_report report;
	if (!read_options(request, &options, answer))
		return;
	reload_file(request->daemon, &options, &report);
	answer_report(&report, &options, answer);
	reload_report_done(&report);
}

/* As text for people and files, unless JSON is asked for. */
void admin_config_show(struct admin_request *request, struct admin_answer *answer)
{
	const struct config *config = request->daemon->config;
	const char *format = admin_argument(request, "format");
	size_t len;
	if (format != NULL && strcmp(format, "json") == 0) {
		admin_answer_json(answer, ADMIN_OK, config_write_json(config));
		return;
	}
	if (format != NULL && strcmp(format, "text") != 0) {
		admin_refuse(answer, ADMIN_BAD_REQUEST, "format is text or json");
		return;
	}
	char *text = config_write_text(config, &len);
	admin_answer_text(answer, text);
	free(text);
}

/* JSON, or a JSON document that holds the text of a file, or that text itself. */
static struct config *read_configuration(const struct admin_request *request, struct diagnostics *diagnostics)
{
	static const char name[] = "the request";
	const struct load_options alone = { .refuses_includes = true };
	bool is_text = strncasecmp(request->content_type, "text/plain", strlen("text/plain")) == 0;
	if (is_text)
		return load_text(name, request->body, &alone, diagnostics);
	json_t *document = json_loadb(request->body.data, request->body.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *text = json_object_get(document, "text");
	struct config *config;
	if (json_is_string(text) && json_object_size(document) == 1)
		config = load_text(name, (struct span){ json_string_value(text), json_string_length(text) }, &alone,
				   diagnostics);
	else
		config = config_load_json(name, request->body, diagnostics);
	json_decref(document);
	return config;
}

void admin_config_replace(struct admin_request *request, struct admin_answer *answer)
{
	struct reload_options options;
	struct reload_report report;
	struct diagnostics diagnostics;
	if (!read_options(request, &options, answer))
		return;
	diagnostics_init(&diagnostics);
	struct config *config = read_configuration(request, &diagnostics);
	reload_config(request->daemon, config, &diagnostics, &options, &report);
	answer_report(&report, &options, answer);
	reload_report_done(&report);
}

void admin_config_confirm(struct admin_request *request, struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	if (!reload_confirm(daemon)) {
		admin_refuse(answer, ADMIN_CONFLICT, "no configuration waits for being confirmed");
		return;
	}
	admin_answer_json(answer, ADMIN_OK, json_pack("{s:I}", "generation", (json_int_t)daemon->snapshot->generation));
}

void admin_config_diff(struct admin_request *request, struct admin_answer *answer)
{
	struct daemon *daemon = request->daemon;
	struct diagnostics diagnostics;
	struct diff diff;
	if (daemon->config_path == NULL) {
		admin_refuse(answer, ADMIN_CONFLICT, "there is no configuration file to compare with");
		return;
	}
	diagnostics_init(&diagnostics);
	struct config *file = config_load(daemon->config_path, &diagnostics);
	if (file != NULL) {
		diff_make(file, daemon->config, &diff);
		admin_answer_json(answer, ADMIN_OK,
				  json_pack("{s:I, s:o}", "generation", (json_int_t)daemon->snapshot->generation,
					    "changes", lines_json(&diff)));
		diff_done(&diff);
	} else {
		admin_refuse_configuration(answer, "the file is not valid, so it cannot be compared", &diagnostics,
					   daemon->snapshot->generation);
	}
	config_free(&file);
	diagnostics_done(&diagnostics);
}
