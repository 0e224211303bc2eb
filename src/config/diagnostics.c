/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diagnostics.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
	SHOWN_BYTES_MAX = 160,   /* of a source line; more is cut */
	SHOWN_BEFORE_BYTES = 60, /* of a cut line, before the place */
};

void diagnostics_init(struct diagnostics *diagnostics)
{
	*diagnostics = (struct diagnostics){ 0 };
}

void diagnostics_done(struct diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		struct diagnostic *entry = &diagnostics->entries[i];
		free(entry->file);
		free(entry->pointer);
		free(entry->source);
		free(entry->message);
		free(entry->hint);
		free(entry->accepted);
	}
	free(diagnostics->entries);
	*diagnostics = (struct diagnostics){ 0 };
}

void diagnostics_add(struct diagnostics *diagnostics, const struct diagnostic *entry)
{
	if (entry->severity == DIAGNOSTIC_ERROR)
		diagnostics->error_count++;
	else
		diagnostics->warning_count++;
	if (diagnostics->count == DIAGNOSTICS_MAX)
		return;
	diagnostics->entries =
		memory_resize(diagnostics->entries, diagnostics->count + 1, sizeof(*diagnostics->entries));
	struct diagnostic *copy = &diagnostics->entries[diagnostics->count++];
	*copy = *entry;
	copy->file = memory_copy_text(entry->file);
	copy->pointer = memory_copy_text(entry->pointer);
	copy->source = memory_copy_text(entry->source);
	copy->message = memory_copy_text(entry->message);
	copy->hint = memory_copy_text(entry->hint);
	copy->accepted = memory_copy_text(entry->accepted);
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The part of a source line that is shown: all of it, or a stretch around the place. */
struct excerpt {
	size_t begin;
	size_t end;
	bool is_cut_before;
	bool is_cut_behind;
};

static struct excerpt excerpt_choose(const char *source, size_t source_len, size_t place)
{
	struct excerpt excerpt = { .begin = 0, .end = source_len };
	if (source_len <= SHOWN_BYTES_MAX)
		return excerpt;
	if (place > SHOWN_BEFORE_BYTES)
		excerpt.begin = place - SHOWN_BEFORE_BYTES;
	while (excerpt.begin > 0 && is_continuation(source[excerpt.begin]))
		excerpt.begin--;
	if (source_len - excerpt.begin > SHOWN_BYTES_MAX)
		excerpt.end = excerpt.begin + SHOWN_BYTES_MAX;
	while (excerpt.end < source_len && is_continuation(source[excerpt.end]))
		excerpt.end++;
	excerpt.is_cut_before = excerpt.begin > 0;
	excerpt.is_cut_behind = excerpt.end < source_len;
	return excerpt;
}

/* Prints text that may come from anywhere: control characters, also the two-byte ones of UTF-8, become '?'. */
static void text_print(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		bool is_two_byte_control = byte == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] >= 0x80 &&
					   (unsigned char)text[i + 1] < 0xa0;
		i += is_two_byte_control;
		fputc((byte < 0x20 && byte != '\t') || byte == 0x7f || is_two_byte_control ? '?' : byte, out);
	}
}

static void source_print(const struct diagnostic *entry, struct excerpt excerpt, FILE *out)
{
	fprintf(out, "%5u | %s", entry->line, excerpt.is_cut_before ? "..." : "");
	text_print(entry->source + excerpt.begin, excerpt.end - excerpt.begin, out);
	fprintf(out, "%s\n", excerpt.is_cut_behind ? "..." : "");
}

static void labelled_print(const char *label, const char *text, FILE *out)
{
	fputs(label, out);
	text_print(text, strlen(text), out);
	fputc('\n', out);
}

/* Tabs are repeated, and a character of several bytes counts as one, so that the caret stands under its place. */
static void caret_print(const struct diagnostic *entry, struct excerpt excerpt, FILE *out)
{
	size_t source_len = strlen(entry->source);
	size_t begin = entry->column > 0 ? entry->column - 1 : 0;
	if (begin > source_len)
		begin = source_len;
	size_t end = begin + (entry->len > 0 ? entry->len : 1);
	if (end > excerpt.end)
		end = excerpt.end;
	fprintf(out, "      | %s", excerpt.is_cut_before ? "   " : "");
	for (size_t i = excerpt.begin; i < begin; i++) {
		if (!is_continuation(entry->source[i]))
			fputc(entry->source[i] == '\t' ? '\t' : ' ', out);
	}
	fputc('^', out);
	for (size_t i = begin + 1; i < end; i++) {
		if (!is_continuation(entry->source[i]))
			fputc('~', out);
	}
	if (entry->hint != NULL)
		labelled_print(" ", entry->hint, out);
	else
		fputc('\n', out);
}

static void place_print(const struct diagnostic *entry, FILE *out)
{
	const char *severity = entry->severity == DIAGNOSTIC_ERROR ? "error" : "warning";
	if (entry->file != NULL)
		text_print(entry->file, strlen(entry->file), out);
	if (entry->file != NULL && entry->line > 0)
		fprintf(out, ":%u:%u", entry->line, entry->column);
	bool has_pointer = entry->pointer != NULL && entry->pointer[0] != '\0';
	if (has_pointer && entry->file != NULL)
		fputc(':', out);
	if (has_pointer)
		text_print(entry->pointer, strlen(entry->pointer), out);
	fprintf(out, "%s%s", entry->file != NULL || has_pointer ? ": " : "", severity);
	labelled_print(": ", entry->message, out);
}

static void entry_print(const struct diagnostic *entry, FILE *out)
{
	place_print(entry, out);
	if (entry->line > 0 && entry->source != NULL) {
		struct excerpt excerpt = excerpt_choose(entry->source, strlen(entry->source), entry->column - 1);
		source_print(entry, excerpt, out);
		caret_print(entry, excerpt, out);
	} else if (entry->hint != NULL) {
		labelled_print("   ", entry->hint, out);
	}
	if (entry->accepted != NULL)
		labelled_print("   accepted: ", entry->accepted, out);
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *out)
{
	for (size_t i = 0; i < diagnostics->count; i++)
		entry_print(&diagnostics->entries[i], out);
	size_t all_count = diagnostics->error_count + diagnostics->warning_count;
	if (all_count > diagnostics->count)
		fprintf(out, "and %zu more, not shown\n", all_count - diagnostics->count);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

char *diagnostics_summarize(const struct diagnostics *diagnostics, char *buf, size_t buf_bytes)
{
	size_t error_count = diagnostics->error_count;
	size_t warning_count = diagnostics->warning_count;
	if (error_count > 0 && warning_count > 0)
		snprintf(buf, buf_bytes, "%zu error%s, %zu warning%s", error_count, plural(error_count), warning_count,
			 plural(warning_count));
	else if (warning_count > 0)
		snprintf(buf, buf_bytes, "%zu warning%s", warning_count, plural(warning_count));
	else if (error_count > 0)
		snprintf(buf, buf_bytes, "%zu error%s", error_count, plural(error_count));
	else
		snprintf(buf, buf_bytes, "no errors");
	return buf;
}
