/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one vocabulary of reasons: why a flow ended or was refused. The same words stand in access records, metrics, the
 * admin API and the dashboard. The list is closed: nothing ends without one of these.
 */
#ifndef BASE_REASON_H
#define BASE_REASON_H

#include <stdbool.h>

/* X(NAME, word, is a refusal: the flow never reached a server, what it means) */
#define REASON_LIST(X)                                                                                                 \
	X(CLIENT_FIN, "client_fin", false, "the client closed first, in the normal way")                               \
	X(SERVER_FIN, "server_fin", false, "the server closed first, in the normal way")                               \
	X(CLIENT_RST, "client_rst", false, "the client reset the connection, or vanished")                             \
	X(SERVER_RST, "server_rst", false, "the server reset the connection, or vanished")                             \
	X(IDLE_TIMEOUT, "idle_timeout", false, "nothing moved for the idle or half-closed time-out")                   \
	X(CONNECT_TIMEOUT, "connect_timeout", true, "the last server tried did not answer in time")                    \
	X(CONNECT_REFUSED, "connect_refused", true, "the last server tried refused the connection")                    \
	X(CONNECT_FAILED, "connect_failed", true, "the last server tried could not be reached for another reason")     \
	X(NO_SERVER, "no_server", true, "no server of the pool was eligible")                                          \
	X(REPLIES_DONE, "replies_done", false, "all expected replies of a UDP session have come")                      \
	X(DENIED_ACCESS, "denied_access", true,                                                                        \
	  "an access rule denies the client, the flow would go round, or its source is forged")                        \
	X(LIMIT_CONNECTIONS, "limit_connections", true,                                                                \
	  "the service or the daemon has as many connections as allowed")                                              \
	X(LIMIT_PER_SOURCE, "limit_per_source", true, "the client has as many flows as one source may have")           \
	X(LIMIT_RATE, "limit_rate", true, "new flows come faster than the service or one source may open them")        \
	X(LIMIT_SESSIONS, "limit_sessions", true,                                                                      \
	  "the service or the daemon has as many UDP sessions as allowed; ended: one without an answer made room")     \
	X(LIMIT_MEMORY, "limit_memory", true, "memory or descriptors set aside for flows are used up")                 \
	X(BLOCKED, "blocked", true, "the source is on a block list")                                                   \
	X(BAD_PROXY_HEADER, "bad_proxy_header", true, "the PROXY header was missing, forbidden or malformed")          \
	X(SERVER_DOWN, "server_down", false, "the flow's server went down")                                            \
	X(DRAINED, "drained", false, "the flow's server was drained or removed")                                       \
	X(ADMIN_CLOSED, "admin_closed", false, "closed through the admin API")                                         \
	X(SHUTDOWN, "shutdown", false, "strait was stopping")                                                          \
	X(INTERNAL_ERROR, "internal_error", false, "a system call failed that should not")

enum reason {
	REASON_NONE, /* has not ended; admitted */
#define REASON_ENUM(name, word, is_refusal, meaning) REASON_##name,
	REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
		REASON_COUNT
};

/* "none" for REASON_NONE. */
const char *reason_word(enum reason reason);
const char *reason_meaning(enum reason reason);
bool reason_is_refusal(enum reason reason);

#endif
