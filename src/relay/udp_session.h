/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One UDP conversation: the datagrams of one client with one listen address, over a socket of its own to one server. A proxy
 * that tells with PROXY headers whose datagrams it sends has a session for each of those clients.
 * Server, own address and port stay the same for the session's whole life; when the server is lost the session ends and
 * the client's next datagram begins another.
 *
 * A session ends when it was idle (`new` until the first reply, `idle` after it), when all expected replies have come,
 * when its server is gone, when another needs its place before it was answered, or when strait stops. After `requests` datagrams it leaves the index, so that the next
 * datagram begins another, but still delivers replies until it is idle.
 *
 * All functions belong to the worker that owns the relay. Creating and ending cost O(1).
 */
#ifndef RELAY_UDP_SESSION_H
#define RELAY_UDP_SESSION_H

#include "base/reason.h"
#include "guard/guard.h"
#include "relay/relay.h"
#include "relay/udp_listener.h"

struct udp_session {
	struct loop_source upstream; /* connected to the server */
	struct hash_link index;
	struct timer timer;
	struct loop_deferred deferred; /* frees it at the end of the turn */
	struct {
		struct list of_worker;
		struct list of_service;
	} unanswered; /* see udp_unanswered.h */
	struct relay *relay;
	struct udp_listener *listener;
	struct service *service;
	struct server *server;         /* entered */
	struct kernel_flow *kernel;    /* while the kernel carries it, else NULL; see udp_offload.h */
	uint64_t offload_at_ms;        /* when it may be moved there at the earliest */
	struct udp_throttle *throttle; /* where bandwidth is limited, else NULL */
	struct endpoint client;
	struct endpoint peer; /* who sends for the client and gets its replies: itself, or a proxy */
	uint8_t local_ip[16]; /* the address the client asked, on a wildcard listener; else zero */
	uint64_t id;
	uint64_t start_ns;
	uint64_t last_activity_ms;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t packets_in;
	uint64_t packets_out;
	uint64_t unverified_bytes; /* sent to the client while it was not verified, where that is bounded */
	struct guard_ticket ticket;
	uint32_t reply_turn; /* the last turn in which something came from the server */
	uint8_t algorithm;   /* enum pool_algorithm that chose the server */
	bool has_local;
	bool is_indexed;
	bool is_answered;    /* the server has replied */
	bool is_unreachable; /* and has not: ICMP says nobody is there */
	bool has_bursts;     /* the server sends more than one datagram at a time */
	bool has_requests;   /* on their way to the server, see udp_request.h */
	bool is_own_flow;    /* noted in own_flows */
	bool has_delivered;  /* a reply was sent to the client */
	bool is_verified;    /* the client has sent something after that */
	bool was_offloaded;  /* the kernel carries it, or did */
	bool is_ended;
};
static_assert(sizeof(struct udp_session) <= 512, "promised to users");

/*
 * The session that the datagram belongs to, a new one if need be; NULL when it was refused, which has been reported.
 */
struct udp_session *udp_session_find(struct udp_listener *listener, const struct datagram *datagram);

/* Begins to fetch the sessions of a batch, so that finding them waits for memory only once. */
void udp_session_prefetch(const struct udp_listener *listener, const struct datagram_batch *batch);

/* How many more datagrams of the client the session takes. */
uint64_t udp_session_room(const struct udp_session *session);

/* Sends datagrams of the client to the server. May end the session. */
void udp_session_forward(struct udp_session *session, struct datagram *datagrams, uint32_t count);

/* Datagrams have been sent to the server, but for so many; error: 0, or the last -errno. May end the session. */
void udp_session_note_sent(struct udp_session *session, uint32_t unsent, int error);

/* So many of its datagrams were not sent; also when it has ended. */
void udp_session_note_lost(struct udp_session *session, uint32_t unsent);

/* Sends at once. error: what a try before has met, or 0. May end the session. */
void udp_session_send(struct udp_session *session, const struct datagram *datagrams, uint32_t count, int error);

/*
 * Something has come from the server: so many datagrams, without those that were dropped, or -errno of an ICMP error.
 * May end the session.
 */
void udp_session_note_replies(struct udp_session *session, int received, uint64_t bytes);

/*
 * How many of the datagrams of a reply the client may get, from the first on. A client that may be a forged address, whose
 * owner has asked for nothing, gets so many times what came from it, as a QUIC client does (RFC 9000, section 8.1).
 */
uint32_t udp_session_admit_reply(struct udp_session *session, const struct datagram *reply);
/* Replies that had to wait for their bandwidth are on their way to the client. May end the session. */
void udp_session_note_delivered(struct udp_session *session);

void udp_session_end(struct udp_session *session, enum reason reason);

/* Counts and reports a datagram that is not taken. */
void udp_session_refuse(struct udp_listener *listener, const struct datagram *datagram, enum reason reason);

/* What the client sends to. */
struct endpoint udp_session_listen_endpoint(const struct udp_session *session);

#endif
