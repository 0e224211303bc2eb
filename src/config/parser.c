/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parser.h"

#include "config/problem.h"

/* The file while it is being read. */
struct parser {
	struct apply *apply;
	struct report *report;
	struct lexer lexer;
	struct token next; /* the token after the last one taken */
	struct statement statement;
	size_t value_capacity; /* of the statement's values, which the next statement uses again */
	bool has_word;         /* the statement is not empty */
	bool is_cut;           /* it had too many values */
	enum schema_where where;
	const struct schema_directive *block; /* where this is not the top level */
	struct config_place block_place;
	size_t surplus_close_count; /* closing braces that belong to blocks ended early */
};

static void token_take(struct parser *parser, struct token *ret_token)
{
	*ret_token = parser->next;
	lexer_next(&parser->lexer, &parser->next);
}

static void values_grow(struct parser *parser)
{
	struct statement *statement = &parser->statement;
	size_t capacity = parser->value_capacity > 0 ? 2 * parser->value_capacity : 16;
	struct token *values = config_memory_alloc(parser->report->memory, capacity * sizeof(*values));
	if (statement->value_count > 0)
		memcpy(values, statement->values, statement->value_count * sizeof(*values));
	statement->values = values;
	parser->value_capacity = capacity;
}

static void value_add(struct parser *parser, const struct token *token)
{
	struct statement *statement = &parser->statement;
	statement->has_bad = statement->has_bad || token->is_bad;
	if (!parser->has_word) {
		statement->word = *token;
		parser->has_word = true;
	} else if (statement->value_count < PARSER_VALUES_MAX) {
		if (statement->value_count == parser->value_capacity)
			values_grow(parser);
		statement->values[statement->value_count++] = *token;
	} else if (!parser->is_cut) {
		report_error(parser->report, token->place, "a statement has more than %d values", PARSER_VALUES_MAX);
		parser->is_cut = true;
	}
}

/* Collects the tokens of a statement and returns the one that ended it: {, }, an end, or the end of the file. */
static struct token statement_collect(struct parser *parser)
{
	struct token token;
	parser->statement = (struct statement){ .values = parser->statement.values };
	parser->has_word = false;
	parser->is_cut = false;
	for (;;) {
		token_take(parser, &token);
		if (token.kind != TOKEN_VALUE)
			return token;
		value_add(parser, &token);
	}
}

/* Passes over a block whose { was taken. */
static void block_skip(struct parser *parser, const struct token *open)
{
	struct token token;
	for (size_t depth = 1; depth > 0;) {
		token_take(parser, &token);
		if (token.kind == TOKEN_OPEN)
			depth++;
		else if (token.kind == TOKEN_CLOSE)
			depth--;
		else if (token.kind == TOKEN_EOF) {
			report_error(parser->report, open->place, "this { is not closed");
			return;
		}
	}
}

static void block_leave(struct parser *parser)
{
	parser->where = SCHEMA_TOP;
	parser->block = NULL;
}

/* Ends a block whose } is missing: what it seems to lack may stand where the } should. */
static void block_abandon(struct parser *parser)
{
	for (size_t i = 0; i < schema_directive_count; i++) {
		const struct schema_directive *directive = &schema_directives[i];
		if (directive->where == parser->where && (directive->flags & SCHEMA_REQUIRED) != 0)
			marks_add(parser->report, parsed_marks(parser->apply->parsed, parser->where), directive,
				  parser->block_place);
	}
	block_leave(parser);
}

static void block_enter(struct parser *parser, const struct schema_directive *directive)
{
	apply_block(parser->apply, directive, &parser->statement);
	parser->where = directive->target == SCHEMA_INTO_SERVICE ? SCHEMA_SERVICE : SCHEMA_POOL;
	parser->block = directive;
	parser->block_place = parser->statement.word.place;
}

static void block_close(struct parser *parser, const struct token *close)
{
	if (parser->where != SCHEMA_TOP)
		block_leave(parser);
	else if (parser->surplus_close_count > 0)
		parser->surplus_close_count--;
	else
		report_error(parser->report, close->place, "this } closes nothing");
}

static void mark_lost(struct parser *parser)
{
	/* It may have been a service or a pool. */
	if (parser->where == SCHEMA_TOP) {
		parser->apply->parsed->has_lost_services = true;
		parser->apply->parsed->has_lost_pools = true;
	}
}

/* It was not read, but is not missing. */
static void mark_given(struct parser *parser, const struct schema_directive *directive)
{
	marks_add(parser->report, parsed_marks(parser->apply->parsed, parser->where), directive,
		  parser->statement.word.place);
}

