/* SPDX-License-Identifier: Apache-2.0 */
#include "config/explain.h"

#include "config/schema.h"
#include "config/suggest.h"

#include <errno.h>

static const enum schema_where blocks[] = { SCHEMA_TOP, SCHEMA_SERVICE, SCHEMA_POOL };

enum { BLOCK_COUNT = sizeof(blocks) / sizeof(blocks[0]), NAME_WIDTH = 10, VALUE_WIDTH = 24 };

/* "top level", "in a service" */
static const char *block_title(enum schema_where where)
{
	static const char *const titles[] = {
		[SCHEMA_TOP] = "top level",
		[SCHEMA_SERVICE] = "in a service",
		[SCHEMA_POOL] = "in a pool",
	};
	return titles[where];
}

void explain_list(FILE *out)
{
	for (size_t block = 0; block < BLOCK_COUNT; block++) {
		fprintf(out, "%s%s\n", block > 0 ? "\n" : "", block_title(blocks[block]));
		for (size_t i = 0; i < schema_directive_count; i++) {
			const struct schema_directive *directive = &schema_directives[i];
			if (directive->where == blocks[block])
				fprintf(out, "  %-*s %s\n", NAME_WIDTH, directive->name, directive->help);
		}
	}
}

/* What holds when a value is not written. */
static const char *default_text(const struct schema_value *value)
{
	return value->fallback != NULL ? value->fallback : value->absent;
}

/* Where an example or a list of words goes on, it is indented as it began. */
static void indented_print(const char *text, const char *indent, FILE *out)
{
	fputs(indent, out);
	for (; *text != '\0'; text++) {
		fputc(*text, out);
		if (*text == '\n')
			fputs(indent, out);
	}
	fputc('\n', out);
}

static void value_explain(const struct schema_value *value, FILE *out)
{
	char text[SCHEMA_TEXT_BYTES];
	char bounds[SCHEMA_TEXT_BYTES];
	const char *fallback = default_text(value);
	fprintf(out, "\n  %-*s %s\n", VALUE_WIDTH, schema_format_value(value, text), value->help);
	schema_format_bounds(value, bounds);
	if (bounds[0] != '\0' || fallback != NULL)
		fprintf(out, "  %-*s %s%s%s%s\n", VALUE_WIDTH, "", bounds,
			bounds[0] != '\0' && fallback != NULL ? "; " : "", fallback != NULL ? "default: " : "",
			fallback != NULL ? fallback : "");
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++) {
		if (word->help != NULL)
			fprintf(out, "  %-*s %-18s %s\n", VALUE_WIDTH, "", word->word, word->help);
	}
}

static const char *repetition_text(const struct schema_directive *directive)
{
	if ((directive->flags & SCHEMA_REPEATED) != 0)
		return "It may be given several times.";
	if ((directive->flags & SCHEMA_MERGED) != 0)
		return "It may be given several times, but each setting once.";
	return "It is given once at most.";
}

static void directive_explain(const struct schema_directive *directive, FILE *out)
{
	char text[SCHEMA_TEXT_BYTES];
	fprintf(out, "%s (%s): %s\n\n", directive->name, block_title(directive->where), directive->help);
	fprintf(out, "  %s\n", schema_format_usage(directive, text));
	for (size_t i = 0; i < directive->value_count; i++)
		value_explain(&directive->values[i], out);
	fprintf(out, "\n  %s%s Example:\n\n", (directive->flags & SCHEMA_REQUIRED) != 0 ? "It is required. " : "",
		repetition_text(directive));
	indented_print(directive->example, "    ", out);
}

int explain_directive(FILE *out, const char *name)
{
	size_t shown_count = 0;
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (strcmp(schema_directives[i].name, name) != 0)
			continue;
		if (shown_count++ > 0)
			fputc('\n', out);
		directive_explain(&schema_directives[i], out);
	}
	return shown_count > 0 ? 0 : -ENOENT;
}

const char *explain_suggest(const char *name)
{
	struct suggestion suggestion;
	suggest_begin(&suggestion, span_from_text(name));
	for (size_t i = 0; i < schema_directive_count; i++)
		suggest_offer(&suggestion, schema_directives[i].name);
	return suggestion.word;
}

