/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/pool_queue.h"

#include "base/aligned.h"
#include "base/check.h"

#include <stdlib.h>

#define NEVER_NS UINT64_MAX

void pool_queue_init(struct pool_queue *queue, struct pool *pool, uint32_t worker_count)
{
	queue->lines = aligned_alloc_zeroed(alignof(struct pool_line), worker_count * sizeof(queue->lines[0]));
	queue->line_count = worker_count;
	for (uint32_t i = 0; i < worker_count; i++) {
		list_init(&queue->lines[i].waiters);
		queue->lines[i].pool = pool;
		atomic_init(&queue->lines[i].oldest_ns, NEVER_NS);
	}
}

void pool_queue_done(struct pool_queue *queue)
{
	CHECK(queue->count == 0);
	free(queue->lines);
	queue->lines = NULL;
	queue->line_count = 0;
}

bool pool_queue_is_empty_after_publishing(struct pool_queue *queue)
{
	/* Both sides change the count, so one of them comes second and sees what the other did before. */
	return atomic_fetch_add_explicit(&queue->count, 0, memory_order_seq_cst) == 0;
}

uint32_t pool_queue_find_oldest(const struct pool_queue *queue)
{
	uint32_t oldest = POOL_QUEUE_NOBODY;
	uint64_t oldest_ns = NEVER_NS;
	for (uint32_t i = 0; i < queue->line_count; i++) {
		uint64_t since_ns = atomic_load_explicit(&queue->lines[i].oldest_ns, memory_order_seq_cst);
		if (since_ns >= oldest_ns)
			continue;
		oldest = i;
		oldest_ns = since_ns;
	}
	return oldest;
}

struct pool_waiter *pool_queue_first(const struct pool_queue *queue, uint32_t worker)
{
	const struct list *waiters = &queue->lines[worker].waiters;
	return list_is_empty(waiters) ? NULL : LIST_OWNER(waiters->next, struct pool_waiter, link);
}

static void show_oldest(struct pool_queue *queue, uint32_t worker)
{
	const struct pool_waiter *first = pool_queue_first(queue, worker);
	uint64_t since_ns = first != NULL ? first->since_ns : NEVER_NS;
	_Atomic uint64_t *shown = &queue->lines[worker].oldest_ns;
	if (atomic_load_explicit(shown, memory_order_relaxed) != since_ns)
		atomic_store_explicit(shown, since_ns, memory_order_seq_cst);
}

/* The one behind whom it stands; the head of the line when that is nobody. */
static struct list *find_place(struct list *waiters, const struct pool_waiter *waiter)
{
	struct list *link = waiters->previous;
	while (link != waiters && LIST_OWNER(link, struct pool_waiter, link)->since_ns > waiter->since_ns)
		link = link->previous;
	return link;
}

void pool_queue_join(struct pool_queue *queue, uint32_t worker, struct pool_waiter *waiter)
{
	struct list *before = find_place(&queue->lines[worker].waiters, waiter);
	list_add_last(before->next, &waiter->link);
	show_oldest(queue, worker);
	/* After the time is shown: whoever finds the count above zero finds somebody. */
	atomic_fetch_add_explicit(&queue->count, 1, memory_order_seq_cst);
}

void pool_queue_leave(struct pool_queue *queue, uint32_t worker, struct pool_waiter *waiter)
{
	CHECK(list_is_linked(&waiter->link));
	list_remove(&waiter->link);
	show_oldest(queue, worker);
	uint32_t before = atomic_fetch_sub_explicit(&queue->count, 1, memory_order_seq_cst);
	CHECK(before > 0);
}
