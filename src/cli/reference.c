/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reference.h"

#include "config/schema.h"

#include <stdbool.h>
#include <string.h>

static const char introduction[] =
	"<!-- Written by `strait explain --reference`; change src/config/schema_table.c or src/cli/reference.c "
	"instead. -->\n"
	"\n"
	"# Configuration\n"
	"\n"
	"One file, by default `/etc/strait/strait.conf`, says what strait does. `strait check -c FILE` tells what is "
	"wrong\n"
	"with it, and touches nothing; `strait explain DIRECTIVE` shows one entry of this page.\n"
	"\n"
	"```\n"
	"file      = { statement }\n"
	"statement = WORD { value } ( NEWLINE | \";\" | \"{\" { statement } \"}\" )\n"
	"value     = bare | \"quoted \\n \\x41 \\\"string\\\"\" | key=value        # a comment runs to the end of the "
	"line\n"
	"```\n"
	"\n"
	"- The order of blocks does not matter. Names are unique. An unknown word is an error, and so is a directive "
	"with one\n"
	"  value that is given twice.\n"
	"- `${NAME}` and `${NAME:-default}` stand for environment variables, inside a value: a variable can never add "
	"a\n"
	"  directive. An undefined one without a default is an error.\n"
	"- Machines send the same as [JSON](configuration-json.md). `strait check --print=text|json` shows the whole "
	"file in one\n"
	"  fixed form.\n"
	"\n"
	"```\n"
	"admin  127.0.0.1:9900\n"
	"log    stderr format=json\n"
	"\n"
	"service web {\n"
	"    listen   *:443 [::]:443\n"
	"    deny     203.0.113.0/24\n"
	"    limit    connections=50k rate=2k/s per-source=200\n"
	"    timeout  connect=3s idle=10m\n"
	"    to       web\n"
	"}\n"
	"pool web {\n"
	"    balance  least-connections slow-start=30s\n"
	"    check    tcp every=2s timeout=1s rise=2 fall=3\n"
	"    server   10.0.1.11:8443 weight=3\n"
	"    server   10.0.1.12:8443 name=blue\n"
	"    server   10.0.9.9:8443 backup\n"
	"}\n"
	"```\n"
	"\n"
	"Errors are shown all at once, each with its place, what is accepted there, and a guess at what was meant:\n"
	"\n"
	"```\n"
	"strait.conf:18:14: error: unknown balancing algorithm \"least-con\"\n"
	"   18 |     balance  least-con\n"
	"      |              ^~~~~~~~~ did you mean \"least-connections\"?\n"
	"   accepted: round-robin least-connections source-hash random maglev first\n"
	"```\n";

/* A bar would end the cell. */
static void print_cell(const char *text, FILE *out)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_kinds(FILE *out)
{
	fprintf(out, "\n## Values\n\n| kind | written |\n|---|---|\n");
	for (enum schema_kind kind = 0; kind <= SCHEMA_NETWORK; kind++) {
		if (schema_kind_examples(kind) != NULL)
			fprintf(out, "| %s | `%s` |\n", schema_kind_noun(kind), schema_kind_examples(kind));
	}
}

static void print_words(const struct schema_value *value, FILE *out)
{
	for (const struct schema_word *word = value->words; word != NULL && word->word != NULL; word++) {
		fprintf(out, "%s`%s`", word == value->words ? "<br>" : "; ", word->word);
		if (word->help != NULL && word->help[0] != '\0') {
			fprintf(out, " ");
			print_cell(word->help, out);
		}
	}
}

static void print_value(const struct schema_value *value, FILE *out)
{
	char text[SCHEMA_TEXT_BYTES];
	fprintf(out, "| `");
	print_cell(schema_format_value(value, text), out);
	fprintf(out, "` | ");
	print_cell(value->help, out);
	print_words(value, out);
	fprintf(out, " | %s | ", schema_format_bounds(value, text));
	if (value->fallback != NULL)
		fprintf(out, "`%s`", value->fallback);
	else if (value->absent != NULL)
		print_cell(value->absent, out);
	else if (value->flags & SCHEMA_REQUIRED)
		fprintf(out, "required");
	fprintf(out, " |\n");
}

static void print_directive(const struct schema_directive *directive, FILE *out)
{
	char usage[SCHEMA_TEXT_BYTES];
	const char *often = "";
	if (directive->flags & SCHEMA_REPEATED)
		often = " May be given several times.";
	else if (directive->flags & SCHEMA_MERGED)
		often = " May be given several times, each setting once.";
	fprintf(out, "\n### %s\n\n```\n%s\n```\n\n%s.%s\n", directive->name, schema_format_usage(directive, usage),
		directive->help, often);
	if (directive->value_count > 0)
		fprintf(out, "\n| | meaning | bounds | default |\n|---|---|---|---|\n");
	for (size_t i = 0; i < directive->value_count; i++)
		print_value(&directive->values[i], out);
	if (directive->example != NULL)
		fprintf(out, "\nExample: `%s`\n", directive->example);
}

static void print_where(enum schema_where where, FILE *out)
{
	fprintf(out, "\n## %s%s\n", where == SCHEMA_TOP ? "At the " : "In a ", schema_where_name(where));
	for (size_t i = 0; i < schema_directive_count; i++) {
		if (schema_directives[i].where == where)
			print_directive(&schema_directives[i], out);
	}
}

void reference_print(FILE *out)
{
	fputs(introduction, out);
	print_kinds(out);
	for (enum schema_where where = SCHEMA_TOP; where <= SCHEMA_POOL; where++)
		print_where(where, out);
}
