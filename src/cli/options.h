/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words behind a command: its options and arguments, checked against what the command declares. Pure, but for
 * argv, whose pointers are put in another order.
 *
 * Accepted are -c FILE, -cFILE, --config FILE, --config=FILE, options and arguments in any order, and "--", behind which
 * everything is an argument. An option is given once.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	OPTIONS_MAX = 10, /* of one command */
	OPTIONS_PROBLEM_BYTES = 256,
};

struct option_spec {
	char letter;              /* 0: it has no short form */
	const char *name;         /* without the dashes */
	const char *value;        /* placeholder, for people: "FILE"; NULL: it takes no value */
	const char *const *words; /* the accepted values, NULL at the end; NULL: any */
	const char *help;
};

struct options {
	const char *values[OPTIONS_MAX]; /* by the option's index; "" of one without a value; NULL: not given */
	char **arguments;                /* inside argv */
	size_t argument_count;
	bool wants_help; /* -h or --help was given: nothing else was checked */
};

/*
 * argv holds what stands behind the command, argc words. Returns 0, or -EINVAL with a sentence for people in
 * ret_problem, of OPTIONS_PROBLEM_BYTES.
 */
int options_parse(const struct option_spec *specs, size_t spec_count, int argc, char **argv,
		  struct options *ret_options, char *ret_problem);

#endif
