/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a daemon again and again for the documents that are wanted, on a thread of its own, so that keys are never waited
 * with for an answer: however slow the daemon is, only the numbers are late. One question at a time, each at most
 * TOP_SOURCE_ASK_MS; a daemon that does not answer is asked again at the next turn.
 *
 * The thread that made it calls all of it. The asking thread has its paths and leaves its answers under one lock, and tells
 * of them by an eventfd.
 */
#ifndef CLI_TOP_SOURCE_H
#define CLI_TOP_SOURCE_H

#include "cli/admin_client.h"
#include "cli/top_model.h"

enum { TOP_SOURCE_ASK_MS = 2000 };

struct top_source;

struct top_source *top_source_new(const struct admin_client *client, uint64_t every_ms);
/* Waits for the question that is under way: at most TOP_SOURCE_ASK_MS. Accepts NULL; clears the pointer. */
void top_source_free(struct top_source **source);

/* What to ask for from now on, by document; "": not. What is new is asked for at once. */
void top_source_want(struct top_source *source, char paths[TOP_DOCUMENT_COUNT][TOP_PATH_BYTES]);

/* Readable when there is something to take. */
int top_source_fd(const struct top_source *source);
/* Brings what has come into the model. */
void top_source_take(struct top_source *source, struct top_model *model);

#endif
