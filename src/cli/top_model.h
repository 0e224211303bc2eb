/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the live view knows of a daemon: the latest of each document that it asks for, and the one before, so that
 * counters become rates. A counter that went down, and everything when the daemon was started anew, has no rate until the
 * next document. Owns the documents. Pure: no time and no socket of its own; one thread.
 */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum top_document { TOP_STATUS, TOP_FLOWS, TOP_TRENDS, TOP_HISTORY, TOP_DOCUMENT_COUNT };

enum {
	TOP_PATH_BYTES = 512,
	TOP_FLOWS_MAX = 2000, /* asked for at a time; a daemon may have far more */
	TOP_EVENTS_MAX = 1000,
	TOP_TALKERS_MAX = 2000, /* of all services together */
	TOP_PROBLEM_BYTES = 256,
};

/* Things of one kind by name, in two documents that follow each other. */
struct top_counts {
	json_t *before; /* NULL: none */
	json_t *now;
	double seconds; /* between them */
};

struct top_model {
	json_t *documents[TOP_DOCUMENT_COUNT]; /* NULL: not yet */
	uint64_t taken_ms[TOP_DOCUMENT_COUNT];
	bool is_missing[TOP_DOCUMENT_COUNT]; /* the daemon does not know such a document */
	struct top_counts services;
	struct top_counts servers;
	struct top_counts flows;
	char problem[TOP_PROBLEM_BYTES]; /* why there was no answer the last time; "": there was one */
	uint64_t answered_ms;            /* when there was one the last time */
};

/* A model of zeros is empty. */
void top_model_done(struct top_model *model);

/* Takes the reference. now_ms: of a clock that never jumps, when the answer came. */
void top_model_take(struct top_model *model, enum top_document which, json_t *document, uint64_t now_ms);
void top_model_note_missing(struct top_model *model, enum top_document which);
/* What there was stays, to be looked at. */
void top_model_note_problem(struct top_model *model, const char *problem);

/* How the thing of that name changed, a second; -1: not known. */
double top_model_rate(const struct top_counts *counts, const char *name, const char *key);
/* The same of a member of the object `part` of it, which has no members that are 0. */
double top_model_rate_in(const struct top_counts *counts, const char *name, const char *part, const char *key);
/* Of all things together; those without a rate count as 0. */
double top_model_rate_sum(const struct top_counts *counts, const char *key);

/* What a server, and a flow, is called in the counts. Returns buf, of TOP_NAME_BYTES. */
enum { TOP_NAME_BYTES = 512 };
char *top_model_server_name(const json_t *pool, const json_t *server, char *buf);

/*
 * What to ask for to get the document. Of more flows than are asked for, those that the filter means are: a service's
 * whose name it is, or a client's whose address. Returns buf, of TOP_PATH_BYTES.
 */
char *top_model_path(const struct top_model *model, enum top_document which, const char *filter, char *buf);

#endif
