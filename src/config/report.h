/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one load of a configuration collects for people: the files it has read and the findings in them. Findings are
 * kept until the end, put in the order of the files and lines, and then handed to struct diagnostics with the line
 * each stands in. Errors go before warnings where there is not room for all.
 *
 * Borrows its memory from the load, which must outlive it. One thread at a time.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "base/span.h"
#include "config/config.h"
#include "config/config_memory.h"
#include "config/diagnostics.h"
#include "config/json_pointer.h"

#include <stddef.h>

enum { REPORT_FINDINGS_MAX = DIAGNOSTICS_MAX };

/* A file that was read. The text stays in memory until the load is over. */
struct source {
	const char *name; /* as the user wrote it; NULL: what is read has none */
	struct span text;
	struct config_place included_at; /* len 0: the main file */
	uint64_t device;
	uint64_t inode;
	size_t depth; /* of includes: 0 for the main file */
	/* Of JSON: the line of a place is the number of a JSON pointer, and its column 0. NULL: lines and columns. */
	const struct json_pointers *pointers;
};

struct finding {
	enum diagnostic_severity severity;
	struct config_place place; /* line 0: the whole file */
	const char *message;       /* in the load's memory, as the next two */
	const char *hint;
	const char *accepted;
};

struct report {
	struct config_memory *memory;
	struct source *sources;
	size_t source_count;
	struct finding *kept[2]; /* by severity, in the order of being found */
	size_t kept_count[2];
	size_t found_count[2]; /* also those not kept */
};

void report_init(struct report *report, struct config_memory *memory);

/* Returns the number of the file, for places. */
uint32_t report_add_source(struct report *report, const struct source *source);

void report_add(struct report *report, const struct finding *finding);
/* An error with no more than a message. */
void report_error(struct report *report, struct config_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* An error, a warning with a hint; the hint may be NULL. */
void report_error_hint(struct report *report, struct config_place place, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void report_warning_hint(struct report *report, struct config_place place, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Text for messages, in the load's memory. */
#define report_text(report, ...) config_memory_format((report)->memory, __VA_ARGS__)
/* What the user wrote, in quotes, cut and escaped so that it can stand in any message. */
const char *report_quote(struct report *report, struct span text);
/* "strait.conf:12:5", "request:/pool/web" */
const char *report_place(struct report *report, struct config_place place);

/* Sorts the findings and hands them over. */
void report_finish(struct report *report, struct diagnostics *diagnostics);

#endif
