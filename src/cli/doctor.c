/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/doctor_report.h"
#include "cli/exit_code.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CONFIG, OPTION_OUTPUT };

static const char *const output_words[] = { "text", "json", NULL };

static void print_text(const struct doctor_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_check *check = &report->checks[i];
		printf("%-8s %-29s %s\n", doctor_verdict_word(check->verdict), check->name,
		       check->state[0] != '\0' ? check->state : "-");
		if (check->detail[0] != '\0')
			printf("%9s%s\n", "", check->detail);
		if (check->fix != NULL)
			printf("%9sfix: %s\n", "", check->fix);
	}
	printf("%zu finding%s\n", report->finding_count, report->finding_count == 1 ? "" : "s");
}

static json_t *check_build(const struct doctor_check *check)
{
	json_t *object = json_object();
	json_object_set_new(object, "name", json_string(check->name));
	json_object_set_new(object, "verdict", json_string(doctor_verdict_word(check->verdict)));
	json_object_set_new(object, "state", json_string(check->state));
	json_object_set_new(object, "detail", json_string(check->detail));
	json_object_set_new(object, "fix", check->fix != NULL ? json_string(check->fix) : json_null());
	return object;
}

static void print_json(const struct doctor_report *report)
{
	json_t *document = json_object();
	json_t *checks = json_array();
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(checks, check_build(&report->checks[i]));
	json_object_set_new(document, "findings", json_integer((json_int_t)report->finding_count));
	json_object_set_new(document, "checks", checks);
	json_dumpf(document, stdout, JSON_INDENT(2));
	puts("");
	json_decref(document);
}

/* False when there is a file that cannot be used: what is wrong with it has been said. */
static bool load(const char *path, struct config **ret_config)
{
	char summary[64];
	struct diagnostics diagnostics;
	*ret_config = NULL;
	if (path == NULL)
		return true;
	diagnostics_init(&diagnostics);
	*ret_config = config_load(path, &diagnostics);
	if (*ret_config == NULL) {
		diagnostics_print(&diagnostics, stderr);
		fprintf(stderr, "%s.\n", diagnostics_summarize(&diagnostics, summary, sizeof(summary)));
	}
	diagnostics_done(&diagnostics);
	return *ret_config != NULL;
}

static int run(const struct options *options)
{
	const char *output = options->values[OPTION_OUTPUT];
	struct config *config;
	struct system_facts facts;
	struct doctor_report report;
	if (!load(options->values[OPTION_CONFIG], &config))
		return EXIT_CODE_INVALID_CONFIGURATION;
	system_facts_read("/proc", &facts);
	struct ceilings_resources resources =
		ceilings_read_resources(config != NULL ? ceilings_worker_count(config) : 1);
	doctor_examine(&facts, config, &resources, &report);
	if (output != NULL && strcmp(output, "json") == 0)
		print_json(&report);
	else
		print_text(&report);
	config_free(&config);
	return report.finding_count == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "look at what strait needs of this system",
	.details = "Kernel settings, limits and capabilities, each with its state and what to do about it. Reads /proc only,\n"
		   "changes nothing, and needs no running strait. Capabilities and limits are those of this process: run it\n"
		   "as strait is run. Exit code 0 when all is well, 1 when there are findings, 78 for a bad configuration.",
	.options = {
		[OPTION_CONFIG] = { 'c', "config", "FILE", NULL, "a configuration: what it needs is looked at, and no more" },
		[OPTION_OUTPUT] = { 'o', "output", "text|json", output_words, "form of the report" },
	},
	.run = run,
};
