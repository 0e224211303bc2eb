/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the values of one statement by its row of the schema and puts them into the tree. Reports what does not fit;
 * each statement is read to its end, and a value it has complained about counts as given, so that one mistake makes
 * one message.
 *
 * Borrows everything. One thread at a time.
 */
#ifndef CONFIG_APPLY_H
#define CONFIG_APPLY_H

#include "config/lexer.h"
#include "config/name_index.h"
#include "config/parsed.h"
#include "config/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* A statement without its end or block. */
struct statement {
	struct token word;
	struct token *values;
	size_t value_count;
	bool has_bad; /* one of its tokens is bad, so what seems to be missing may be there */
};

/* What reads the files that an include names. */
struct includer {
	void (*read)(struct includer *includer, const struct token *pattern);
};

struct apply {
	struct parsed *parsed;
	struct config_memory *memory; /* of the tree */
	struct includer *includer;
	struct name_index *services; /* their names, to numbers in the tree */
	struct name_index *pools;
	struct config_service service_defaults;
	struct config_pool pool_defaults;
	struct config_server server_defaults;
	struct config_log log_defaults;
	struct config_listen listen_defaults;
};

void apply_init(struct apply *apply, struct parsed *parsed, struct config_memory *memory, struct includer *includer);
void apply_done(struct apply *apply);

/* A statement without a block, in the block of that kind which was begun last, or at the top level. */
void apply_statement(struct apply *apply, const struct schema_directive *directive, const struct statement *statement);

/* The head of a service or pool: adds it to the tree, where it stays also when its name was bad. */
void apply_block(struct apply *apply, const struct schema_directive *directive, const struct statement *statement);

#endif
