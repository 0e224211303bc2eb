/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/udp_throttle.h"

#include "base/check.h"
#include "relay/relay.h"
#include "relay/udp_reply.h"

enum {
	/* How long a queue may be: the service's line is shared by many. */
	FLOW_QUEUE_MS = 1000,
	SERVICE_QUEUE_MS = 100,
	TAKEN_PER_TICK = 4,             /* quanta of at least a millisecond */
	TRAIN_SEGMENT_BYTES_MAX = 1472, /* longer ones do not fit into a frame of an Ethernet, and are no train then */
};

static void on_open(struct throttle *throttle, enum flow_direction direction);

/* --- coming and going -------------------------------------------------------------------------------------------- */

static struct udp_throttle *attach(struct udp_session *session)
{
	struct relay *relay = session->relay;
	if (session->throttle != NULL)
		return session->throttle;
	struct udp_throttle *throttle = slab_take(&relay->udp_throttles);
	CHECK(throttle != NULL); /* as many as sessions */
	counter_add(&relay->udp_throttles_active, 1);
	*throttle = (struct udp_throttle){ .session = session };
	throttle_init(&throttle->throttle, relay, session->service, FLOW_UDP, on_open);
	session->throttle = throttle;
	return throttle;
}

void udp_throttle_stop(struct udp_session *session)
{
	if (session->throttle == NULL)
		return;
	throttle_stop(&session->throttle->throttle);
	for (size_t i = 0; i < FLOW_DIRECTION_COUNT; i++)
		udp_session_note_lost(session,
				      datagram_queue_clear(&session->throttle->queues[i], &session->relay->chunks));
}

void udp_throttle_detach(struct udp_session *session)
{
	if (session->throttle == NULL)
		return;
	slab_give(&session->relay->udp_throttles, session->throttle);
	counter_subtract(&session->relay->udp_throttles_active, 1);
	session->throttle = NULL;
}

/* --- what has just come ------------------------------------------------------------------------------------------ */

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The length of one of the entry's datagrams, of which the last may be shorter. */
static uint32_t len_at(const struct datagram *entry, uint32_t offset)
{
	uint32_t left = entry->len - offset;
	return entry->segment_bytes != 0 ? smaller(entry->segment_bytes, left) : left;
}

/* How many of the entry's datagrams may pass now, from its first on. */
static uint32_t count_passing(struct udp_throttle *throttle, enum flow_direction direction,
			      const struct datagram *entry)
{
	struct throttle_gate *gate = &throttle->throttle.gates[direction];
	uint32_t total = datagram_count(entry);
	uint32_t passed = 0;
	uint32_t offset = 0;
	uint32_t room;
	if (throttle->queues[direction].count > 0)
		return 0;
	while (passed < total && throttle_take(gate, len_at(entry, offset), entry->len - offset, &room)) {
		bool is_rest = room >= entry->len - offset;
		uint32_t fitting = is_rest ? total - passed : room / entry->segment_bytes;
		uint32_t used = is_rest ? entry->len - offset : fitting * entry->segment_bytes;
		throttle_settle(gate, used);
		passed += fitting;
		offset += used;
	}
	return passed;
}

/* The entry's first `count` datagrams, of at least one. */
static struct datagram front_of(const struct datagram *entry, uint32_t count)
{
	struct datagram front = *entry;
	if (count < datagram_count(entry)) {
		front.len = count * entry->segment_bytes;
		front.segment_bytes = count > 1 ? entry->segment_bytes : 0;
	}
	return front;
}

static uint64_t queue_bytes_max(const struct udp_throttle *throttle, enum flow_direction direction)
{
	const struct service_bandwidth *limits = &service_policy(throttle->session->service)->bandwidth;
	uint32_t bytes = smaller(byte_rate_bytes_in(limits->flow[direction], FLOW_QUEUE_MS),
				 byte_rate_bytes_in(limits->total, SERVICE_QUEUE_MS));
	if (bytes < UDP_THROTTLE_QUEUE_BYTES_MIN)
		return UDP_THROTTLE_QUEUE_BYTES_MIN;
	return smaller(bytes, UDP_THROTTLE_QUEUE_BYTES_MAX);
}

