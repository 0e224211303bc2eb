/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include "base/aligned.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "event/loop.h"
#include "event/mailbox.h"
#include "event/timer_wheel.h"
#include "relay/bare_flow.h"
#include "relay/relay.h"
#include "relay/tcp_connection.h"
#include "relay/tcp_listener.h"
#include "relay/tcp_queue.h"
#include "relay/tcp_throttle.h"
#include "relay/udp_listener.h"
#include "relay/udp_reply.h"
#include "relay/udp_session.h"
#include "relay/udp_throttle.h"
#include "worker/flow_progress.h"
#include "worker/flow_sweep.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

enum {
	TIMERS_PER_TURN = 256,
	WAIT_MS_MAX = 60 * 1000,
	VISIT_SECONDS = 2, /* how long control waits for a slice */
};

/* From control. */
enum worker_order {
	ORDER_ADD_LISTENER = 1, /* subject: the struct worker_listener, which the worker takes over */
	ORDER_ASSIGN_LISTENER,  /* number: id; subject: the service */
	ORDER_REMOVE_LISTENER,  /* number: id */
	ORDER_DRAIN,
	ORDER_ADOPT,     /* subject: the struct adopted_flows, which the worker frees */
	ORDER_BEGIN_NAT, /* subject: the struct nat_directory */
	ORDER_CLOSE_LOST,
	ORDER_VISIT, /* subject: the struct flow_visit, held for the worker */
	ORDER_REVIEW_QUEUE,
	ORDER_STOP,
};

struct worker_listener {
	struct list link;              /* in worker->listeners */
	struct loop_deferred deferred; /* frees it at the end of the turn */
	struct worker_socket socket;
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
	struct list listeners;
	uint64_t orders_given; /* control's own */
	_Atomic uint64_t orders_done;
	struct worker_load load;
	struct flow_progress progress;
	struct flow_sweep sweep;
	bool has_reported_drained;
	bool wants_ring; /* what the setting was when it was looked at last */
	bool is_stopping;
	bool is_running;
	pthread_t thread;
};

/* --- the thread -------------------------------------------------------------------------------------------------- */

static bool has_flows(const struct worker *worker)
{
	const struct relay *relay = &worker->relay;
	uint64_t count = counter_read(&relay->connections_active) + counter_read(&relay->sessions_active);
	for (int path = 0; path < FLOW_PATH_COUNT; path++)
		count += counter_read(&relay->bare_active[path]);
	return count > 0;
}

static void report_drained(struct worker *worker)
{
	if (!worker->relay.is_draining || worker->has_reported_drained || has_flows(worker))
		return;
	worker->has_reported_drained =
		mailbox_post(worker->relay.settings->to_control,
			     (struct message){ .kind = RELAY_REPORT_DRAINED, .number = worker->relay.worker_index });
}

static void report_ring(struct worker *worker, int error)
{
	mailbox_post(worker->relay.settings->to_control,
		     (struct message){ .kind = RELAY_REPORT_RING_REFUSED, .number = (uint32_t)-error });
}

/* The setting may change between turns; batches are empty then. */
static void choose_ring(struct worker *worker)
{
	bool wants_ring = relay_settings_want_ring(worker->relay.settings);
	if (wants_ring == worker->wants_ring)
		return;
	worker->wants_ring = wants_ring;
	if (!wants_ring) {
		call_batch_close(&worker->relay.calls);
		return;
	}
	int result = call_batch_open(&worker->relay.calls);
	if (result < 0)
		report_ring(worker, result);
}

/* One turn: wait, events, timers, what was left over, the end of the turn. Quiescent for RCU while waiting. */
static void turn(struct worker *worker, bool is_busy)
{
	bool is_rushed = is_busy || worker->relay.queue.is_due;
	int wait_ms = is_rushed ? 0 : timer_wheel_wait_ms(&worker->wheel, worker->loop.now_ms, WAIT_MS_MAX);
	rcu_thread_offline();
	loop_wait(&worker->loop, wait_ms);
	rcu_thread_online();
	choose_ring(worker);
	loop_dispatch(&worker->loop);
	tcp_batch_run(&worker->relay);
	udp_reply_receive_all(&worker->relay);
	loop_dispatch_late(&worker->loop);
}

static void measure_turn(struct worker *worker)
{
	uint64_t busy_ns = clock_monotonic_ns() - worker->loop.now_ns;
	counter_add(&worker->load.busy_ns, busy_ns);
	histogram_observe(&worker->load.turn, &histogram_turn_scale, busy_ns / CLOCK_NS_PER_US);
}

