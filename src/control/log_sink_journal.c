/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records for the journal of systemd, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram with
 * MESSAGE, the record in the sink's format; PRIORITY; SYSLOG_IDENTIFIER; and each field of the record under its own
 * name, STRAIT_SERVICE=web. The fields come ready from record_format.h. A record is at most twice RECORD_LINE_BYTES long,
 * which every system takes as one datagram, so the detour over a sealed memory file is not needed.
 */
#include "control/log_sink_socket.h"

#include <stdio.h>

enum { HEAD_BYTES = 128 };

static void append(struct log_sink *sink, const struct log_message *message)
{
	char head[HEAD_BYTES];
	int len = snprintf(head, sizeof(head),
			   "PRIORITY=%d\nSYSLOG_IDENTIFIER=strait\nMESSAGE=", log_sink_severity(message->level));
	/* The line ends with the newline that ends the field, and has no other. */
	const struct span parts[] = { { head, (size_t)len }, message->line, message->journal };
	log_sink_socket_put(sink, parts, 3);
}

static const struct log_sink_kind journal_kind = {
	.append = append,
	.flush = log_sink_socket_flush,
	.close = log_sink_socket_close,
};

int log_sink_journal_open(const struct config_log *config, struct log_sink **ret_sink)
{
	*ret_sink = log_sink_socket_new(config, &journal_kind);
	(*ret_sink)->wants_journal = true;
	return 0;
}
