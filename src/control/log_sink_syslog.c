/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as syslog messages (RFC 5424):
 *
 *   <30>1 2026-11-23T06:29:19.266Z edge strait 4711 flow_end - {"ts":...}
 *
 * PRI is the facility daemon and a severity by the record's level; MSGID is the event; there is no structured data; the
 * message is the record in the sink's format. One message is one datagram over a unix socket or UDP (RFC 5426), over TCP it
 * is framed by its length (RFC 6587, section 3.4.1). A record holds no control character, so nothing in it can end a line at
 * a receiver that splits messages into lines.
 */
#include "base/clock.h"
#include "control/log_sink_socket.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	FACILITY_DAEMON = 3,
	HEAD_BYTES = 384,
	HOST_BYTES = 256, /* RFC 5424, section 6: HOSTNAME has at most 255 characters */
};

/* "-" when there is none, or one that the field cannot hold: printable ASCII without blanks. */
static const char *host_name(char buf[HOST_BYTES])
{
	if (gethostname(buf, HOST_BYTES) < 0)
		return "-";
	buf[HOST_BYTES - 1] = '\0';
	for (const char *at = buf; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~')
			return "-";
	return buf[0] != '\0' ? buf : "-";
}

static void append(struct log_sink *sink, const struct log_message *message)
{
	char host[HOST_BYTES];
	char ts[CLOCK_TEXT_BYTES];
	char head[HEAD_BYTES];
	int len = snprintf(head, sizeof(head), "<%d>1 %s %s strait %d %.32s - ",
			   FACILITY_DAEMON * 8 + log_sink_severity(message->level),
			   clock_format_realtime(message->realtime_us, ts, sizeof(ts)), host_name(host), (int)getpid(),
			   message->name);
	struct span line = message->line;
	line.len -= line.len > 0 && line.data[line.len - 1] == '\n';
	const struct span parts[] = { { head, (size_t)len }, line };
	log_sink_socket_put(sink, parts, 2);
}

static const struct log_sink_kind syslog_kind = {
	.append = append,
	.flush = log_sink_socket_flush,
	.close = log_sink_socket_close,
};

int log_sink_syslog_open(const struct config_log *config, struct log_sink **ret_sink)
{
	*ret_sink = log_sink_socket_new(config, &syslog_kind);
	return 0;
}