static bool hold_one(struct udp_throttle *throttle, enum flow_direction direction, struct span head,
		     struct span datagram)
{
	struct relay *relay = throttle->session->relay;
	struct datagram_queue *queue = &throttle->queues[direction];
	uint64_t stored_bytes = datagram_queue_stored(head, datagram);
	return queue->stored_bytes + stored_bytes <= queue_bytes_max(throttle, direction) &&
	       relay_may_hold(relay, datagram_queue_growth(queue, stored_bytes)) &&
	       datagram_queue_put(queue, &relay->chunks, head, datagram);
}

/* Lets the entry's datagrams wait, but for the first `passed`. Returns what was dropped. */
static struct udp_sum hold_others(struct udp_throttle *throttle, enum flow_direction direction,
				  const struct datagram *entry, uint32_t passed)
{
	struct udp_sum lost = { 0 };
	struct span head = { (const char *)entry->bytes - entry->head_bytes, entry->head_bytes };
	uint32_t total = datagram_count(entry);
	uint32_t offset = passed * entry->segment_bytes;
	for (uint32_t i = passed; i < total; i++) {
		uint32_t len = len_at(entry, offset);
		struct span datagram = { (const char *)entry->bytes + offset, len };
		if (!hold_one(throttle, direction, head, datagram)) {
			lost.datagrams++;
			lost.bytes += len;
		}
		offset += len;
	}
	/* Nobody is there who would use what was taken. */
	if (throttle->queues[direction].count == 0)
		throttle_settle(&throttle->throttle.gates[direction], 0);
	return lost;
}

bool udp_throttle_admit(struct udp_session *session, const struct datagram *datagram)
{
	struct udp_throttle *throttle = attach(session);
	if (count_passing(throttle, FLOW_IN, datagram) > 0)
		return true;
	udp_session_note_lost(session, hold_others(throttle, FLOW_IN, datagram, 0).datagrams);
	return false;
}

void udp_throttle_forward(struct udp_session *session, const struct datagram *datagrams, uint32_t count)
{
	struct udp_throttle *throttle = attach(session);
	struct datagram passing[DATAGRAM_BATCH_MAX];
	uint32_t passing_count = 0;
	CHECK(count <= DATAGRAM_BATCH_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t passed = count_passing(throttle, FLOW_IN, &datagrams[i]);
		if (passed > 0)
			passing[passing_count++] = front_of(&datagrams[i], passed);
		udp_session_note_lost(session, hold_others(throttle, FLOW_IN, &datagrams[i], passed).datagrams);
	}
	if (passing_count > 0)
		udp_session_send(session, passing, passing_count, 0);
}

struct udp_sum udp_throttle_hold_replies(struct udp_session *session, uint32_t first)
{
	struct udp_throttle *throttle = attach(session);
	struct datagram_batch *batch = &session->relay->replies;
	struct udp_sum lost = { 0 };
	uint32_t kept_count = first;
	for (uint32_t i = first; i < batch->count; i++) {
		struct datagram entry = batch->entries[i];
		uint32_t passed = count_passing(throttle, FLOW_OUT, &entry);
		struct udp_sum its_lost = hold_others(throttle, FLOW_OUT, &entry, passed);
		lost.datagrams += its_lost.datagrams;
		lost.bytes += its_lost.bytes;
		if (passed == 0)
			continue;
		/* Each entry keeps memory of its own. */
		batch->entries[i] = batch->entries[kept_count];
		batch->entries[kept_count++] = front_of(&entry, passed);
	}
	batch->count = kept_count;
	udp_session_note_lost(session, lost.datagrams);
	return lost;
}

/* --- what has waited --------------------------------------------------------------------------------------------- */

/* Can the datagram ride behind those of the entry, as one train (UDP_SEGMENT)? Heads are each one's own. */
static bool joins(const struct datagram *entry, struct datagram_lengths next)
{
	uint32_t segment_bytes = entry->segment_bytes != 0 ? entry->segment_bytes : entry->len;
	bool has_room = entry->len + next.len <= DATAGRAM_TRAIN_BYTES_MAX && datagram_count(entry) < DATAGRAM_TRAIN_MAX;
	bool has_head = entry->head_bytes > 0 || next.head_bytes > 0;
	return next.len > 0 && next.len <= segment_bytes && segment_bytes <= TRAIN_SEGMENT_BYTES_MAX &&
	       entry->len % segment_bytes == 0 && has_room && !has_head;
}

