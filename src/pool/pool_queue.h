/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for a place at a pool's servers while all of them have as many flows as they may. For each worker there is
 * a line of the flows that it owns, first come first; only that worker touches it. What workers show each other is how
 * many wait in all, and since when the first in each line does: so whoever frees a place finds the line whose first has
 * waited longest. (Workers read the same clock, once a turn: of two that come to different workers within a turn either
 * may count as the first.)
 *
 * Nothing here wakes anybody (relay/tcp_queue.h does), and nothing here says how many may wait (struct service does).
 */
#ifndef POOL_POOL_QUEUE_H
#define POOL_POOL_QUEUE_H

#include "base/list.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pool;

/* Embedded in what waits; all zero: not waiting. */
struct pool_waiter {
	struct list link;
	uint64_t since_ns; /* monotonic; set before it joins */
};

/* No line: nobody waits. */
#define POOL_QUEUE_NOBODY UINT32_MAX

/* One worker's flows that wait for a place in the pool. */
struct pool_line {
	alignas(CACHE_LINE_BYTES) struct list waiters; /* of struct pool_waiter; the worker's own */
	struct list link;                              /* for the worker: its lines in which somebody waits */
	struct pool *pool;
	_Atomic uint64_t oldest_ns; /* since when the first waits; UINT64_MAX: nobody does */
};

/* A flow that ends reads the count and nothing else; while nobody waits nobody writes here. */
struct pool_queue {
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t count; /* of all workers */
	struct pool_line *lines;                          /* by worker */
	uint32_t line_count;
};

/* Heap for the lines. All zero is a queue without lines, in which nobody can wait. */
void pool_queue_init(struct pool_queue *queue, struct pool *pool, uint32_t worker_count);
/* Nobody waits. Does nothing to a queue that is all zero. */
void pool_queue_done(struct pool_queue *queue);

/* Does nobody wait, on any worker? Any thread; see relay/tcp_queue.h for what the order of memory is good for. */
static inline bool pool_queue_is_empty(const struct pool_queue *queue)
{
	return atomic_load_explicit(&queue->count, memory_order_seq_cst) == 0;
}

/*
 * The same for control, which has published something before: either it finds those who wait, or those who come later
 * find what it published.
 */
bool pool_queue_is_empty_after_publishing(struct pool_queue *queue);

/* The worker whose first waiter has waited longest, or POOL_QUEUE_NOBODY. Any thread. */
uint32_t pool_queue_find_oldest(const struct pool_queue *queue);

/* For the worker of that number, with its own line: */

/* Takes its place in line: behind all who wait since the same moment or longer, which is nearly always the end. */
void pool_queue_join(struct pool_queue *queue, uint32_t worker, struct pool_waiter *waiter);
/* Goes from whatever place in the line. */
void pool_queue_leave(struct pool_queue *queue, uint32_t worker, struct pool_waiter *waiter);
/* NULL when nobody waits in this line. */
struct pool_waiter *pool_queue_first(const struct pool_queue *queue, uint32_t worker);

#endif
