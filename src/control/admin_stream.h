/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of the admin API that goes on: bytes that come when there are some. Two sides that know little of each other:
 *
 *   the source   (event_stream.c) has the bytes, and says when there are new ones; knows no HTTP
 *   the sender   (here) is the HTTP library's part: it asks the source whenever the client can take something, and lets
 *                the connection rest while there is nothing
 *
 * What there is has to be taken within ADMIN_STREAM_MS, or the connection is closed. A connection that rests costs
 * nothing and may do so for ever; that its client has gone is noticed with the next bytes. Control thread.
 */
#ifndef CONTROL_ADMIN_STREAM_H
#define CONTROL_ADMIN_STREAM_H

#include "base/list.h"
#include "event/loop.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADMIN_STREAM_MS = 30 * 1000 };

struct admin_stream;

/* Of the source. */
struct admin_stream_kind {
	/* Copies at most so many bytes. 0: there are none now, or, with is_over, there will be none any more. */
	size_t (*read)(struct admin_stream *stream, char *buf, size_t buf_bytes);
	/* Nobody wants to read it any more: frees it. */
	void (*close)(struct admin_stream *stream);
};

struct MHD_Connection;
struct MHD_Response;
struct admin_connection;
struct admin_streams;

struct admin_stream {
	/* Set by the source. */
	const struct admin_stream_kind *kind;
	bool is_over;
	/* The sender's. */
	struct list link;
	struct admin_streams *streams;
	struct admin_connection *connection;
	struct MHD_Connection *http_connection;
	bool is_resting;
};

/* --- for the source ---------------------------------------------------------------------------------------------- */

/* There are bytes now, or is_over was set. Not from inside read. */
void admin_stream_wake(struct admin_stream *stream);

/* --- for the listener -------------------------------------------------------------------------------------------- */

/* Those of one listener. */
struct admin_streams {
	struct list all;
	struct loop *loop;
	struct loop_deferred woken; /* runs at the end of a turn in which one was woken: lets the library go on */
	void (*on_woken)(struct loop_deferred *woken);
	bool are_ended;
};

void admin_streams_init(struct admin_streams *streams, struct loop *loop,
			void (*on_woken)(struct loop_deferred *woken));
/* When there are none any more. */
void admin_streams_done(struct admin_streams *streams);

/*
 * A response that sends the stream over this connection, or NULL; then or later admin_stream_end is the caller's to call,
 * once, before the connection is gone.
 */
struct MHD_Response *admin_stream_begin(struct admin_streams *streams, struct admin_stream *stream,
					struct admin_connection *connection, struct MHD_Connection *http_connection);

/* Closes it. Accepts NULL. */
void admin_stream_end(struct admin_stream *stream);

/* Each ends, now and in future, as soon as what there is has been sent. No connection rests any more. */
void admin_streams_end(struct admin_streams *streams);

#endif