static void run(struct worker *worker)
{
	bool is_busy = false;
	while (!worker->is_stopping) {
		turn(worker, is_busy);
		is_busy = timer_wheel_advance(&worker->wheel, worker->loop.now_ms, TIMERS_PER_TURN);
		is_busy |= relay_continue(&worker->relay);
		is_busy |= flow_sweep_continue(&worker->sweep, &worker->relay);
		loop_end_turn(&worker->loop);
		relay_wake_log(&worker->relay);
		report_drained(worker);
		measure_turn(worker);
	}
}

static void end_flow(const struct flow_met *flow)
{
	if (flow->connection != NULL && flow->connection->state != TCP_CLOSED)
		tcp_connection_close(flow->connection, REASON_SHUTDOWN);
	else if (flow->session != NULL && !flow->session->is_ended)
		udp_session_end(flow->session, REASON_SHUTDOWN);
	else if (flow->bare != NULL && !flow->bare->is_ended)
		bare_flow_end(flow->bare, REASON_SHUTDOWN);
}

static void end_all_flows(struct worker *worker)
{
	struct flow_walk walk = { 0 };
	nat_flows_stop(&worker->relay);
	struct flow_met flow;
	while (flow_walk_next(&walk, &worker->relay, &flow))
		end_flow(&flow);
	loop_end_turn(&worker->loop);
	relay_wake_log(&worker->relay);
}

static void *thread_main(void *argument)
{
	struct worker *worker = argument;
	char name[16];
	snprintf(name, sizeof(name), "worker-%u", worker->relay.worker_index % 1000);
	pthread_setname_np(pthread_self(), name);
	rcu_register_thread();
	flow_progress_start(&worker->progress, &worker->relay);
	run(worker);
	flow_progress_stop(&worker->progress);
	end_all_flows(worker);
	call_batch_close(&worker->relay.calls);
	rcu_unregister_thread();
	return NULL;
}

/* --- orders ------------------------------------------------------------------------------------------------------ */

static struct worker_listener *first_listener(const struct worker *worker)
{
	return LIST_OWNER(worker->listeners.next, struct worker_listener, link);
}

static struct worker_listener *next_listener(const struct worker_listener *listener)
{
	return LIST_OWNER(listener->link.next, struct worker_listener, link);
}

static bool is_end(const struct worker *worker, const struct worker_listener *listener)
{
	return &listener->link == &worker->listeners;
}

static void add_listener(struct worker *worker, struct worker_listener *listener)
{
	const struct worker_socket *socket = &listener->socket;
	struct relay *relay = &worker->relay;
	int result = socket->protocol == FLOW_TCP
			     ? tcp_listener_open(&listener->tcp, relay, socket->service, socket->fd)
			     : udp_listener_open(&listener->udp, relay, socket->service, socket->fd);
	CHECK(result == 0); /* epoll takes any socket; only a system without memory says no */
	list_add_last(&worker->listeners, &listener->link);
}

static void assign_listeners(struct worker *worker, uint32_t id, struct service *service)
{
	for (struct worker_listener *l = first_listener(worker); !is_end(worker, l); l = next_listener(l)) {
		if (l->socket.id != id)
			continue;
		l->socket.service = service;
		if (l->socket.protocol == FLOW_TCP)
			l->tcp.service = service;
		else
			l->udp.service = service;
	}
}

static void free_deferred_listener(struct loop_deferred *deferred)
{
	free(LIST_OWNER(deferred, struct worker_listener, deferred));
}

static void end_sessions_of(struct worker *worker, const struct udp_listener *listener)
{
	struct udp_session *session;
	for (uint32_t i = 0; (session = slab_next(&worker->relay.sessions, &i)) != NULL; i++)
		if (!session->is_ended && session->listener == listener)
			udp_session_end(session, REASON_DRAINED);
}

static void remove_listener(struct worker *worker, struct worker_listener *listener)
{
	list_remove(&listener->link);
	if (listener->socket.protocol == FLOW_TCP) {
		tcp_listener_close(&listener->tcp);
	} else {
		udp_listener_finish(&listener->udp);
		end_sessions_of(worker, &listener->udp);
		udp_listener_close(&listener->udp);
	}
	loop_defer(&worker->loop, &listener->deferred, free_deferred_listener);
}

static void remove_listeners(struct worker *worker, uint32_t id)
{
	struct worker_listener *next;
	for (struct worker_listener *l = first_listener(worker); !is_end(worker, l); l = next) {
		next = next_listener(l);
		if (l->socket.id == id)
			remove_listener(worker, l);
	}
}

static void close_tcp_listeners(struct worker *worker)
{
	for (struct worker_listener *l = first_listener(worker); !is_end(worker, l); l = next_listener(l))
		if (l->socket.protocol == FLOW_TCP)
			tcp_listener_close(&l->tcp);
}

static void visit(struct worker *worker, struct flow_visit *visit)
{
	flow_visit_continue(visit, &worker->relay);
	atomic_store(&visit->is_sliced, true);
	sem_post(&visit->done);
	flow_visit_release(visit);
}

