/* SPDX-License-Identifier: Apache-2.0 */
#include "config/report.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdlib.h>

enum { QUOTED_BYTES_MAX = 60 };

void report_init(struct report *report, struct config_memory *memory)
{
	*report = (struct report){ .memory = memory };
}

uint32_t report_add_source(struct report *report, const struct source *source)
{
	report->sources = config_memory_grow(report->memory, report->sources, report->source_count, sizeof(*source));
	report->sources[report->source_count] = *source;
	return (uint32_t)report->source_count++;
}

void report_add(struct report *report, const struct finding *finding)
{
	size_t severity = finding->severity;
	size_t kept_count = report->kept_count[severity];
	report->found_count[severity]++;
	if (kept_count == REPORT_FINDINGS_MAX)
		return;
	report->kept[severity] =
		config_memory_grow(report->memory, report->kept[severity], kept_count, sizeof(*finding));
	report->kept[severity][kept_count] = *finding;
	report->kept_count[severity]++;
}

static void report_add_formatted(struct report *report, struct finding finding, const char *format, va_list arguments)
{
	char message[512];
	/* A file full of mistakes costs no memory for those that nobody will read. */
	if (report->kept_count[finding.severity] < REPORT_FINDINGS_MAX) {
		vsnprintf(message, sizeof(message), format, arguments);
		finding.message = config_memory_text(report->memory, span_from_text(message));
	}
	report_add(report, &finding);
}

void report_error(struct report *report, struct config_place place, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	report_add_formatted(report, (struct finding){ .severity = DIAGNOSTIC_ERROR, .place = place }, format,
			     arguments);
	va_end(arguments);
}

void report_error_hint(struct report *report, struct config_place place, const char *hint, const char *format, ...)
{
	struct finding finding = { .severity = DIAGNOSTIC_ERROR, .place = place, .hint = hint };
	va_list arguments;
	va_start(arguments, format);
	report_add_formatted(report, finding, format, arguments);
	va_end(arguments);
}

void report_warning_hint(struct report *report, struct config_place place, const char *hint, const char *format, ...)
{
	struct finding finding = { .severity = DIAGNOSTIC_WARNING, .place = place, .hint = hint };
	va_list arguments;
	va_start(arguments, format);
	report_add_formatted(report, finding, format, arguments);
	va_end(arguments);
}

const char *report_quote(struct report *report, struct span text)
{
	char quoted[4 * QUOTED_BYTES_MAX + 8];
	size_t len = 0;
	size_t shown = text.len;
	if (shown > QUOTED_BYTES_MAX) {
		shown = QUOTED_BYTES_MAX;
		while (shown > 0 && ((unsigned char)text.data[shown] & 0xc0) == 0x80)
			shown--;
	}
	quoted[len++] = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		if (byte < 0x20 || byte == 0x7f)
			len += (size_t)sprintf(quoted + len, "\\x%02x", byte);
		else
			quoted[len++] = (char)byte;
	}
	len += (size_t)sprintf(quoted + len, "%s\"", shown < text.len ? "..." : "");
	return config_memory_text(report->memory, (struct span){ quoted, len });
}

const char *report_place(struct report *report, struct config_place place)
{
	const struct source *source = &report->sources[place.file];
	char pointer[JSON_POINTER_TEXT_BYTES];
	if (source->pointers != NULL)
		return report_text(report, "%s%s%s", source->name != NULL ? source->name : "",
				   source->name != NULL ? ":" : "",
				   json_pointers_format(source->pointers, place.line, pointer));
	return report_text(report, "%s:%u:%u", report->sources[place.file].name, place.line, place.column);
}

/* The text of a line, without its end; NULL when there is no such line. */
static char *line_find(struct report *report, struct config_place place)
{
	struct span text = report->sources[place.file].text;
	const char *end = text.len > 0 ? text.data + text.len : text.data;
	const char *begin = text.data;
	if (place.line == 0)
		return NULL;
	for (uint32_t line = 1; line < place.line && begin < end; line++) {
		const char *newline = memchr(begin, '\n', (size_t)(end - begin));
		begin = newline != NULL ? newline + 1 : end;
	}
	size_t len = 0;
	while (begin + len < end && begin[len] != '\n')
		len++;
	while (len > 0 && (begin[len - 1] == '\r' || begin[len - 1] == ' ' || begin[len - 1] == '\t'))
		len--;
	char *line = config_memory_text(report->memory, (struct span){ begin, len });
	/* It is handled as text from here on. */
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\0')
			line[i] = '?';
	}
	return line;
}

static int finding_compare(const void *left, const void *right)
{
	const struct finding *a = left;
	const struct finding *b = right;
	if (a->place.file != b->place.file)
		return a->place.file < b->place.file ? -1 : 1;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity == DIAGNOSTIC_ERROR ? -1 : 1;
	return strcmp(a->message, b->message);
}

/* A finding in a JSON document has a pointer instead of a line. */
static void finding_hand_over_pointer(struct report *report, const struct finding *finding,
				      struct diagnostics *diagnostics)
{
	const struct source *source = &report->sources[finding->place.file];
	char pointer[JSON_POINTER_TEXT_BYTES];
	struct diagnostic entry = {
		.severity = finding->severity,
		.file = (char *)source->name,
		.pointer = json_pointers_format(source->pointers, finding->place.line, pointer),
		.message = (char *)finding->message,
		.hint = (char *)finding->hint,
		.accepted = (char *)finding->accepted,
	};
	diagnostics_add(diagnostics, &entry);
}

static void finding_hand_over(struct report *report, const struct finding *finding, struct diagnostics *diagnostics)
{
	if (report->sources[finding->place.file].pointers != NULL) {
		finding_hand_over_pointer(report, finding, diagnostics);
		return;
	}
	struct diagnostic entry = {
		.severity = finding->severity,
		.file = (char *)report->sources[finding->place.file].name,
		.line = finding->place.line,
		.column = finding->place.column,
		.len = finding->place.len,
		.source = line_find(report, finding->place),
		.message = (char *)finding->message,
		.hint = (char *)finding->hint,
		.accepted = (char *)finding->accepted,
	};
	diagnostics_add(diagnostics, &entry);
}

void report_finish(struct report *report, struct diagnostics *diagnostics)
{
	size_t error_count = report->kept_count[DIAGNOSTIC_ERROR];
	size_t warning_count = report->kept_count[DIAGNOSTIC_WARNING];
	size_t room = DIAGNOSTICS_MAX - diagnostics->count;
	if (error_count > room)
		error_count = room;
	if (warning_count > room - error_count)
		warning_count = room - error_count;
	size_t count = error_count + warning_count;
	struct finding *findings = config_memory_alloc(report->memory, count * sizeof(*findings));
	if (error_count > 0)
		memcpy(findings, report->kept[DIAGNOSTIC_ERROR], error_count * sizeof(*findings));
	if (warning_count > 0)
		memcpy(findings + error_count, report->kept[DIAGNOSTIC_WARNING], warning_count * sizeof(*findings));
	qsort(findings, count, sizeof(*findings), finding_compare);
	for (size_t i = 0; i < count; i++)
		finding_hand_over(report, &findings[i], diagnostics);
	diagnostics->error_count += report->found_count[DIAGNOSTIC_ERROR] - error_count;
	diagnostics->warning_count += report->found_count[DIAGNOSTIC_WARNING] - warning_count;
}
