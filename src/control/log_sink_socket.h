/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sinks that speak over a socket share: a bounded queue of whole messages, a connection that is made anew when
 * it breaks, and sending without ever waiting.
 *
 * Messages stand in the queue one behind the other, each as "LENGTH MESSAGE", which is what TCP wants (octet counting,
 * RFC 6587, section 3.4.1); a datagram is the MESSAGE alone. While there is no connection the queue fills; when it is full
 * new messages are dropped and counted. A message whose connection broke in the middle is sent again whole over the next
 * one, so no message is ever torn. What the system had taken before a connection broke may be lost uncounted: syslog has
 * no acknowledgements.
 *
 * A connection that fails is tried again after SOCKET_RETRY_FIRST_MS, then twice as long each time, up to
 * SOCKET_RETRY_LAST_MS.
 */
#ifndef CONTROL_LOG_SINK_SOCKET_H
#define CONTROL_LOG_SINK_SOCKET_H

#include "base/span.h"
#include "control/log_sink.h"

enum {
	SOCKET_RETRY_FIRST_MS = 100,
	SOCKET_RETRY_LAST_MS = 5000,
	SOCKET_CONNECT_MS = 3000,
	SOCKET_UNACKNOWLEDGED_MS = 10000, /* a TCP connection whose peer is silent for so long is broken */
	SOCKET_SEND_BYTES = 64 * 1024,    /* what the system takes of a stream, and may lose with it */
	SOCKET_PARTS_MAX = 4,
};

struct socket_sink {
	struct log_sink sink;
	bool is_stream;
	bool is_connecting;
	uint64_t connect_deadline_ms;
	uint64_t retry_at_ms;
	uint64_t retry_after_ms; /* the next pause */
	char *queue;             /* LOG_SINK_BUFFER_BYTES */
	size_t start;            /* of the first message */
	size_t len;
	size_t sent; /* of the first message, by this connection */
};

/* Connects later, when there is something to send. kind has the flush and close of this header. */
struct log_sink *log_sink_socket_new(const struct config_log *config, const struct log_sink_kind *kind);

/* Puts the parts into the queue as one message, or counts it as dropped. At most SOCKET_PARTS_MAX. */
void log_sink_socket_put(struct log_sink *sink, const struct span *parts, size_t count);

/* Of RFC 5424, section 6.2.1; the journal has the same. */
int log_sink_severity(enum config_log_level level);

void log_sink_socket_flush(struct log_sink *sink);
void log_sink_socket_close(struct log_sink *sink);

#endif