static void adopt(struct worker *worker, struct adopted_flows *flows)
{
	for (size_t i = 0; i < flows->count; i++)
		adopted_flow_take(&worker->relay, flows->table, &flows->all[i]);
	free(flows);
}

static void carry_out(struct worker *worker, const struct message *message)
{
	switch ((enum worker_order)message->kind) {
	case ORDER_ADD_LISTENER:
		add_listener(worker, message->subject);
		break;
	case ORDER_ASSIGN_LISTENER:
		assign_listeners(worker, message->number, message->subject);
		break;
	case ORDER_REMOVE_LISTENER:
		remove_listeners(worker, message->number);
		break;
	case ORDER_DRAIN:
		close_tcp_listeners(worker);
		worker->relay.is_draining = true;
		break;
	case ORDER_ADOPT:
		adopt(worker, message->subject);
		break;
	case ORDER_BEGIN_NAT:
		nat_flows_start(&worker->relay, message->subject);
		break;
	case ORDER_CLOSE_LOST:
		flow_sweep_begin(&worker->sweep);
		break;
	case ORDER_VISIT:
		visit(worker, message->subject);
		break;
	case ORDER_REVIEW_QUEUE:
		tcp_queue_review(&worker->relay);
		break;
	case ORDER_STOP:
		worker->is_stopping = true;
		break;
	}
}

static void on_order(struct mailbox *mailbox, const struct message *message)
{
	struct worker *worker = LIST_OWNER(mailbox, struct worker, orders);
	carry_out(worker, message);
	atomic_fetch_add(&worker->orders_done, 1);
}

/* --- control's side ---------------------------------------------------------------------------------------------- */

struct worker_sizes worker_sizes(void)
{
	return (struct worker_sizes){
		.connection_bytes = sizeof(struct tcp_connection),
		.session_bytes = sizeof(struct udp_session),
		.connection_throttle_bytes = sizeof(struct tcp_throttle),
		.session_throttle_bytes = sizeof(struct udp_throttle),
		.tail_bytes = sizeof(struct tcp_tail),
	};
}

int worker_new(const struct relay_settings *settings, uint32_t index, struct worker **ret_worker)
{
	struct worker *worker = aligned_alloc_zeroed(alignof(struct worker), sizeof(*worker));
	list_init(&worker->listeners);
	int result = loop_init(&worker->loop);
	if (result < 0)
		goto undo_loop;
	result = mailbox_open(&worker->orders, &worker->loop, on_order);
	if (result < 0)
		goto undo_loop;
	timer_wheel_init(&worker->wheel, worker->loop.now_ms);
	relay_init(&worker->relay, settings, index, &worker->loop, &worker->wheel);
	result = tcp_queue_open(&worker->relay);
	if (result < 0)
		goto undo_relay;
	*ret_worker = worker;
	return 0;
undo_relay:
	relay_done(&worker->relay);
	mailbox_close(&worker->orders);
undo_loop:
	loop_done(&worker->loop);
	free(worker);
	return result;
}

int worker_start(struct worker *worker)
{
	int error = pthread_create(&worker->thread, NULL, thread_main, worker);
	worker->is_running = error == 0;
	return -error;
}

/* Orders are never lost: when the worker is far behind, control waits for it. */
static void give_order(struct worker *worker, struct message message)
{
	enum { RETRY_US = 1000 };
	while (!mailbox_post(&worker->orders, message))
		usleep(RETRY_US);
	worker->orders_given++;
}

void worker_add_listener(struct worker *worker, const struct worker_socket *socket)
{
	struct worker_listener *listener = memory_alloc_zeroed(1, sizeof(*listener));
	listener->socket = *socket;
	give_order(worker, (struct message){ .kind = ORDER_ADD_LISTENER, .subject = listener });
}

void worker_assign_listener(struct worker *worker, uint32_t id, struct service *service)
{
	give_order(worker, (struct message){ .kind = ORDER_ASSIGN_LISTENER, .number = id, .subject = service });
}

void worker_remove_listener(struct worker *worker, uint32_t id)
{
	give_order(worker, (struct message){ .kind = ORDER_REMOVE_LISTENER, .number = id });
}

uint64_t worker_orders_given(const struct worker *worker)
{
	return worker->orders_given;
}

uint64_t worker_orders_done(const struct worker *worker)
{
	return atomic_load(&worker->orders_done);
}

void worker_drain(struct worker *worker)
{
	give_order(worker, (struct message){ .kind = ORDER_DRAIN });
}

void worker_adopt(struct worker *worker, struct adopted_flows *flows)
{
	give_order(worker, (struct message){ .kind = ORDER_ADOPT, .subject = flows });
}