/* Takes the first datagram into an entry of its own. */
static void move_alone(struct datagram_queue *queue, struct datagram_chunks *chunks, struct datagram *entry)
{
	struct datagram_lengths lengths = queue->first;
	uint32_t head_bytes = lengths.head_bytes;
	/* There is room for a usual head before it; a long one pushes the datagram back, and was there when it came. */
	uint32_t pushed_bytes = head_bytes > DATAGRAM_HEADROOM_BYTES ? head_bytes - DATAGRAM_HEADROOM_BYTES : 0;
	uint8_t *bytes = entry->bytes - entry->skipped_bytes + pushed_bytes;
	*entry = (struct datagram){
		.bytes = bytes, .len = lengths.len, .skipped_bytes = pushed_bytes, .head_bytes = head_bytes
	};
	datagram_queue_take(queue, chunks, bytes - head_bytes);
}

/* Moves the first datagram to the batch: into its last entry, if that began at `first` or later, or into a new one. */
static void move_one(struct datagram_queue *queue, struct datagram_chunks *chunks, struct datagram_batch *batch,
		     uint32_t first)
{
	if (batch->count == first || !joins(&batch->entries[batch->count - 1], queue->first)) {
		move_alone(queue, chunks, &batch->entries[batch->count++]);
		return;
	}
	struct datagram *entry = &batch->entries[batch->count - 1];
	if (entry->segment_bytes == 0)
		entry->segment_bytes = entry->len;
	uint8_t *end = entry->bytes + entry->len;
	entry->len += queue->first.len;
	datagram_queue_take(queue, chunks, end);
}

/* Moves datagrams of at most `room` bytes to the batch, as long as it has an entry left. Returns their bytes. */
static uint32_t move_some(struct datagram_queue *queue, struct datagram_chunks *chunks, struct datagram_batch *batch,
			  uint32_t room)
{
	uint32_t first = batch->count;
	uint32_t left = room;
	while (queue->count > 0 && batch->count < DATAGRAM_BATCH_MAX && queue->first.len <= left) {
		left -= queue->first.len;
		move_one(queue, chunks, batch, first);
	}
	return room - left;
}

/* Adds to the batch what may pass by now. Who has fallen behind makes up for it over several ticks. */
static void take_waiting(struct udp_throttle *throttle, enum flow_direction direction, struct datagram_batch *batch)
{
	struct datagram_queue *queue = &throttle->queues[direction];
	struct throttle_gate *gate = &throttle->throttle.gates[direction];
	uint32_t room;
	for (int i = 0; i < TAKEN_PER_TICK && queue->count > 0 && batch->count < DATAGRAM_BATCH_MAX; i++) {
		if (!throttle_take(gate, queue->first.len, queue->bytes, &room))
			return;
		throttle_settle(gate, move_some(queue, &throttle->session->relay->chunks, batch, room));
	}
	if (queue->count > 0)
		throttle_postpone(gate);
}

/* This is called between the listeners' turns, when their batch is empty. */
static void resume_requests(struct udp_throttle *throttle)
{
	struct udp_session *session = throttle->session;
	struct datagram_batch *batch = &session->relay->requests;
	batch->count = 0;
	take_waiting(throttle, FLOW_IN, batch);
	if (batch->count == 0)
		return;
	session->last_activity_ms = session->relay->loop->now_ms;
	udp_session_send(session, batch->entries, batch->count, 0);
}

static void resume_replies(struct udp_throttle *throttle)
{
	struct udp_session *session = throttle->session;
	struct datagram_batch *batch = &session->relay->replies;
	if (batch->count == DATAGRAM_BATCH_MAX)
		udp_reply_flush(session->relay);
	uint32_t first = batch->count;
	take_waiting(throttle, FLOW_OUT, batch);
	if (batch->count == first)
		return;
	udp_reply_queue(session, first);
	udp_session_note_delivered(session);
}

static void on_open(struct throttle *throttle, enum flow_direction direction)
{
	struct udp_throttle *owner = LIST_OWNER(throttle, struct udp_throttle, throttle);
	if (direction == FLOW_IN)
		resume_requests(owner);
	else
		resume_replies(owner);
}
