/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the text of one file into words, values, braces and statement ends, each with its place:
 *
 *   value = bare | "quoted \n \r \t \\ \" \x41" | key=value        a comment runs from # to the end of the line
 *
 * and puts the environment's variables in: ${NAME} and ${NAME:-default}, after the split, so that a variable never adds
 * a value. Reports what is wrong with the spelling itself; a token it has complained about is marked as bad.
 *
 * Borrows the text and the report; decoded values live in the report's memory. One thread at a time. Knows no
 * directives.
 */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "base/span.h"
#include "config/config.h"
#include "config/report.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LEXER_LINE_BYTES_MAX = 65536,
	LEXER_VALUE_BYTES_MAX = 4096, /* of a word or value, after decoding */
};

enum token_kind {
	TOKEN_VALUE, /* a bare word, a quoted string, or key=value */
	TOKEN_OPEN,  /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_END,   /* of a statement: the end of the line or ; */
	TOKEN_EOF,
};

struct token {
	enum token_kind kind;
	struct config_place place;       /* of all of it */
	struct config_place value_place; /* of what is behind "key=", else the same */
	struct span key;                 /* len 0: a value without key */
	struct span value;               /* decoded; may hold any byte */
	bool is_quoted;
	bool has_variable;
	bool is_bad; /* already reported: good for counting, not for reading */
};

struct lexer {
	struct report *report;
	uint32_t file;
	uint32_t line;
	const char *cursor;
	const char *line_start;
	const char *line_end;  /* without \n and a \r before it */
	const char *next_line; /* NULL: this is the last */
	const char *end;
	bool is_continued; /* a \ ended the line, which was reported: what was meant to go on does */
	bool is_line_bad;  /* it holds a control character, which was reported */
};

void lexer_init(struct lexer *lexer, struct report *report, uint32_t file);

/* After TOKEN_EOF comes TOKEN_EOF again. */
void lexer_next(struct lexer *lexer, struct token *ret_token);

#endif