/* Text for a cell of a Markdown table. */
static void cell_write(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void value_write(const struct schema_value *value, FILE *out)
{
	char text[SCHEMA_TEXT_BYTES];
	const char *fallback = default_text(value);
	bool is_required = (value->flags & SCHEMA_REQUIRED) != 0;
	fputs("| `", out);
	cell_write(schema_format_value(value, text), out);
	fputs("` | ", out);
	cell_write(value->help, out);
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++) {
		if (word->help != NULL)
			fprintf(out, "<br>`%s`: %s", word->word, word->help);
	}
	fprintf(out, " | %s | ", schema_format_bounds(value, text));
	if (is_required && value->fallback == NULL)
		fputs("required", out);
	else if (value->fallback != NULL)
		fprintf(out, "`%s`", value->fallback);
	else if (fallback != NULL)
		cell_write(fallback, out);
	fputs(" |\n", out);
}

static void directive_write(const struct schema_directive *directive, FILE *out)
{
	char text[SCHEMA_TEXT_BYTES];
	fprintf(out, "\n### %s (%s)\n\n", directive->name, block_title(directive->where));
	fprintf(out, "```\n%s\n```\n\n", schema_format_usage(directive, text));
	fprintf(out, "%c%s. %s%s\n\n", directive->help[0] - 'a' + 'A', directive->help + 1,
		(directive->flags & SCHEMA_REQUIRED) != 0 ? "It is required. " : "", repetition_text(directive));
	fputs("| value | meaning | bounds | default |\n|---|---|---|---|\n", out);
	for (size_t i = 0; i < directive->value_count; i++)
		value_write(&directive->values[i], out);
	fprintf(out, "\nExample:\n\n```\n%s\n```\n", directive->example);
}

static void kinds_write(FILE *out)
{
	static const struct {
		enum schema_kind kind;
		const char *remark;
	} kinds[] = {
		{ SCHEMA_TIME, "units `d h m s ms`, the largest first; a number without unit is refused" },
		{ SCHEMA_SIZE, "bytes; `k m g` and `KiB MiB GiB` are powers of 1024, `kB MB GB` powers of 1000" },
		{ SCHEMA_COUNT, "`k` is 1000, `M` a million" },
		{ SCHEMA_RATE, "a count per second `/s`, minute `/m` or hour `/h`" },
		{ SCHEMA_PERCENT, "the sign may be left out" },
		{ SCHEMA_ADDRESS, "where strait listens also `*:443` (all IPv4) and `:443` (all IPv4 and IPv6)" },
		{ SCHEMA_NETWORK, "bits behind the prefix are ignored with a warning" },
		{ SCHEMA_FILE, "a path; one that does not begin with / is warned of" },
	};
	fputs("\n## Values\n\n| kind | examples | |\n|---|---|---|\n", out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(out, "| %s | `%s` | %s |\n", schema_kind_noun(kinds[i].kind),
			schema_kind_examples(kinds[i].kind), kinds[i].remark);
	fputs("\nA name has letters, digits, `.`, `_` and `-`, and at most 63 of them.\n", out);
}

void explain_write_reference(FILE *out)
{
	fputs("# Configuration reference\n\n"
	      "This page is written by `strait explain --reference` from the table in `src/config/schema_table.c`; "
	      "change it there.\n\n"
	      "```\n"
	      "file      = { statement }\n"
	      "statement = WORD { value } ( NEWLINE | \";\" | \"{\" { statement } \"}\" )\n"
	      "value     = bare | \"quoted \\n \\r \\t \\\\ \\\" \\x41\" | key=value    # a comment runs to the end of "
	      "the line\n"
	      "```\n\n"
	      "The order of blocks does not matter. `${NAME}` and `${NAME:-default}` stand for variables of the\n"
	      "environment, also in quotes; they are put into a value after it was split off, so a variable never "
	      "adds\n"
	      "a value. A `#` or a quote inside a bare word is refused: put the value in quotes.\n",
	      out);
	kinds_write(out);
	for (size_t block = 0; block < BLOCK_COUNT; block++) {
		const char *title = block_title(blocks[block]);
		fprintf(out, "\n## %c%s\n", title[0] - 'a' + 'A', title + 1);
		for (size_t i = 0; i < schema_directive_count; i++) {
			if (schema_directives[i].where == blocks[block])
				directive_write(&schema_directives[i], out);
		}
	}
}
