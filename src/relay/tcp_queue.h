/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections that wait for a place, because all servers of their pool that are up have as many flows as
 * max-connections allows. Each waits in its worker's line of the pool (pool/pool_queue.h), for at most `timeout queue`,
 * and at most `limit queue` of a service wait on all workers together. A line is first come first served, and of the
 * lines of a pool the one whose first came first goes next. Nobody is passed by: while anybody waits for the pool, a
 * new connection of a service with a queue stands behind them. (Connections of services without a queue and UDP
 * sessions do not wait; they may take a place that is just free.)
 *
 * Waking. Whoever frees a place (tcp_queue_give_place) looks whether somebody waits, and if so wakes the worker of the
 * oldest waiter: itself by a flag, another one with its bell. A woken worker looks at all its lines, after the events
 * of the turn. For each pool:
 *
 *   while there is room and somebody waits:
 *     the oldest waiter is mine: it gets the place;  it is another worker's: that one is woken, and I stop
 *
 * No wake-up is lost:
 *
 *   - Joining first counts the waiter and then looks for room; giving first frees the place and then looks at the count.
 *     All four are sequentially consistent, so at least one of the two sees the other.
 *   - Whoever sees the count finds a waiter, as that was shown before. Its worker may have served or lost it meanwhile;
 *     but whoever takes a waiter out of a line looks for room again afterwards, and wakes the worker of the next one. So
 *     while a place is free and somebody waits there always is a worker that is going to look, or one that has just
 *     found no room because another flow was in the place for a moment: and that one will give it back in the same way.
 *   - A bell cannot be full, and what was done before it rang is seen by who hears it.
 *
 * Handing on ends: it goes to an older waiter each time, and the oldest waiter is either served, or there is no room.
 *
 * More places can come without a flow that ends: a server that is up again, a raised max-connections, a new server.
 * Control tells workers then (tcp_queue_review). As a net under all this, each worker looks at its lines every
 * LOOK_INTERVAL_MS while somebody waits in them.
 *
 * While nobody waits, a flow that ends pays for one load and one comparison. All functions belong to the relay's worker.
 */
#ifndef RELAY_TCP_QUEUE_H
#define RELAY_TCP_QUEUE_H

#include "event/bell.h"
#include "event/timer_wheel.h"
#include "pool/pool.h"

#include <stdbool.h>

struct relay;
struct tcp_connection;

/* One worker's side of it; in the relay. */
struct tcp_queue {
	struct bell bell;       /* rung by other workers */
	struct list lines;      /* struct pool_line of this worker in which somebody waits */
	struct timer net_timer; /* armed while there are any */
	bool is_due;            /* look at the lines in this turn or the next */
};

/* Returns 0 or -errno. Makes the relay known to the others. */
int tcp_queue_open(struct relay *relay);
/* Nobody waits, and no other worker runs any more. */
void tcp_queue_close(struct relay *relay);

/* Serves who waits, if it is time to. Call once a turn, after its events. Returns true when it wants another turn. */
bool tcp_queue_continue(struct relay *relay);

/*
 * The configuration has changed, or a server's state: those who wait go where their service goes now, with its present
 * time-out, and end where nothing can come any more. In their new line they stand as if they had always been there.
 * Then looks for places.
 */
void tcp_queue_review(struct relay *relay);

/*
 * The connection waits from now on for a place in connection->pool. Returns false when as many as allowed wait for its
 * service.
 */
bool tcp_queue_join(struct tcp_connection *connection);
/* It has got a place. */
void tcp_queue_leave_served(struct tcp_connection *connection);
/* It ends without one. */
void tcp_queue_leave_unserved(struct tcp_connection *connection);

/* Wakes the worker of the pool's oldest waiter, if there is one. */
void tcp_queue_wake(struct relay *relay, struct pool *pool);

/* Gives back a place at a server: the end of balance_enter, for all flows. */
static inline void tcp_queue_give_place(struct relay *relay, struct server *server)
{
	/* The server may go once it has no flows, but not before this turn has ended, and its pool not before it. */
	struct pool *pool = server->pool;
	server_leave(server);
	if (!pool_queue_is_empty(&pool->queue))
		tcp_queue_wake(relay, pool);
}

#endif
