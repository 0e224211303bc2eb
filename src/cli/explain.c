/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/reference.h"
#include "control/admin_reference.h"
#include "control/metrics.h"
#include "config/schema.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_REFERENCE, OPTION_API_REFERENCE, OPTION_METRICS_REFERENCE };

static void print_overview(void)
{
	char usage[SCHEMA_TEXT_BYTES];
	for (enum schema_where where = SCHEMA_TOP; where <= SCHEMA_POOL; where++) {
		printf("%s%s\n", where == SCHEMA_TOP ? "" : "\n", schema_where_name(where));
		for (size_t i = 0; i < schema_directive_count; i++) {
			const struct schema_directive *directive = &schema_directives[i];
			if (directive->where == where)
				printf("  %s\n      %s\n", schema_format_usage(directive, usage), directive->help);
		}
	}
	printf("\nstrait explain DIRECTIVE tells more about one.\n");
}

static void print_words(const struct schema_word *words)
{
	for (; words != NULL && words->word != NULL; words++)
		printf("      %-18s %s\n", words->word, words->help != NULL ? words->help : "");
}

static void print_value(const struct schema_value *value)
{
	char text[SCHEMA_TEXT_BYTES];
	char bounds[SCHEMA_TEXT_BYTES];
	const char *examples = schema_kind_examples(value->kind);
	printf("\n  %s\n      %s\n", schema_format_value(value, text), value->help);
	print_words(value->words);
	if (schema_format_bounds(value, bounds)[0] != '\0')
		printf("      accepted: %s\n", bounds);
	if (examples != NULL)
		printf("      written: %s\n", examples);
	if (value->fallback != NULL)
		printf("      default: %s\n", value->fallback);
	else if (value->absent != NULL)
		printf("      default: %s\n", value->absent);
}

static void print_block(const struct schema_directive *block)
{
	char usage[SCHEMA_TEXT_BYTES];
	enum schema_where where =
		strcmp(block->name, schema_where_name(SCHEMA_POOL)) == 0 ? SCHEMA_POOL : SCHEMA_SERVICE;
	printf("\n  in the block:\n");
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (schema_directives[i].where == where)
			printf("      %s\n", schema_format_usage(&schema_directives[i], usage));
	}
}

static void print_directive(const struct schema_directive *directive)
{
	char usage[SCHEMA_TEXT_BYTES];
	printf("%s\n  %s: %s.\n", schema_format_usage(directive, usage), schema_where_name(directive->where),
	       directive->help);
	if (directive->flags & (SCHEMA_REPEATED | SCHEMA_MERGED))
		printf("  May be given several times.\n");
	for (size_t i = 0; i < directive->value_count; i++)
		print_value(&directive->values[i]);
	if (directive->flags & SCHEMA_BLOCK)
		print_block(directive);
	if (directive->example != NULL)
		printf("\n  example: %s\n", directive->example);
}

static int explain_one(const char *name)
{
	struct suggestion suggestion;
	size_t found_count = 0;
	suggest_begin(&suggestion, span_from_text(name));
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		suggest_offer(&suggestion, directive->name);
		if (strcmp(directive->name, name) != 0)
			continue;
		printf("%s", found_count++ > 0 ? "\n" : "");
		print_directive(directive);
	}
	if (found_count > 0)
		return EXIT_CODE_OK;
	fprintf(stderr, "strait explain: there is no directive \"%s\"", name);
	if (suggestion.word != NULL)
		fprintf(stderr, "; did you mean \"%s\"?", suggestion.word);
	fprintf(stderr, "\nstrait explain lists all\n");
	return EXIT_CODE_USAGE;
}

static int run(const struct options *options)
{
	if (options->values[OPTION_REFERENCE] != NULL)
		reference_print(stdout);
	else if (options->values[OPTION_API_REFERENCE] != NULL)
		admin_reference_print(stdout);
	else if (options->values[OPTION_METRICS_REFERENCE] != NULL)
		metrics_reference_print(stdout);
	else if (options->argument_count > 0)
		return explain_one(options->arguments[0]);
	else
		print_overview();
	return EXIT_CODE_OK;
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "[DIRECTIVE]",
	.arguments_max = 1,
	.summary = "explain the configuration's directives",
	.options = {
		[OPTION_REFERENCE] = { 0, "reference", NULL, NULL, "write the whole reference page, in Markdown" },
		[OPTION_API_REFERENCE] = { 0, "api-reference", NULL, NULL, "the same for the admin API" },
		[OPTION_METRICS_REFERENCE] = { 0, "metrics-reference", NULL, NULL, "the same for the metrics" },
	},
	.run = run,
};
