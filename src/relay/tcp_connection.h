/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one proxied TCP (or unix stream) connection:
 *
 *   tcp_connection_begin    accepted and admitted: choose a server, start to connect
 *   WAITING                 all servers are full: waiting for a place, in the order of coming (tcp_queue.h)
 *   CONNECTING              waiting for the server; on failure the next server, up to `retries`
 *   ESTABLISHED             bytes move both ways; each way ends on its own (half-close)
 *   CLOSED                  accounted and closed; freed at the end of the turn
 *
 * Both descriptors are registered once, edge-triggered; each side remembers what it is ready for. Every state has a
 * deadline. All functions belong to the worker that owns the relay.
 */
#ifndef RELAY_TCP_CONNECTION_H
#define RELAY_TCP_CONNECTION_H

#include "base/reason.h"
#include "guard/guard.h"
#include "relay/relay.h"
#include "relay/tcp_pump.h"

enum tcp_state { TCP_GREETING, TCP_HELLO, TCP_CONNECTING, TCP_WAITING, TCP_ESTABLISHED, TCP_CLOSED };

/* The servers a connection has tried before the present one; taken when the first of them fails. */
struct tcp_attempts {
	uint32_t count;
	struct server *servers[FLOW_TRIED_MAX]; /* holding a reference each */
};

struct tcp_connection {
	struct tcp_side client;
	struct tcp_side server;
	struct timer timer;
	struct loop_deferred deferred; /* frees it at the end of the turn */
	struct pool_waiter wait;       /* WAITING: in the pool's line; later in relay->unfinished or relay->starved */
	struct relay *relay;
	struct service *service;
	struct pool *pool;     /* the one that was asked, or is waited for */
	struct server *target; /* entered; NULL when there is none (any more) */
	struct tcp_attempts *attempts;
	struct tcp_greeting *greeting; /* GREETING: its PROXY header, as far as it has come */
	struct endpoint client_endpoint;
	uint64_t id;
	uint64_t start_ns;
	union {
		uint64_t connect_start_ns;   /* CONNECTING */
		uint64_t offload_at_ms;      /* ESTABLISHED: see tcp_offload.c */
		struct tcp_joining *joining; /* with TCP_OFFLOAD_JOINING */
	};
	uint64_t last_activity_ms;
	uint32_t connect_us;
	struct guard_ticket ticket;
	uint8_t state;         /* enum tcp_state */
	uint8_t first_fin;     /* enum reason: which side closed first, or REASON_NONE */
	uint8_t tried_from;    /* the attempts before this one are forgotten: it has waited since */
	uint8_t algorithm;     /* enum pool_algorithm that chose the target */
	bool is_admitted;      /* by the guard, which is told of its end */
	bool is_unchecked;     /* its first bytes are not to be a PROXY header, and have not been looked at */
	bool is_own_flow;      /* towards the server, noted in own_flows */
	bool is_ready;         /* in the batch of this turn */
	bool has_long_options; /* keep-alive is set towards the server */
	uint8_t offload_state; /* enum tcp_offload_state */
	uint8_t offload_tries;
};
/* An idle connection has nothing else: no buffer, no other object. */
static_assert(sizeof(struct tcp_connection) <= 400, "promised to users");

/* A client that was accepted and admitted. */
struct tcp_client {
	int fd;
	struct endpoint endpoint;
	bool is_admitted; /* by the guard; else it has to begin with a PROXY header, which says who is to be judged */
	struct guard_ticket ticket;
};

/* Takes over the client's descriptor and the places that guard and budget have given. Never fails: it may end at once. */
void tcp_connection_begin(struct relay *relay, struct service *service, const struct tcp_client *client);

/* Ends it with a reset on both sides. */
void tcp_connection_abort(struct tcp_connection *connection, enum reason reason);
/* Ends it the normal way, for shutdown. */
void tcp_connection_close(struct tcp_connection *connection, enum reason reason);

/*
 * For one that is WAITING: leaves the line and connects, if it can be given a server now. Returns false when it still
 * waits; when true it may have ended, or wait again, at the end of the line.
 */
bool tcp_connection_take_place(struct tcp_connection *connection);

/* What a batch has read from one of its sides: the number of bytes, or -errno. */
void tcp_connection_note_received(struct tcp_connection *connection, struct tcp_side *from, ssize_t got, size_t room);

/* Sets the timer of an established connection to its next deadline. */
void tcp_connection_wait(struct tcp_connection *connection);
/* Bytes that the kernel has carried from its client and to it. */
void tcp_connection_count_bytes(struct tcp_connection *connection, uint64_t in, uint64_t out);
/*
 * Forgets a connection that has no sockets any more, and goes on as a bare flow, to which its places in guard and server and
 * what was counted belong now.
 */
void tcp_connection_hand_over(struct tcp_connection *connection);

/* Goes on where it was: after a turn's share was used up, or a tail buffer has become free. */
void tcp_connection_drive(struct tcp_connection *connection);

#endif
