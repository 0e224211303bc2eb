/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_config.h"

#include "config/values.h"
#include "control/reload.h"

#include <string.h>

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
		json_array_append_new(lines, json_string(diff->lines[i]));
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
