/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing a server for a new flow. One file per algorithm, each behind struct balancer; all are pure: no I/O, no
 * clock, randomness from the caller.
 *
 * An algorithm works on a tier: the available servers of one rank (primaries, or backups) with their weights, and a
 * table it has prepared from them. Tables are built by control when a view is made (view.h) and are immutable
 * afterwards, so workers choose without a lock. What changes with every flow (active counts, the round-robin cursor)
 * is atomic and shared by all workers.
 */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include "base/random.h"
#include "pool/pool.h"

#include <stdbool.h>
#include <stdint.h>

/* Servers of one rank that are available now. */
struct balance_tier {
	struct server **servers; /* in the order written */
	uint32_t *weights;       /* effective: slow start included; at least 1 */
	uint32_t weight_scale;   /* what a weight of 1 counts for in `weights` without slow start */
	uint32_t count;
	uint64_t weight_sum;
	uint32_t load_percent;          /* of hash_order.h; 0 = no bound */
	const struct pool_total *total; /* active flows of these servers; counted only while there is a bound */
	void *table;                    /* the algorithm's own, NULL if it needs none */
};

/* What is known about the flow that wants a server. */
struct balance_request {
	const struct endpoint *client;
	struct random *random;       /* the worker's own generator */
	struct server *const *tried; /* servers that failed this flow already; not chosen again */
	uint32_t tried_count;
	uint32_t ignored_bits; /* set by balance_enter from the view */
};

struct balance_order;

struct balancer {
	/* Prepares a table for the tier's servers (at least one) and weights. NULL when none is needed. Control. */
	void *(*build)(const struct balance_tier *tier);
	/* Releases what build made. NULL when there is no build. */
	void (*free)(void *table);
	/*
	 * Chooses a server that is eligible and not tried, and enters it (server_enter). NULL when there is none.
	 * The tier has at least one server. Any worker.
	 */
	struct server *(*enter)(struct pool *pool, const struct balance_tier *tier,
				const struct balance_request *request);
	/* See balance_order_make. */
	void (*write)(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order);
};

/* The algorithms, by enum pool_algorithm. */
const struct balancer *balance_find(enum pool_algorithm algorithm);

/*
 * Chooses and enters a server of the pool: a primary, or a backup when no primary is eligible (one that this flow has
 * tried in vain does not count). NULL when there is none. Called by workers inside their RCU read side. The flow gives
 * the place back with server_leave (in a worker: tcp_queue_give_place, which also wakes who waits for it).
 */
struct server *balance_enter(struct pool *pool, const struct balance_request *request);

/*
 * The server that such a flow would be given now; NULL: none. Moves no cursor and takes no place (but for a moment, the
 * chosen server's). For people who ask. Control.
 */
struct server *balance_preview(struct pool *pool, const struct balance_request *request);

/*
 * Why has balance_enter found none: are all servers full that are up? Then waiting helps; not when none is up, nor when
 * one that this flow has tried in vain has room. Any worker, inside its RCU read side.
 */
bool balance_is_full(const struct pool *pool, const struct balance_request *request);

/*
 * Could a flow that has tried none be given a server at this moment? Sequentially consistent with server_leave. Any
 * worker, inside its RCU read side.
 */
bool balance_has_room(const struct pool *pool);

/* For the algorithms, on one server: */

/* Could it be entered at this moment, and was it not tried? */
bool balance_is_candidate(const struct server *server, const struct balance_request *request);
/* Enters it if it is a candidate. */
bool balance_try(struct server *server, const struct balance_request *request);
/* The same, but only while it has less than flows_max flows. */
bool balance_try_below(struct server *server, const struct balance_request *request, uint32_t flows_max);

/*
 * For the algorithms, the last resort: enters the first candidate in the order written, beginning at index start and
 * going round. NULL only when no server of the tier is eligible.
 */
struct server *balance_scan(const struct balance_tier *tier, const struct balance_request *request, uint32_t start);

#endif
