/* SPDX-License-Identifier: Apache-2.0 */
#include "config/write.h"

#include "base/check.h"
#include "config/unparse.h"

#include <stdio.h>
#include <stdlib.h>

enum { DIRECTIVE_COLUMNS = 8 }; /* values stand below each other behind most directives */

struct text_writer {
	struct unparse_writer writer; /* the first member */
	FILE *out;
	bool is_in_block;
	bool is_empty; /* nothing was written yet */
};

/* Only what can have no meaning of its own anywhere stands without quotes. */
static bool is_bare(struct span text)
{
	static const char accepted[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/*%@+[],";
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\0' || strchr(accepted, text.data[i]) == NULL)
			return false;
	}
	return text.len > 0;
}

static bool is_variable(struct span text, size_t at)
{
	return text.data[at] == '$' && at + 1 < text.len && text.data[at + 1] == '{';
}

/* Bytes above 0x7f may be no UTF-8: they are escaped, so that the text always is. */
static void byte_print(struct span text, size_t at, FILE *out)
{
	unsigned char byte = (unsigned char)text.data[at];
	if (byte == '\n')
		fputs("\\n", out);
	else if (byte == '\r')
		fputs("\\r", out);
	else if (byte == '\t')
		fputs("\\t", out);
	else if (byte == '"' || byte == '\\')
		fprintf(out, "\\%c", byte);
	else if (byte < 0x20 || byte >= 0x7f || is_variable(text, at))
		fprintf(out, "\\x%02x", byte);
	else
		fputc(byte, out);
}

static void text_print(struct span text, FILE *out)
{
	if (is_bare(text)) {
		fwrite(text.data, 1, text.len, out);
		return;
	}
	fputc('"', out);
	for (size_t i = 0; i < text.len; i++)
		byte_print(text, i, out);
	fputc('"', out);
}

static void statement_print(struct unparse_writer *unparse_writer, const struct schema_directive *directive,
			    const struct unparsed_value *values, size_t count)
{
	struct text_writer *writer = (struct text_writer *)unparse_writer;
	fprintf(writer->out, "%s%-*s", writer->is_in_block ? "    " : "", DIRECTIVE_COLUMNS - 1, directive->name);
	for (size_t i = 0; i < count; i++) {
		fputc(' ', writer->out);
		if (values[i].value->role == SCHEMA_KEY)
			fprintf(writer->out, "%s=", values[i].value->name);
		text_print(values[i].text, writer->out);
	}
	fputc('\n', writer->out);
	writer->is_empty = false;
}

static void block_begin(struct unparse_writer *unparse_writer, const struct schema_directive *directive,
			const char *name)
{
	struct text_writer *writer = (struct text_writer *)unparse_writer;
	fprintf(writer->out, "%s%s %s {\n", writer->is_empty ? "" : "\n", directive->name, name);
	writer->is_in_block = true;
	writer->is_empty = false;
}

static void block_end(struct unparse_writer *unparse_writer)
{
	struct text_writer *writer = (struct text_writer *)unparse_writer;
	fputs("}\n", writer->out);
	writer->is_in_block = false;
}

char *config_write_text(const struct config *config, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	struct text_writer writer = {
		.writer = { .statement = statement_print, .block_begin = block_begin, .block_end = block_end },
		.out = open_memstream(&text, &len),
		.is_empty = true,
	};
	CHECK(writer.out != NULL);
	unparse(config, &writer.writer);
	bool is_whole = fclose(writer.out) == 0;
	CHECK(is_whole);
	*ret_len = len;
	return text;
}
