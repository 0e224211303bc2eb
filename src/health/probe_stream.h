/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks over TCP, and over unix stream sockets, have in common: the handshake, sending, and how it ends for
 * the server. After a complete exchange that is FIN, as with any client. A bare handshake, and whatever failed, is
 * reset: the connection was never used, and thousands of checks leave no TIME_WAIT behind.
 */
#ifndef HEALTH_PROBE_STREAM_H
#define HEALTH_PROBE_STREAM_H

#include "health/probe.h"

/* For a kind's open. */
int probe_stream_open(struct probe *probe);

/*
 * Goes on with the handshake and with sending request.preface and request.send. PROBE_WANT_READ: all of it is sent; an answer
 * may be read.
 */
enum probe_next probe_stream_send(struct probe *probe);

/* Success, after a complete exchange. */
enum probe_next probe_stream_finish(struct probe *probe);

#endif
