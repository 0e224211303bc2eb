/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads server-sent events (WHATWG HTML, section 9.2.6) that come in pieces. Lines end with a line feed, with or without a
 * carriage return before it. Pure, but for the heap.
 */
#ifndef CLI_EVENT_READER_H
#define CLI_EVENT_READER_H

#include "base/span.h"

#include <stdbool.h>

enum { EVENT_READER_BYTES_MAX = 64 * 1024 * 1024 }; /* of a line, and of the data of one event */

/* Lives until the function that is given it returns. */
struct server_event {
	const char *kind; /* "message" if it has none */
	const char *id;   /* the last that was given, as the next request wants it; "" for none */
	struct span data; /* with a zero behind it */
};

struct event_reader_text {
	char *data; /* with a zero behind it; NULL: empty */
	size_t len;
	size_t capacity;
};

struct event_reader {
	void (*on_event)(void *owner, const struct server_event *event);
	void *owner;
	/* The reader's. */
	struct event_reader_text line;
	struct event_reader_text data;
	struct event_reader_text kind;
	struct event_reader_text id;
	bool has_data;
};

/* A reader whose other members are 0 is at the beginning. Returns false when something is longer than it may be. */
bool event_reader_take(struct event_reader *reader, struct span piece);
void event_reader_done(struct event_reader *reader);

#endif