void worker_begin_nat(struct worker *worker, const struct nat_directory *directory)
{
	give_order(worker, (struct message){ .kind = ORDER_BEGIN_NAT, .subject = (void *)directory });
}

void worker_close_lost(struct worker *worker)
{
	give_order(worker, (struct message){ .kind = ORDER_CLOSE_LOST });
}

bool worker_visit_slice(struct worker *worker, struct flow_visit *visit)
{
	struct timespec deadline;
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += VISIT_SECONDS;
	atomic_store(&visit->is_sliced, false);
	flow_visit_acquire(visit);
	give_order(worker, (struct message){ .kind = ORDER_VISIT, .subject = visit });
	while (sem_clockwait(&visit->done, CLOCK_MONOTONIC, &deadline) < 0 && errno == EINTR)
		continue;
	return atomic_load(&visit->is_sliced);
}

void worker_review_queue(struct worker *worker)
{
	give_order(worker, (struct message){ .kind = ORDER_REVIEW_QUEUE });
}

void worker_stop(struct worker *worker)
{
	if (!worker->is_running)
		return;
	give_order(worker, (struct message){ .kind = ORDER_STOP });
	pthread_join(worker->thread, NULL);
	worker->is_running = false;
}

static void free_listener(struct worker_listener *listener)
{
	if (listener->socket.protocol == FLOW_TCP)
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
	/* A worker that was never started has its orders still before it. */
	loop_wait(&doomed->loop, 0);
	loop_dispatch(&doomed->loop);
	loop_end_turn(&doomed->loop);
	for (struct list *link; (link = list_take_first(&doomed->listeners)) != NULL;)
		free_listener(LIST_OWNER(link, struct worker_listener, link));
	tcp_queue_close(&doomed->relay);
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

const struct worker_load *worker_load(const struct worker *worker)
{
	return &worker->load;
}

struct ring *worker_observations(struct worker *worker)
{
	return &worker->relay.observations;
}

void worker_read_usage(const struct worker *worker, struct worker_usage *ret_usage)
{
	const struct relay *relay = &worker->relay;
	uint64_t connections = counter_read(&relay->connections_active);
	uint64_t sessions = counter_read(&relay->sessions_active);
	*ret_usage = (struct worker_usage){
		.connections = connections,
		.sessions = sessions,
		.kernel_flows = counter_read(&relay->kernel_flows.active),
		.bare_flows = { counter_read(&relay->bare_active[FLOW_PATH_RELAY]),
				counter_read(&relay->bare_active[FLOW_PATH_OFFLOAD]),
				counter_read(&relay->bare_active[FLOW_PATH_NAT]) },
		.kernel_bytes = counter_read(&relay->kernel_flows.bytes),
		.nat_bytes = counter_read(&relay->nat_bytes),
		.connection_bytes = connections * relay->connections.object_bytes +
				    counter_read(&relay->tcp_throttles_active) * relay->tcp_throttles.object_bytes,
		.session_bytes = sessions * (relay->sessions.object_bytes + sizeof(uint32_t)) +
				 counter_read(&relay->udp_throttles_active) * relay->udp_throttles.object_bytes,
		.tail_bytes = counter_read(&relay->tails_active) * sizeof(struct tcp_tail) +
			      counter_read(&relay->piped_bytes) + counter_read(&relay->chunks.taken_bytes),
		.observations_dropped = counter_read(&relay->observations_dropped),
		.records_dropped = atomic_load_explicit(&relay->records.dropped, memory_order_relaxed),
	};
	for (int outcome = 0; outcome < TCP_OFFLOAD_OUTCOME_COUNT; outcome++)
		ret_usage->offload_outcomes[outcome] = counter_read(&relay->offload_outcomes[outcome]);
}

struct worker_usage workers_sum_usage(struct worker *const *workers, uint32_t count)
{
	struct worker_usage sum = { 0 };
	for (uint32_t i = 0; i < count; i++) {
		struct worker_usage usage;
		worker_read_usage(workers[i], &usage);
		sum.connections += usage.connections;
		sum.sessions += usage.sessions;
		sum.kernel_flows += usage.kernel_flows;
		for (int path = 0; path < FLOW_PATH_COUNT; path++)
			sum.bare_flows[path] += usage.bare_flows[path];
		sum.kernel_bytes += usage.kernel_bytes;
		sum.nat_bytes += usage.nat_bytes;
		for (int outcome = 0; outcome < TCP_OFFLOAD_OUTCOME_COUNT; outcome++)
			sum.offload_outcomes[outcome] += usage.offload_outcomes[outcome];
		sum.connection_bytes += usage.connection_bytes;
		sum.session_bytes += usage.session_bytes;
		sum.tail_bytes += usage.tail_bytes;
		sum.observations_dropped += usage.observations_dropped;
		sum.records_dropped += usage.records_dropped;
	}
	return sum;
}
