/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: what each is called, takes and does. A new command is a file with a struct command and a line in the
 * table of command.c; usage, help and suggestions come from there.
 *
 * Commands write data to stdout and everything else to stderr, and return one of exit_code.h.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/options.h"

#include <stddef.h>

#define COMMAND_DEFAULT_FILE  "/etc/strait/strait.conf"
#define COMMAND_DEFAULT_ADMIN "127.0.0.1:9900"

struct command {
	const char *name;
	const char *arguments; /* for people: "LISTEN SERVER..."; "" when there are none */
	size_t arguments_min;
	size_t arguments_max;
	const char *summary;                     /* one line, without a full stop */
	const char *details;                     /* more, for the command's own help; NULL: nothing */
	struct option_spec options[OPTIONS_MAX]; /* up to the first without a name */
	int (*run)(const struct options *options);
};

extern const struct command command_run;
extern const struct command command_tcp;
extern const struct command command_udp;
extern const struct command command_demo;
extern const struct command command_check;
extern const struct command command_doctor;
extern const struct command command_explain;
extern const struct command command_reload;
extern const struct command command_confirm;
extern const struct command command_status;
extern const struct command command_top;
extern const struct command command_pools;
extern const struct command command_connections;
extern const struct command command_close;
extern const struct command command_events;
extern const struct command command_blocks;
extern const struct command command_block;
extern const struct command command_unblock;
extern const struct command command_trace;
extern const struct command command_drain;
extern const struct command command_ready;
extern const struct command command_maint;
extern const struct command command_weight;
extern const struct command command_add;
extern const struct command command_remove;
extern const struct command command_version;

/* Finds the command that the words name and runs it. Returns the exit code. */
int command_main(int argc, char **argv);

/* The known command nearest to the word, or NULL. */
const char *command_suggest(const char *word);

#endif
