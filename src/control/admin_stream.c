/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin_stream.h"

#include "base/check.h"
#include "control/admin_connection.h"

#include <microhttpd.h>

/*
 * The library asks for bytes as long as it gets some; when there are none the connection has to be suspended, or it would
 * ask again and again. It may be resumed from anywhere on this thread, also while another connection is served: that only
 * leaves a note, and the library, driven from outside, has to be run to find it. That is done at the end of the turn.
 */

static void rest(struct admin_stream *stream)
{
	stream->is_resting = true;
	admin_connection_clear_deadline(stream->connection);
	MHD_suspend_connection(stream->http_connection);
}

static ssize_t on_read(void *stream_pointer, uint64_t offset, char *buf, size_t buf_bytes)
{
	struct admin_stream *stream = stream_pointer;
	(void)offset;
	size_t bytes = stream->kind->read(stream, buf, buf_bytes);
	if (bytes > 0)
		return (ssize_t)bytes;
	if (stream->is_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	rest(stream);
	return 0;
}

static void set_deadline(struct admin_stream *stream)
{
	admin_connection_set_deadline(stream->connection, true, stream->streams->loop->now_ms + ADMIN_STREAM_MS);
}

void admin_stream_wake(struct admin_stream *stream)
{
	if (!stream->is_resting)
		return;
	stream->is_resting = false;
	set_deadline(stream);
	MHD_resume_connection(stream->http_connection);
	loop_defer(stream->streams->loop, &stream->streams->woken, stream->streams->on_woken);
}

void admin_streams_init(struct admin_streams *streams, struct loop *loop, void (*on_woken)(struct loop_deferred *woken))
{
	*streams = (struct admin_streams){ .loop = loop, .on_woken = on_woken };
	list_init(&streams->all);
}

void admin_streams_done(struct admin_streams *streams)
{
	CHECK(list_is_empty(&streams->all));
	list_remove(&streams->woken.link);
}

struct MHD_Response *admin_stream_begin(struct admin_streams *streams, struct admin_stream *stream,
					struct admin_connection *connection, struct MHD_Connection *http_connection)
{
	stream->streams = streams;
	stream->connection = connection;
	stream->http_connection = http_connection;
	stream->is_over |= streams->are_ended;
	list_add_last(&streams->all, &stream->link);
	set_deadline(stream);
	/* The size of blocks counts only where the body is not chunked. */
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, stream, NULL);
}

void admin_stream_end(struct admin_stream *stream)
{
	if (stream == NULL)
		return;
	list_remove(&stream->link);
	stream->kind->close(stream);
}

void admin_streams_end(struct admin_streams *streams)
{
	streams->are_ended = true;
	for (struct list *link = streams->all.next; link != &streams->all; link = link->next) {
		struct admin_stream *stream = LIST_OWNER(link, struct admin_stream, link);
		stream->is_over = true;
		admin_stream_wake(stream);
	}
}
