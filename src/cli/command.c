/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include "cli/exit_code.h"
#include "config/suggest.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
	&command_run,         &command_tcp,     &command_udp,     &command_demo,   &command_check,  &command_doctor,
	&command_explain,     &command_reload,  &command_confirm, &command_status, &command_top,    &command_pools,
	&command_connections, &command_close,   &command_events,  &command_blocks, &command_block,  &command_unblock,
	&command_trace,       &command_drain,   &command_ready,   &command_maint,  &command_weight, &command_add,
	&command_remove,      &command_version,
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

const char *command_suggest(const char *word)
{
	struct suggestion suggestion;
	suggest_begin(&suggestion, span_from_text(word));
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		suggest_offer(&suggestion, commands[i]->name);
	suggest_offer(&suggestion, "help");
	return suggestion.word;
}

static size_t count_options(const struct command *command)
{
	size_t count = 0;
	while (count < OPTIONS_MAX && command->options[count].name != NULL)
		count++;
	return count;
}

static void print_option_usage(const struct option_spec *option, FILE *out)
{
	fprintf(out, " [");
	if (option->letter != 0)
		fprintf(out, "-%c", option->letter);
	else
		fprintf(out, "--%s", option->name);
	fprintf(out, "%s%s]", option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
}

/* "strait check [-c FILE] [--strict] [-o FORMAT]" */
static void print_usage(const struct command *command, FILE *out)
{
	fprintf(out, "strait %s", command->name);
	for (size_t i = 0; i < count_options(command); i++)
		print_option_usage(&command->options[i], out);
	fprintf(out, "%s%s\n", command->arguments[0] != '\0' ? " " : "", command->arguments);
}

static void print_option_help(const struct option_spec *option)
{
	char text[64];
	char letter[] = { '-', option->letter, ',', ' ', '\0' };
	snprintf(text, sizeof(text), "%s--%s%s%s", option->letter != 0 ? letter : "", option->name,
		 option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
	printf("  %-24s %s\n", text, option->help);
}

static void print_command_help(const struct command *command)
{
	print_usage(command, stdout);
	printf("\n%s.\n", command->summary);
	if (command->details != NULL)
		printf("\n%s\n", command->details);
	if (count_options(command) > 0)
		printf("\n");
	for (size_t i = 0; i < count_options(command); i++)
		print_option_help(&command->options[i]);
}

static void print_overview(FILE *out)
{
	fprintf(out, "strait: a TCP and UDP reverse proxy and load balancer\n\nusage: strait COMMAND ...\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "  %-12s %s\n", "help", "tell more about a command: strait help COMMAND");
	fprintf(out, "\nTry it: strait demo\nWithout a file: strait tcp :8080 10.0.0.1:80 10.0.0.2:80\n");
}

static int refuse_command(const char *name)
{
	const char *suggestion = command_suggest(name);
	fprintf(stderr, "strait: unknown command \"%s\"", name);
	if (suggestion != NULL)
		fprintf(stderr, "; did you mean \"%s\"?", suggestion);
	fprintf(stderr, "\nstrait help lists all commands\n");
	return EXIT_CODE_USAGE;
}

static int refuse_usage(const struct command *command, const char *problem)
{
	fprintf(stderr, "strait %s: %s\nusage: ", command->name, problem);
	print_usage(command, stderr);
	return EXIT_CODE_USAGE;
}

static int run_help(int argc, char **argv)
{
	if (argc == 0) {
		print_overview(stdout);
		return EXIT_CODE_OK;
	}
	const struct command *command = find_command(argv[0]);
	if (command == NULL)
		return refuse_command(argv[0]);
	print_command_help(command);
	return EXIT_CODE_OK;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options options;
	char problem[OPTIONS_PROBLEM_BYTES];
	if (options_parse(command->options, count_options(command), argc, argv, &options, problem) < 0)
		return refuse_usage(command, problem);
	if (options.wants_help) {
		print_command_help(command);
		return EXIT_CODE_OK;
	}
	if (options.argument_count < command->arguments_min)
		return refuse_usage(command, "arguments are missing");
	if (options.argument_count > command->arguments_max) {
		snprintf(problem, sizeof(problem), "\"%s\" is one argument too many",
			 options.arguments[command->arguments_max]);
		return refuse_usage(command, problem);
	}
	return command->run(&options);
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_CODE_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return run_help(argc - 2, argv + 2);
	if (strcmp(name, "--version") == 0)
		name = command_version.name;
	const struct command *command = find_command(name);
	if (command == NULL)
		return refuse_command(name);
	return run_command(command, argc - 2, argv + 2);
}

int command_main(int argc, char **argv)
{
	int code = dispatch(argc, argv);
	/* A full disk behind stdout must not look like success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_OK) {
		perror("strait: cannot write to stdout");
		code = EXIT_CODE_FAILED;
	}
	return code;
}
