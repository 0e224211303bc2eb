/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of networks in files of their own, as `deny @file:PATH` names them: a network or address in each line, comments
 * behind '#' or ';', empty lines as wished. Reading only; any thread.
 */
#ifndef CONFIG_NETWORK_LIST_H
#define CONFIG_NETWORK_LIST_H

#include "base/addr.h"
#include "config/config_memory.h"

#include <stddef.h>
#include <stdint.h>

enum {
	NETWORK_LIST_BYTES_MAX = 64 * 1024 * 1024, /* of a file */
	NETWORK_LIST_MAX = 1000000,                /* networks in it */
};

struct network_list {
	struct network *networks; /* in the order written; in the memory given */
	size_t count;
};

/* What is wrong with a line; line and column count from 1, columns in bytes. */
struct network_list_problem {
	uint32_t line;
	uint32_t column;
	uint32_t len;
	const char *message; /* static */
};

typedef void network_list_problem_fn(void *owner, const struct network_list_problem *problem);

/*
 * Reads the text of a list. Tells of every wrong line, and then returns -EINVAL; -E2BIG when there are more than
 * NETWORK_LIST_MAX networks.
 */
int network_list_parse(struct span text, struct config_memory *memory, network_list_problem_fn *on_problem, void *owner,
		       struct network_list *ret_list);

#endif
