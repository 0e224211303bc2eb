/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the relays of one worker share: its loop, timers, slabs and buffers. Filled by the worker, used by the TCP and
 * UDP relays, touched by that worker's thread only (except the counters named below, which control reads).
 *
 * After relay_init nothing here allocates: a full slab is a refusal with a reason.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/hash_table.h"
#include "base/random.h"
#include "base/ring.h"
#include "base/slab.h"
#include "event/loop.h"
#include "event/mailbox.h"
#include "event/timer_wheel.h"
#include "guard/flow_budget.h"
#include "net/datagram.h"
#include "pool/service.h"
#include "relay/datagram_queue.h"
#include "relay/kernel_flow.h"
#include "relay/nat_flows.h"
#include "relay/relay_settings.h"
#include "relay/tcp_batch.h"
#include "relay/tcp_offload_outcome.h"
#include "relay/tcp_pipes.h"
#include "relay/tcp_queue.h"
#include "relay/udp_request.h"
#include "stats/flow_record.h"

#include <stdbool.h>
#include <stdint.h>

struct relay {
	struct loop *loop;
	struct timer_wheel *wheel;
	const struct relay_settings *settings;
	uint32_t worker_index;
	bool is_draining; /* nothing new is begun */
	struct random random;
	uint64_t next_flow_id;

	/* Flow records for the log writer. */
	struct ring records;
	bool has_new_records;                      /* since the log writer was last woken */
	uint64_t limit_reported_ms[REASON_COUNT];  /* when control was last told that a limit refuses; 0: never */
	uint64_t spared_reported_ms[REASON_COUNT]; /* or would refuse */

	/* What is told to control for the trends, see flow_observe.h. */
	struct ring observations;

	struct call_batch calls; /* of TCP or of UDP, one after the other */

	/* TCP */
	uint8_t *scratch; /* TCP_SCRATCH_BYTES, what has just been read and is sent at once */
	struct slab connections;
	struct slab tails;
	uint32_t own_port_turn;     /* which of the own ports is next */
	uint64_t own_ports_rest_ms; /* until when none is asked for, because they are used up */
	struct tcp_pipes pipes;
	struct tcp_batch batch;
	struct slab attempts;
	struct slab joinings;      /* struct tcp_joining, of connections on their way into the kernel */
	struct slab greetings;     /* struct tcp_greeting */
	struct slab tcp_throttles; /* struct tcp_throttle, of connections with a limit of bandwidth */
	struct list unfinished;    /* connections that used up their share of the turn and go on in the next one */
	struct list starved;       /* connections that may not read because no more may be kept for slow sides */
	struct tcp_queue queue;    /* connections that wait for a place at a server */

	/* UDP */
	struct slab sessions;
	struct slab udp_throttles;     /* struct udp_throttle, of sessions with a limit of bandwidth */
	struct datagram_chunks chunks; /* what waits for its bandwidth */
	struct hash_table session_index;
	uint64_t session_hash_key;
	struct list unanswered;         /* sessions, the oldest first */
	struct datagram_batch requests; /* from clients */
	struct datagram_batch replies;  /* from servers, until they are sent at the end of the turn */
	struct udp_listener *reply_listeners[DATAGRAM_BATCH_MAX]; /* which carries which reply */
	struct loop_deferred reply_flush;
	struct kernel_flows kernel_flows;
	struct slab bare_flows;
	struct nat_flows nat_flows;
	struct udp_requests requests_out; /* to servers, until their batch is sent */
	uint32_t replying_count;
	struct udp_session *replying[LOOP_EVENTS_PER_TURN]; /* whose sockets have something */

	/* Read by control. */
	counter connections_active;
	counter sessions_active;
	counter tails_active;
	counter piped_bytes; /* held by pipes, as tails hold others */
	counter tcp_throttles_active;
	counter udp_throttles_active;
	counter bare_active[FLOW_PATH_COUNT]; /* flows that live in the kernel only, by the way they took there */
	counter nat_bytes;                    /* of flows that began in the kernel */
	counter offload_outcomes[TCP_OFFLOAD_OUTCOME_COUNT];
	counter observations_dropped;
};

/* Aborts when memory is short. settings stay the caller's. */
void relay_init(struct relay *relay, const struct relay_settings *settings, uint32_t worker_index, struct loop *loop,
		struct timer_wheel *wheel);
/* All flows have ended. */
void relay_done(struct relay *relay);

/*
 * Lets unfinished connections go on, and those come in that wait for a place. Call once a turn. Returns true when some
 * still are not done.
 */
bool relay_continue(struct relay *relay);

/* Takes so many of the descriptors that flows may have, all or none. */
bool relay_take_descriptors(struct relay *relay, uint64_t count);

/* May so much more be kept of what cannot be passed on yet? */
bool relay_may_keep(const struct relay *relay, uint64_t bytes);
/* The same, of datagrams that wait for their bandwidth. */
bool relay_may_hold(const struct relay *relay, uint64_t bytes);

/* Tells the log writer once a turn that there is something to read. */
void relay_wake_log(struct relay *relay);

#endif
