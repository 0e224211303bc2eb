/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weighted round-robin from a prepared cycle. Over a whole cycle every server is chosen exactly as often as its weight
 * says, and in between as evenly as can be: at every moment each server is less than one flow behind its share or
 * ahead of it. The cycle is shared by all workers through the pool's cursor, so it is exact for all of them together.
 *
 * The order is that of worst-case fair queueing (WF2Q, Bennett and Zhang 1996). A server of weight w in a cycle of
 * length L may be chosen for the k-th time (from 0) no sooner than step k*L/w and should be by step (k+1)*L/w;
 * at each step the server with the earliest deadline among those that may is chosen. Equal weights give the order
 * written.
 *
 * Weights are divided by their greatest common divisor first. If a cycle would still be longer than CYCLE_MAX, the
 * weights are scaled down in proportion, each to at least 1, and the shares are as exact as that allows.
 */
#include "balance/algorithms.h"

#include "balance/divisor.h"
#include "balance/order.h"
#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

enum {
	CYCLE_MAX = 1 << 20,
	INDEX_BITS = 20,    /* of a heap key: the server's index */
	DEADLINE_BITS = 43, /* before it: the part of the cycle until the deadline, exact enough to tell all apart */
	SKIPS_MAX = 64,     /* servers passed over in the cycle, before all are looked through */
	STEP_NONE = UINT32_MAX,
};

struct cycle {
	uint32_t length;
	uint32_t servers[]; /* indexes into the tier */
};

struct entrant {
	uint64_t weight;
	uint64_t chosen_count;
	uint32_t next_waiting; /* in the list of those that may be chosen from the same step on */
};

struct schedule {
	struct entrant *entrants;
	uint64_t *heap; /* keys of those that may be chosen now, earliest deadline first */
	uint32_t heap_count;
	uint32_t *waiting; /* by step: the first of those that may be chosen from it on */
	uint32_t length;
};

/* Puts the weights of the cycle into the entrants and returns their sum. */
static uint64_t weights_reduce(const struct balance_tier *tier, struct entrant *entrants)
{
	uint64_t divisor = 0;
	uint64_t sum = 0;
	uint64_t length = 0;
	for (uint32_t i = 0; i < tier->count; i++) {
		divisor = divisor_common(divisor, tier->weights[i]);
		sum += tier->weights[i];
	}
	sum /= divisor;
	for (uint32_t i = 0; i < tier->count; i++) {
		uint64_t weight = tier->weights[i] / divisor;
		if (sum > CYCLE_MAX)
			weight = weight * CYCLE_MAX / sum;
		entrants[i].weight = weight > 0 ? weight : 1;
		length += entrants[i].weight;
	}
	return length;
}

/*
 * Deadline and index in one number. Two deadlines differ by at least 1 / (w1 * w2), which is more than 2^-41, and equal
 * ones are cut off alike, so the order of the numbers is that of the deadlines.
 */
static uint64_t heap_key(const struct schedule *schedule, uint32_t index)
{
	const struct entrant *entrant = &schedule->entrants[index];
	uint64_t deadline = ((entrant->chosen_count + 1) << DEADLINE_BITS) / entrant->weight;
	return deadline << INDEX_BITS | index;
}

static void heap_push(struct schedule *schedule, uint64_t key)
{
	uint64_t *heap = schedule->heap;
	uint32_t place = schedule->heap_count++;
	while (place > 0 && key < heap[(place - 1) / 2]) {
		heap[place] = heap[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	heap[place] = key;
}

static uint32_t heap_pop(struct schedule *schedule)
{
	uint64_t *heap = schedule->heap;
	uint64_t first = heap[0];
	uint64_t last = heap[--schedule->heap_count];
	uint32_t place = 0;
	for (uint32_t child = 1; child < schedule->heap_count; child = 2 * place + 1) {
		if (child + 1 < schedule->heap_count)
			child += heap[child + 1] < heap[child];
		if (heap[child] >= last)
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = last;
	return (uint32_t)(first & ((1 << INDEX_BITS) - 1));
}

/* Notes that the entrant may be chosen again: from the step its weight gives it, but after this one. */
static void schedule_wait(struct schedule *schedule, uint32_t index, uint32_t step)
{
	struct entrant *entrant = &schedule->entrants[index];
	if (++entrant->chosen_count == entrant->weight)
		return;
	uint64_t from = (entrant->chosen_count * schedule->length + entrant->weight - 1) / entrant->weight;
	if (from <= step)
		from = step + 1;
	CHECK(from < schedule->length);
	entrant->next_waiting = schedule->waiting[from];
	schedule->waiting[from] = index;
}

static void schedule_admit(struct schedule *schedule, uint32_t step)
{
	for (uint32_t i = schedule->waiting[step]; i != STEP_NONE; i = schedule->entrants[i].next_waiting)
		heap_push(schedule, heap_key(schedule, i));
}

static void cycle_fill(struct cycle *cycle, struct schedule *schedule, uint32_t entrant_count)
{
	for (uint32_t i = 0; i < entrant_count; i++)
		heap_push(schedule, heap_key(schedule, i));
	for (uint32_t step = 0; step < cycle->length; step++) {
		schedule_admit(schedule, step);
		CHECK(schedule->heap_count > 0);
		cycle->servers[step] = heap_pop(schedule);
		schedule_wait(schedule, cycle->servers[step], step);
	}
}

static void *round_robin_build(const struct balance_tier *tier)
{
	struct schedule schedule = { 0 };
	CHECK(tier->count < 1 << INDEX_BITS);
	schedule.entrants = memory_alloc_zeroed(tier->count, sizeof(*schedule.entrants));
	schedule.heap = memory_alloc_zeroed(tier->count, sizeof(*schedule.heap));
	schedule.length = (uint32_t)weights_reduce(tier, schedule.entrants);
	schedule.waiting = memory_alloc_zeroed(schedule.length, sizeof(*schedule.waiting));
	memset(schedule.waiting, 0xff, schedule.length * sizeof(*schedule.waiting));
	struct cycle *cycle = memory_alloc(sizeof(*cycle) + schedule.length * sizeof(cycle->servers[0]));
	cycle->length = schedule.length;
	cycle_fill(cycle, &schedule, tier->count);
	free(schedule.waiting);
	free(schedule.heap);
	free(schedule.entrants);
	return cycle;
}

/*
 * A server that cannot be entered is passed over by taking the next step of the shared cycle, not by looking ahead: so
 * its share goes to all the others in turn and not to the one that happens to follow it.
 */
static struct server *round_robin_enter(struct pool *pool, const struct balance_tier *tier,
					const struct balance_request *request)
{
	const struct cycle *cycle = tier->table;
	uint32_t skips_max = cycle->length < SKIPS_MAX ? cycle->length : SKIPS_MAX;
	uint32_t index = 0;
	for (uint32_t skips = 0; skips < skips_max; skips++) {
		uint64_t step = atomic_fetch_add_explicit(&pool->cursor, 1, memory_order_relaxed);
		index = cycle->servers[step % cycle->length];
		if (balance_try(tier->servers[index], request))
			return tier->servers[index];
	}
	return balance_scan(tier, request, index);
}

static void round_robin_write(const struct balance_tier *tier, uint32_t turn, struct balance_order *ret_order)
{
	const struct cycle *cycle = tier->table;
	(void)turn;
	balance_order_init(ret_order, BALANCE_NEXT, cycle->length);
	for (uint32_t i = 0; i < cycle->length; i++)
		ret_order->entries[i] = cycle->servers[i];
}

const struct balancer round_robin_balancer = { round_robin_build, free, round_robin_enter, round_robin_write };
