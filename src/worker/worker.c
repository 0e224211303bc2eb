/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include "base/aligned.h"
#include "base/fd.h"
#include "base/memory.h"
#include "event/loop.h"
#include "event/mailbox.h"
#include "event/timer_wheel.h"
#include "relay/relay.h"
#include "relay/tcp_connection.h"
#include "relay/tcp_listener.h"
#include "relay/udp_listener.h"
#include "relay/udp_session.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

enum {
	TIMERS_PER_TURN = 256,
	SWEPT_PER_TURN = 512, /* connections looked at when servers have gone down */
	WAIT_MS_MAX = 60 * 1000,
};

/* From control. */
enum worker_order { ORDER_DRAIN = 1, ORDER_CLOSE_LOST, ORDER_STOP };

struct worker_listener {
	struct worker_listener *next;
	enum flow_protocol protocol;
	union {
		struct tcp_listener tcp;
		struct udp_listener udp;
	};
};

struct worker {
	struct relay relay;
	struct loop loop;
	struct timer_wheel wheel;
	struct mailbox orders;
	struct worker_listener *listeners;
	uint32_t sweep_index; /* the next connection to look at; SLAB_NONE: no sweep under way */
	bool has_reported_drained;
	bool is_stopping;
	bool is_running;
	pthread_t thread;
};

/* --- the thread -------------------------------------------------------------------------------------------------- */

static bool is_lost(const struct tcp_connection *connection)
{
	if (connection->state == TCP_CLOSED || connection->target == NULL)
		return false;
	uint32_t state = atomic_load_explicit(&connection->target->state, memory_order_relaxed);
	return (state & SERVER_DOWN) != 0 && pool_policy(connection->pool)->closes_tcp_on_down;
}

/* A slice of the sweep, so that closing thousands of connections stalls nobody. */
static void sweep(struct worker *worker)
{
	for (int i = 0; i < SWEPT_PER_TURN && worker->sweep_index != SLAB_NONE; i++) {
		struct tcp_connection *connection = slab_next(&worker->relay.connections, &worker->sweep_index);
		if (connection == NULL) {
			worker->sweep_index = SLAB_NONE;
			return;
		}
		worker->sweep_index++;
		if (is_lost(connection))
			tcp_connection_abort(connection, REASON_SERVER_DOWN);
	}
}

static bool has_flows(const struct worker *worker)
{
	return counter_read(&worker->relay.connections_active) + counter_read(&worker->relay.sessions_active) > 0;
}

static void report_drained(struct worker *worker)
{
	if (!worker->relay.is_draining || worker->has_reported_drained || has_flows(worker))
		return;
	worker->has_reported_drained =
		mailbox_post(worker->relay.settings->to_control,
			     (struct message){ .kind = RELAY_REPORT_DRAINED, .number = worker->relay.worker_index });
}

/* One turn: wait, events, timers, what was left over, the end of the turn. Quiescent for RCU while waiting. */
static void turn(struct worker *worker, bool is_busy)
{
	int wait_ms = is_busy ? 0 : timer_wheel_wait_ms(&worker->wheel, worker->loop.now_ms, WAIT_MS_MAX);
	rcu_thread_offline();
	loop_wait(&worker->loop, wait_ms);
	rcu_thread_online();
	loop_dispatch(&worker->loop);
}

static void run(struct worker *worker)
{
	bool is_busy = false;
	while (!worker->is_stopping) {
		turn(worker, is_busy);
		is_busy = timer_wheel_advance(&worker->wheel, worker->loop.now_ms, TIMERS_PER_TURN);
		is_busy |= relay_continue(&worker->relay);
		if (worker->sweep_index != SLAB_NONE)
			sweep(worker);
		is_busy |= worker->sweep_index != SLAB_NONE;
		loop_end_turn(&worker->loop);
		relay_wake_log(&worker->relay);
		report_drained(worker);
	}
}

static void end_all_flows(struct worker *worker)
{
	struct relay *relay = &worker->relay;
	struct tcp_connection *connection;
	struct udp_session *session;
	for (uint32_t i = 0; (connection = slab_next(&relay->connections, &i)) != NULL; i++)
		if (connection->state != TCP_CLOSED)
			tcp_connection_close(connection, REASON_SHUTDOWN);
	for (uint32_t i = 0; (session = slab_next(&relay->sessions, &i)) != NULL; i++)
		if (!session->is_ended)
			udp_session_end(session, REASON_SHUTDOWN);
	loop_end_turn(&worker->loop);
	relay_wake_log(relay);
}

static void *thread_main(void *argument)
{
	struct worker *worker = argument;
	char name[16];
	snprintf(name, sizeof(name), "worker-%u", worker->relay.worker_index % 1000);
	pthread_setname_np(pthread_self(), name);
	rcu_register_thread();
	run(worker);
	end_all_flows(worker);
	rcu_unregister_thread();
	return NULL;
}

