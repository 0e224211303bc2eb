/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include "base/memory.h"
#include "kernel/flow_table.h"
#include "relay/bare_flow.h"
#include "relay/flow_observe.h"
#include "relay/tcp_connection.h"
#include "relay/tcp_greeting.h"
#include "relay/tcp_offload.h"
#include "relay/tcp_throttle.h"
#include "relay/udp_reply.h"
#include "relay/udp_session.h"
#include "relay/udp_throttle.h"

#include <stdlib.h>

enum {
	RECORD_RING_BYTES = 4 << 20,
	/* Flows that have ended keep their memory until the end of the turn, and give their place away before. */
	ENDED_IN_A_TURN_MAX = 8192,
	HELD_SHARE = 4, /* datagrams that wait take a quarter of what may be kept, so that connections can go on */
};

void relay_init(struct relay *relay, const struct relay_settings *settings, uint32_t worker_index, struct loop *loop,
		struct timer_wheel *wheel)
{
	*relay = (struct relay){
		.loop = loop,
		.wheel = wheel,
		.settings = settings,
		.worker_index = worker_index,
		/* Ids of different workers never meet. */
		.next_flow_id = (uint64_t)worker_index << 56 | 1,
		.scratch = memory_alloc(TCP_SCRATCH_BYTES),
		.session_hash_key = random_secret(),
	};
	random_init(&relay->random);
	ring_init(&relay->records, RECORD_RING_BYTES);
	ring_init(&relay->observations, OBSERVATION_RING_BYTES);
	/* Address space is free: every worker's slabs can hold all flows of the daemon. */
	uint32_t connections_max = settings->connections_capacity + ENDED_IN_A_TURN_MAX;
	slab_init(&relay->connections, sizeof(struct tcp_connection), connections_max);
	slab_init(&relay->joinings, sizeof(struct tcp_joining), connections_max);
	slab_init(&relay->attempts, sizeof(struct tcp_attempts), connections_max);
	slab_init(&relay->greetings, sizeof(struct tcp_greeting), connections_max);
	slab_init(&relay->tcp_throttles, sizeof(struct tcp_throttle), connections_max);
	slab_init(&relay->tails, sizeof(struct tcp_tail), settings->tails_capacity);
	tcp_batch_init(&relay->batch);
	tcp_pipes_init(&relay->pipes, &settings->budget->descriptors);
	list_init(&relay->unfinished);
	list_init(&relay->starved);
	uint32_t sessions_max = settings->sessions_capacity + ENDED_IN_A_TURN_MAX;
	slab_init(&relay->sessions, sizeof(struct udp_session), sessions_max);
	slab_init(&relay->udp_throttles, sizeof(struct udp_throttle), sessions_max);
	datagram_chunks_init(&relay->chunks, (uint64_t)settings->tails_capacity * sizeof(struct tcp_tail) / HELD_SHARE);
	hash_table_init(&relay->session_index, &relay->sessions, offsetof(struct udp_session, index));
	kernel_flows_init(relay, FLOW_TABLE_FLOWS_MAX + ENDED_IN_A_TURN_MAX);
	slab_init(&relay->bare_flows, sizeof(struct bare_flow), FLOW_TABLE_FLOWS_MAX + ENDED_IN_A_TURN_MAX);
	list_init(&relay->unanswered);
	datagram_batch_init(&relay->requests);
	datagram_batch_init(&relay->replies);
}

void relay_done(struct relay *relay)
{
	datagram_batch_done(&relay->replies);
	datagram_batch_done(&relay->requests);
	slab_done(&relay->bare_flows);
	kernel_flows_done(relay);
	hash_table_done(&relay->session_index);
	datagram_chunks_done(&relay->chunks);
	slab_done(&relay->udp_throttles);
	slab_done(&relay->sessions);
	tcp_batch_done(&relay->batch);
	tcp_pipes_done(&relay->pipes);
	slab_done(&relay->tails);
	slab_done(&relay->tcp_throttles);
	slab_done(&relay->greetings);
	slab_done(&relay->attempts);
	slab_done(&relay->joinings);
	slab_done(&relay->connections);
	ring_done(&relay->observations);
	ring_done(&relay->records);
	free(relay->scratch);
}

bool relay_may_keep(const struct relay *relay, uint64_t bytes)
{
	uint64_t bytes_max = atomic_load_explicit(&relay->settings->budget->tail_bytes_max, memory_order_relaxed);
	uint64_t kept = relay->tails.taken_count * sizeof(struct tcp_tail) + counter_read(&relay->piped_bytes) +
			counter_read(&relay->chunks.taken_bytes);
	return kept + bytes <= bytes_max;
}

bool relay_may_hold(const struct relay *relay, uint64_t bytes)
{
	uint64_t bytes_max = atomic_load_explicit(&relay->settings->budget->tail_bytes_max, memory_order_relaxed);
	return counter_read(&relay->chunks.taken_bytes) + bytes <= bytes_max / HELD_SHARE &&
	       relay_may_keep(relay, bytes);
}

static void drive_all(struct list *waiting)
{
	struct list batch;
	list_init(&batch);
	for (struct list *link; (link = list_take_first(waiting)) != NULL;)
		list_add_last(&batch, link);
	for (struct list *link; (link = list_take_first(&batch)) != NULL;)
		tcp_connection_drive(LIST_OWNER(link, struct tcp_connection, wait.link));
}

bool relay_continue(struct relay *relay)
{
	if (!list_is_empty(&relay->unfinished))
		drive_all(&relay->unfinished);
	if (!list_is_empty(&relay->starved) && tcp_pump_has_tails(relay))
		drive_all(&relay->starved);
	bool is_queue_due = tcp_queue_continue(relay);
	return is_queue_due || !list_is_empty(&relay->unfinished);
}

bool relay_take_descriptors(struct relay *relay, uint64_t count)
{
	struct flow_ceiling *descriptors = &relay->settings->budget->descriptors;
	return flow_ceiling_take(descriptors, count) ||
	       (tcp_pipes_trim(&relay->pipes) && flow_ceiling_take(descriptors, count));
}

void relay_wake_log(struct relay *relay)
{
	if (!relay->has_new_records)
		return;
	relay->has_new_records = false;
	relay->settings->wake_log(relay->settings->log);
}
