/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread with its own loop, timer wheel, listeners, flows and counters. Workers share nothing but the
 * published objects of pool/ (read through userspace RCU, quiescent while they wait) and a few atomics.
 *
 * All functions here are control's; they return at once, and what they ask for happens in the worker's next turn,
 * except where a comment says otherwise. A worker tells control things through settings->to_control.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/ring.h"
#include "pool/service.h"
#include "relay/adopted_flow.h"
#include "relay/own_flows.h"
#include "relay/relay_settings.h"
#include "relay/tcp_offload_outcome.h"
#include "relay/tcp_pipes.h"
#include "worker/flow_visit.h"

#include <stdint.h>

struct worker;
struct nat_directory;

/* How busy its thread is; written by it only. */
struct worker_load {
	counter busy_ns;       /* in turns, waiting for events left out */
	struct histogram turn; /* how long turns took: an event that came meanwhile waited at most so long;
	                        * histogram_turn_scale */
};

/* What it holds at the moment. */
struct worker_usage {
	uint64_t connections;
	uint64_t sessions;
	uint64_t kernel_flows;                /* that the kernel carries: those of them, and bare ones */
	uint64_t bare_flows[FLOW_PATH_COUNT]; /* flows that live in the kernel only, by their path */
	uint64_t kernel_bytes;                /* that it has carried */
	uint64_t nat_bytes;                   /* those of them that are of flows which began there */
	uint64_t offload_outcomes[TCP_OFFLOAD_OUTCOME_COUNT];
	uint64_t connection_bytes; /* user memory of the connections and sessions that there are */
	uint64_t session_bytes;
	uint64_t tail_bytes;           /* what a slow side has not taken, and datagrams that wait for their bandwidth */
	uint64_t observations_dropped; /* for the trends, which control was too slow for */
	uint64_t records_dropped;      /* flow records that the log writer was too slow for */
};

/*
 * What a worker has open before any listener and flow: epoll, mailbox, bell and io_uring, a socket that asks for routes,
 * and a pipe for streams.
 */
enum { WORKER_DESCRIPTORS = 6 + TCP_PIPES_DESCRIPTORS };

/* User memory that one flow of each kind takes, and one buffer for bytes that a slow side has not taken. */
struct worker_sizes {
	uint64_t connection_bytes;
	uint64_t session_bytes;
	uint64_t connection_throttle_bytes; /* besides, where bandwidth is limited */
	uint64_t session_throttle_bytes;
	uint64_t tail_bytes;
};
struct worker_sizes worker_sizes(void);

/* settings stay the caller's until worker_free. Returns 0 or -errno. */
int worker_new(const struct relay_settings *settings, uint32_t index, struct worker **ret_worker);

/* A listening socket for the worker, which owns fd from then on. id is control's name for it; several may share one. */
struct worker_socket {
	uint32_t id;
	enum flow_protocol protocol;
	struct service *service;
	int fd;
};
void worker_add_listener(struct worker *worker, const struct worker_socket *socket);

/* The listeners of that id belong to another service from now on; flows that have begun stay where they are. */
void worker_assign_listener(struct worker *worker, uint32_t id, struct service *service);

/*
 * Closes the listeners of that id: TCP clients in the accept queue still come in; a UDP listener's sessions end, after
 * what has arrived has been passed on.
 */
void worker_remove_listener(struct worker *worker, uint32_t id);

/*
 * Waits until the worker has done a slice of the visit, which the caller holds. Returns false when it did not within
 * 2 s: then the visit is to be released and no more to be read.
 */
bool worker_visit_slice(struct worker *worker, struct flow_visit *visit);

/* How many orders (the functions here that return void) were given, and how many of them are done. Any thread. */
uint64_t worker_orders_given(const struct worker *worker);
uint64_t worker_orders_done(const struct worker *worker);

/* Starts the thread. Returns 0 or -errno. */
int worker_start(struct worker *worker);

/*
 * Stop accepting (what is in the accept queues still comes in) and begin no new session; RELAY_REPORT_DRAINED follows
 * when no flow is left.
 */
void worker_drain(struct worker *worker);

/*
 * Flows of the kernel that were there before this process are the worker's from now on (relay/adopted_flow.h). The list is
 * taken over, and freed with free().
 */
struct adopted_flows {
	struct flow_table *table;
	size_t count;
	struct adopted_flow all[];
};
void worker_adopt(struct worker *worker, struct adopted_flows *flows);

/* Takes over what happens with flows that begin in the kernel (relay/nat_flows.h), until it ends. One worker only. */
void worker_begin_nat(struct worker *worker, const struct nat_directory *directory);

/* Servers have gone down or away, or clients were blocked: close the flows that this concerns (flow_sweep.h). */
void worker_close_lost(struct worker *worker);

/* The configuration or a pool's view has changed: look after the connections that wait for a place at a server. */
void worker_review_queue(struct worker *worker);

/* Ends all flows that are left with reason shutdown and waits for the thread. */
void worker_stop(struct worker *worker);

/* A worker that has stopped, or was never started. Accepts NULL; clears the pointer. */
void worker_free(struct worker **worker);

/* Of struct flow_record messages; the log writer takes. */
struct ring *worker_records(struct worker *worker);

/* Lives as long as the worker. Any thread may read it. */
const struct worker_load *worker_load(const struct worker *worker);

/* Of struct flow_observation messages; control takes. */
struct ring *worker_observations(struct worker *worker);

/* Any thread. */
void worker_read_usage(const struct worker *worker, struct worker_usage *ret_usage);
/* Of all of them together; they are read one after the other. */
struct worker_usage workers_sum_usage(struct worker *const *workers, uint32_t count);

#endif
