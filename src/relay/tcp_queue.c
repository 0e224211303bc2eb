/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_queue.h"

#include "balance/balance.h"
#include "base/clock.h"
#include "relay/relay.h"
#include "relay/tcp_connection.h"

enum {
	SERVED_PER_LOOK = 64,   /* of one pool; the next turn goes on */
	LOOK_INTERVAL_MS = 100, /* when nobody has woken this worker */
};

/* --- lines ------------------------------------------------------------------------------------------------------- */

static struct pool_line *line_of(const struct relay *relay, struct pool *pool)
{
	return &pool->queue.lines[relay->worker_index];
}

static void on_net(struct timer *timer, uint64_t now_ms)
{
	struct relay *relay = LIST_OWNER(timer, struct relay, queue.net_timer);
	if (list_is_empty(&relay->queue.lines))
		return;
	relay->queue.is_due = true;
	timer_arm(relay->wheel, timer, now_ms + LOOK_INTERVAL_MS);
}

static void join_line(struct tcp_connection *connection)
{
	struct relay *relay = connection->relay;
	struct tcp_queue *queue = &relay->queue;
	struct pool_line *line = line_of(relay, connection->pool);
	pool_queue_join(&connection->pool->queue, relay->worker_index, &connection->wait);
	if (!list_is_linked(&line->link))
		list_add_last(&queue->lines, &line->link);
	if (!timer_is_armed(&queue->net_timer))
		timer_arm(relay->wheel, &queue->net_timer, relay->loop->now_ms + LOOK_INTERVAL_MS);
	/* A place may have become free before the others could know of this waiter. */
	queue->is_due = true;
}

static void leave_line(struct tcp_connection *connection)
{
	struct pool_line *line = line_of(connection->relay, connection->pool);
	pool_queue_leave(&connection->pool->queue, connection->relay->worker_index, &connection->wait);
	if (list_is_empty(&line->waiters))
		list_remove(&line->link);
}

/* Somebody may have woken this worker for the sake of a waiter that goes. */
static void leave_line_unserved(struct tcp_connection *connection)
{
	struct pool *pool = connection->pool;
	leave_line(connection);
	if (!pool_queue_is_empty(&pool->queue) && balance_has_room(pool))
		tcp_queue_wake(connection->relay, pool);
}

/* --- waking and serving ------------------------------------------------------------------------------------------ */

void tcp_queue_wake(struct relay *relay, struct pool *pool)
{
	uint32_t oldest = pool_queue_find_oldest(&pool->queue);
	if (oldest == relay->worker_index)
		relay->queue.is_due = true;
	else if (oldest != POOL_QUEUE_NOBODY)
		bell_ring(&relay->settings->relays[oldest]->queue.bell);
}

static void on_ring(struct bell *bell)
{
	struct relay *relay = LIST_OWNER(bell, struct relay, queue.bell);
	relay->queue.is_due = true;
}

static void serve(struct relay *relay, struct pool *pool)
{
	for (int i = 0; i < SERVED_PER_LOOK; i++) {
		uint32_t oldest = pool_queue_find_oldest(&pool->queue);
		if (oldest == POOL_QUEUE_NOBODY || !balance_has_room(pool))
			return;
		if (oldest != relay->worker_index)
			break;
		struct pool_waiter *first = pool_queue_first(&pool->queue, relay->worker_index);
		if (!tcp_connection_take_place(LIST_OWNER(first, struct tcp_connection, wait)))
			return;
	}
	tcp_queue_wake(relay, pool);
}

bool tcp_queue_continue(struct relay *relay)
{
	if (!relay->queue.is_due)
		return false;
	relay->queue.is_due = false;
	/* Serving a pool changes no line but its own. */
	for (struct list *link = relay->queue.lines.next, *next; link != &relay->queue.lines; link = next) {
		next = link->next;
		serve(relay, LIST_OWNER(link, struct pool_line, link)->pool);
	}
	return relay->queue.is_due;
}

/* --- time and a new configuration ----------------------------------------------------------------------------------------- */

static void arm_time_out(struct tcp_connection *connection, const struct service_policy *policy)
{
	uint64_t since_ms = connection->wait.since_ns / CLOCK_NS_PER_MS;
	timer_arm(connection->relay->wheel, &connection->timer, since_ms + policy->queue_ms);
}

static void review(struct tcp_connection *connection)
{
	const struct service_policy *policy = service_policy(connection->service);
	if (policy->pool != connection->pool) {
		leave_line_unserved(connection);
		connection->pool = policy->pool;
		join_line(connection);
	}
	if (policy->queue_ms == 0 || published_read(connection->pool->view) == NULL)
		tcp_connection_abort(connection, REASON_NO_SERVER);
	else
		arm_time_out(connection, policy);
}

static void review_line(struct pool_line *line)
{
	for (struct list *link = line->waiters.next, *next; link != &line->waiters; link = next) {
		next = link->next;
		struct pool_waiter *waiter = LIST_OWNER(link, struct pool_waiter, link);
		review(LIST_OWNER(waiter, struct tcp_connection, wait));
	}
}

void tcp_queue_review(struct relay *relay)
{
	/* A connection that moves to another line behind this one is looked at twice, which changes nothing. */
	for (struct list *link = relay->queue.lines.next, *next; link != &relay->queue.lines; link = next) {
		next = link->next;
		review_line(LIST_OWNER(link, struct pool_line, link));
	}
	relay->queue.is_due = true;
}

/* --- coming and going -------------------------------------------------------------------------------------------- */

bool tcp_queue_join(struct tcp_connection *connection)
{
	struct service *service = connection->service;
	const struct service_policy *policy = service_policy(service);
	if (!service_queue_enter(service, policy->queue_max))
		return false;
	counter_add(&service->counters[connection->relay->worker_index].queued, 1);
	connection->wait.since_ns = connection->relay->loop->now_ns;
	join_line(connection);
	arm_time_out(connection, policy);
	return true;
}

void tcp_queue_leave_served(struct tcp_connection *connection)
{
	leave_line(connection);
	service_queue_leave(connection->service);
}

void tcp_queue_leave_unserved(struct tcp_connection *connection)
{
	leave_line_unserved(connection);
	service_queue_leave(connection->service);
}

int tcp_queue_open(struct relay *relay)
{
	list_init(&relay->queue.lines);
	relay->queue.net_timer.on_expiry = on_net;
	relay->settings->relays[relay->worker_index] = relay;
	return bell_open(&relay->queue.bell, relay->loop, on_ring);
}

void tcp_queue_close(struct relay *relay)
{
	timer_disarm(relay->wheel, &relay->queue.net_timer);
	bell_close(&relay->queue.bell);
}