/* Whether the first word can name a directive at all; says why not. */
static bool word_check(struct parser *parser)
{
	const struct token *word = &parser->statement.word;
	struct report *report = parser->report;
	if (word->is_bad)
		return false;
	if (word->key.len > 0)
		report_error_hint(report, word->place, "it belongs on the line of its directive",
				  "a setting stands where a directive is expected");
	else if (word->is_quoted)
		report_error(report, word->place, "a directive is written without quotes");
	else if (word->has_variable)
		report_error(report, word->place, "a variable cannot stand for a directive");
	else
		return true;
	return false;
}

/*
 * Finds the row of the statement's directive. A service or pool inside a block means that the } of that block is
 * missing: the block ends here, and one } that comes later is forgiven.
 */
static const struct schema_directive *directive_find(struct parser *parser, bool *ret_is_guess)
{
	struct span name = parser->statement.word.value;
	const struct schema_directive *directive = schema_find(parser->where, name);
	const struct schema_directive *top = schema_find(SCHEMA_TOP, name);
	*ret_is_guess = false;
	if (directive != NULL)
		return directive;
	if (top != NULL && (top->flags & SCHEMA_BLOCK) != 0) {
		report_error_hint(parser->report, parser->statement.word.place, "is a } missing before it?",
				  "\"%s\" stands inside the block of \"%s\" at %s", top->name, parser->block->name,
				  report_place(parser->report, parser->block_place));
		parser->surplus_close_count++;
		block_abandon(parser);
		return top;
	}
	*ret_is_guess = true;
	return problem_report_unknown_directive(parser->report, parser->where, &parser->statement.word);
}

static void statement_with_block(struct parser *parser, const struct token *open)
{
	bool is_guess = false;
	const struct schema_directive *directive = NULL;
	if (!parser->has_word)
		report_error(parser->report, open->place, "a block without a directive before it");
	else if (word_check(parser))
		directive = directive_find(parser, &is_guess);
	if (directive != NULL && (directive->flags & SCHEMA_BLOCK) != 0) {
		block_enter(parser, directive);
		return;
	}
	if (directive != NULL && !is_guess) {
		report_error(parser->report, open->place, "\"%s\" takes no block", directive->name);
		mark_given(parser, directive);
	}
	mark_lost(parser);
	block_skip(parser, open);
}

/* The { of a block may stand, wrongly, on a line after its head. */
static bool late_open_take(struct parser *parser)
{
	struct token token;
	while (parser->next.kind == TOKEN_END)
		token_take(parser, &token);
	if (parser->next.kind != TOKEN_OPEN)
		return false;
	token_take(parser, &token);
	report_error(parser->report, token.place, "the { of a block stands on the line of its directive");
	return true;
}

static void statement_without_block(struct parser *parser, const struct token *end)
{
	bool is_guess = false;
	const struct schema_directive *directive = word_check(parser) ? directive_find(parser, &is_guess) : NULL;
	if (directive == NULL || (is_guess && (directive->flags & SCHEMA_BLOCK) == 0)) {
		if (directive != NULL)
			mark_given(parser, directive);
		return;
	}
	if ((directive->flags & SCHEMA_BLOCK) == 0) {
		apply_statement(parser->apply, directive, &parser->statement);
		return;
	}
	if (end->kind == TOKEN_END && late_open_take(parser)) {
		block_enter(parser, directive);
		return;
	}
	if (!is_guess)
		report_error(parser->report, parser->statement.word.place, "\"%s\" needs a block: %s NAME { ... }",
			     directive->name, directive->name);
	mark_lost(parser);
}

void parser_read(struct apply *apply, uint32_t file)
{
	struct parser parser = { .apply = apply, .report = apply->parsed->report, .where = SCHEMA_TOP };
	struct token end;
	lexer_init(&parser.lexer, parser.report, file);
	lexer_next(&parser.lexer, &parser.next);
	do {
		end = statement_collect(&parser);
		if (end.kind == TOKEN_OPEN)
			statement_with_block(&parser, &end);
		else if (parser.has_word)
			statement_without_block(&parser, &end);
		if (end.kind == TOKEN_CLOSE)
			block_close(&parser, &end);
		if (parser.report->found_count[DIAGNOSTIC_ERROR] >= PARSER_ERRORS_MAX)
			return;
	} while (end.kind != TOKEN_EOF);
	if (parser.where != SCHEMA_TOP) {
		report_error(parser.report, parser.block_place, "the block of \"%s\" is not closed: a } is missing",
			     parser.block->name);
		block_abandon(&parser);
	}
}
