/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sessions that no server has answered yet. Anybody can begin one with a forged datagram, so they hold their places only
 * as long as nobody else needs them: when places are used up, a newcomer gets that of the oldest. Sessions with an answer are
 * never ended for that.
 *
 * A worker has them in two lists, oldest first: all, for what the whole daemon shares (descriptors, the ceiling of
 * sessions), and those of each service, for its own limit. Every step is O(1). A worker ends only its own; the kernel
 * spreads clients, forged ones too, over all of them. The worker's thread.
 */
#ifndef RELAY_UDP_UNANSWERED_H
#define RELAY_UDP_UNANSWERED_H

struct relay;
struct service;
struct udp_session;

/*
 * Young ones are not ended: whoever comes next is refused instead. Ending each for the next one, faster than a server can
 * answer, would be of use to nobody. A session is young for a few times as long as the pool's servers have lately taken for their
 * first answer, within bounds.
 */
enum {
	UDP_UNANSWERED_MS_MIN = 1,
	UDP_UNANSWERED_MS_UNKNOWN = 10, /* no server of the pool has answered this worker yet */
	UDP_UNANSWERED_MS_MAX = 100,
};

/* A session that has just begun. */
void udp_unanswered_add(struct udp_session *session);
/* It has just got its first answer. */
void udp_unanswered_note_answer(struct udp_session *session);
/* It has ended. Does nothing to one that was answered. */
void udp_unanswered_remove(struct udp_session *session);

/* The one whose place a newcomer may have: of the service, or of all. NULL: there is none that is old enough. */
struct udp_session *udp_unanswered_find_in(const struct relay *relay, const struct service *service);
struct udp_session *udp_unanswered_find(const struct relay *relay);

/* Ends it as limit_sessions. */
void udp_unanswered_evict(struct udp_session *session);

#endif
