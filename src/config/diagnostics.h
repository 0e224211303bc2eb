/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of everything that is wrong, or looks wrong, with a configuration: each with its place, the line it stands in,
 * what is accepted there and a guess at what was meant. Collected by the parser, shown by `strait check`, reload and
 * the admin API.
 *
 * Owns copies of all its texts, so it outlives the configuration. One thread at a time. At most
 * DIAGNOSTICS_MAX entries are kept; the rest is counted.
 */
#ifndef CONFIG_DIAGNOSTICS_H
#define CONFIG_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { DIAGNOSTICS_MAX = 100 };

enum diagnostic_severity { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

struct diagnostic {
	enum diagnostic_severity severity;
	char *file;      /* as the user wrote it; NULL when the message is about no file */
	uint32_t line;   /* from 1; 0 = the whole file */
	uint32_t column; /* from 1, in bytes */
	uint32_t len;    /* bytes to underline */
	char *pointer;   /* where in a JSON document, as JSON pointer (RFC 6901), "" for all of it; or NULL */
	char *source;    /* the line, without its end; NULL when line is 0 */
	char *message;   /* one sentence, no full stop */
	char *hint;      /* "did you mean ...?", or NULL; shown behind the caret */
	char *accepted;  /* what may stand there, or NULL; shown as "accepted: ..." */
};

struct diagnostics {
	struct diagnostic *entries;
	size_t count;
	size_t error_count;   /* all errors, also those not kept */
	size_t warning_count; /* likewise */
};

void diagnostics_init(struct diagnostics *diagnostics);
void diagnostics_done(struct diagnostics *diagnostics);

/* Appends a copy of *entry (its strings are copied, too); entries stay in the order of being added. */
void diagnostics_add(struct diagnostics *diagnostics, const struct diagnostic *entry);

/*
 * Prints all entries in the form shown in docs/configuration.md, without a closing summary. Control characters of the
 * source are shown as '?', and a long line only around its place, so any file may be printed on a terminal.
 */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *out);

/* Puts the counts into words for a closing line: "2 errors, 1 warning", "1 warning", "no errors". Returns buf. */
char *diagnostics_summarize(const struct diagnostics *diagnostics, char *buf, size_t buf_bytes);

#endif