static void close_tcp_listeners(struct worker *worker)
{
	for (struct worker_listener *listener = worker->listeners; listener != NULL; listener = listener->next)
		if (listener->protocol == FLOW_TCP)
			tcp_listener_close(&listener->tcp);
}

static void on_order(struct mailbox *mailbox, const struct message *message)
{
	struct worker *worker = LIST_OWNER(mailbox, struct worker, orders);
	switch ((enum worker_order)message->kind) {
	case ORDER_DRAIN:
		close_tcp_listeners(worker);
		worker->relay.is_draining = true;
		break;
	case ORDER_CLOSE_LOST:
		worker->sweep_index = 0;
		break;
	case ORDER_STOP:
		worker->is_stopping = true;
		break;
	}
}

/* --- control's side ---------------------------------------------------------------------------------------------- */

struct worker_sizes worker_sizes(void)
{
	return (struct worker_sizes){
		.connection_bytes = sizeof(struct tcp_connection),
		.session_bytes = sizeof(struct udp_session),
		.tail_bytes = sizeof(struct tcp_tail),
	};
}

int worker_new(const struct relay_settings *settings, uint32_t index, struct worker **ret_worker)
{
	struct worker *worker = aligned_alloc_zeroed(alignof(struct worker), sizeof(*worker));
	worker->sweep_index = SLAB_NONE;
	int result = loop_init(&worker->loop);
	if (result == 0)
		result = mailbox_open(&worker->orders, &worker->loop, on_order);
	if (result < 0) {
		loop_done(&worker->loop);
		free(worker);
		return result;
	}
	timer_wheel_init(&worker->wheel, worker->loop.now_ms);
	relay_init(&worker->relay, settings, index, &worker->loop, &worker->wheel);
	*ret_worker = worker;
	return 0;
}

int worker_add_listener(struct worker *worker, struct service *service, enum flow_protocol protocol, int fd)
{
	struct worker_listener *listener = memory_alloc_zeroed(1, sizeof(*listener));
	listener->protocol = protocol;
	int result = protocol == FLOW_TCP ? tcp_listener_open(&listener->tcp, &worker->relay, service, fd)
					  : udp_listener_open(&listener->udp, &worker->relay, service, fd);
	if (result < 0) {
		free(listener);
		return result;
	}
	listener->next = worker->listeners;
	worker->listeners = listener;
	return 0;
}

int worker_start(struct worker *worker)
{
	int error = pthread_create(&worker->thread, NULL, thread_main, worker);
	worker->is_running = error == 0;
	return -error;
}

static void give_order(struct worker *worker, enum worker_order order)
{
	mailbox_post(&worker->orders, (struct message){ .kind = order });
}

void worker_drain(struct worker *worker)
{
	give_order(worker, ORDER_DRAIN);
}

void worker_close_lost(struct worker *worker)
{
	give_order(worker, ORDER_CLOSE_LOST);
}

void worker_stop(struct worker *worker)
{
	if (!worker->is_running)
		return;
	give_order(worker, ORDER_STOP);
	pthread_join(worker->thread, NULL);
	worker->is_running = false;
}

static void free_listener(struct worker_listener *listener)
{
	if (listener->protocol == FLOW_TCP)
		fd_close(&listener->tcp.source.fd);
	else
		udp_listener_close(&listener->udp);
	free(listener);
}

void worker_free(struct worker **worker)
{
	struct worker *doomed = *worker;
	if (doomed == NULL)
		return;
	for (struct worker_listener *listener = doomed->listeners, *next; listener != NULL; listener = next) {
		next = listener->next;
		free_listener(listener);
	}
	relay_done(&doomed->relay);
	mailbox_close(&doomed->orders);
	loop_done(&doomed->loop);
	free(doomed);
	*worker = NULL;
}

struct ring *worker_records(struct worker *worker)
{
	return &worker->relay.records;
}

void worker_read_usage(const struct worker *worker, struct worker_usage *ret_usage)
{
	const struct relay *relay = &worker->relay;
	uint64_t connections = counter_read(&relay->connections_active);
	uint64_t sessions = counter_read(&relay->sessions_active);
	*ret_usage = (struct worker_usage){
		.connections = connections,
		.sessions = sessions,
		.connection_bytes = connections * relay->connections.object_bytes,
		.session_bytes = sessions * (relay->sessions.object_bytes + sizeof(uint32_t)),
		.tail_bytes = counter_read(&relay->tails_active) * sizeof(struct tcp_tail),
		.records_dropped = atomic_load_explicit(&relay->records.dropped, memory_order_relaxed),
	};
}
