/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/tcp_join.h"

#include "bpf/tcp_translate.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	TURNS_MAX = 16,         /* of passing on in one step */
	QUICK_ACKNOWLEDGE = 12, /* TCP_QUICKACK; <netinet/tcp.h> and <linux/tcp.h> cannot both be included */
};

/* --- before ------------------------------------------------------------------------------------------------------ */

int tcp_join_read(int client_fd, int server_fd, struct tcp_join_numbers *ret_numbers, enum tcp_obstacle *ret_obstacle)
{
	struct tcp_join_numbers numbers;
	int result = tcp_repair_read(client_fd, &numbers.client, ret_obstacle);
	if (result == 0)
		result = tcp_repair_read(server_fd, &numbers.server, ret_obstacle);
	if (result < 0)
		return result;
	*ret_obstacle = tcp_match(&numbers.client, &numbers.server);
	if (*ret_obstacle != TCP_NO_OBSTACLE)
		return -EAGAIN;
	*ret_numbers = numbers;
	return 0;
}

/* Segments that come from one peer, whose connection is `from`, and go to the other. */
static void fill_side(const struct tcp_numbers *from, const struct tcp_numbers *to, struct flow_side *side)
{
	side->seq_delta = to->send_next - from->read_next;
	side->clock = tcp_clock_before(to->clock_ms);
	side->shift_in = from->peer_scale;
	side->shift_out = to->own_scale;
	/* Behind what is still unread. */
	side->first = from->read_next + from->unread_bytes;
	side->bytes = side->first;
	side->acked = from->send_next;
}

void tcp_join_fill(const struct tcp_join_numbers *numbers, struct flow_slot *slot)
{
	fill_side(&numbers->client, &numbers->server, &slot->sides[FLOW_TO_SERVER]);
	fill_side(&numbers->server, &numbers->client, &slot->sides[FLOW_TO_CLIENT]);
	slot->flags |= FLOW_SLOT_TRANSLATES_TCP | FLOW_SLOT_HAS_SOCKET | FLOW_SLOT_HAS_TAIL | FLOW_SLOT_TAIL_IS_UNKNOWN;
	if (numbers->client.has_timestamps)
		slot->flags |= FLOW_SLOT_HAS_TIMESTAMPS;
}

/* Between two steps the sockets are such that nobody hears of them when this process dies. */
static void hold(const struct tcp_join *join)
{
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++)
		tcp_repair_hold(join->sockets[way]);
}

static void release(const struct tcp_join *join)
{
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++)
		tcp_repair_release(join->sockets[way]);
}

void tcp_join_start(struct tcp_join *join, const struct tcp_join_numbers *numbers, struct flow_slot *slot,
		    const int sockets[FLOW_WAY_COUNT], uint64_t now_ms)
{
	*join = (struct tcp_join){
		.slot = slot,
		.sockets = { sockets[FLOW_TO_SERVER], sockets[FLOW_TO_CLIENT] },
		.next = { numbers->client.read_next, numbers->server.read_next },
		.start_ms = now_ms,
	};
	hold(join);
}

/* --- the tail ---------------------------------------------------------------------------------------------------- */

static enum flow_way other(enum flow_way way)
{
	return way == FLOW_TO_SERVER ? FLOW_TO_CLIENT : FLOW_TO_SERVER;
}

static bool is_tail_acknowledged(const struct tcp_join *join, enum flow_way way)
{
	const struct flow_side *side = &join->slot->sides[way];
	uint32_t acked = __atomic_load_n(&join->slot->sides[other(way)].acked, __ATOMIC_RELAXED);
	return (int32_t)(acked - (side->first + side->seq_delta)) >= 0;
}

/* The flow's position in a stream is behind the tail, unless later bytes have overtaken that. */
static void move_position(struct flow_side *side, uint32_t first)
{
	__u64 position = __atomic_load_n(&side->bytes, __ATOMIC_RELAXED);
	while ((int32_t)(first - (uint32_t)position) > 0) {
		uint64_t moved = position + (first - (uint32_t)position);
		if (__atomic_compare_exchange_n(&side->bytes, &position, moved, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			break;
	}
}

/*
 * The program has to know of bytes before they can be acknowledged, and what the socket expects next. Bytes that were under
 * way when the flow began may have come since the last look.
 */
static void set_first(struct tcp_join *join, enum flow_way way, uint32_t first)
{
	struct flow_side *side = &join->slot->sides[way];
	if ((int32_t)(first - side->first) <= 0)
		return;
	__atomic_store_n(&side->first, first, __ATOMIC_SEQ_CST);
	move_position(side, first);
}

static void look_for_more(struct tcp_join *join, enum flow_way way)
{
	int unread = 0;
	if (!join->has_ended[way] && ioctl(join->sockets[way], SIOCINQ, &unread) == 0)
		set_first(join, way, join->next[way] + (uint32_t)unread);
}

/* Before anything is passed on, which takes longer. */
static void learn_tail(struct tcp_join *join)
{
	if ((join->slot->flags & FLOW_SLOT_TAIL_IS_UNKNOWN) == 0)
		return;
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++)
		look_for_more(join, way);
	__atomic_and_fetch(&join->slot->flags, (uint8_t)~FLOW_SLOT_TAIL_IS_UNKNOWN, __ATOMIC_SEQ_CST);
}

static enum tcp_join_state fail(struct tcp_join *join, enum flow_way broken)
{
	join->broken = broken;
	return TCP_JOIN_FAILED;
}

/* The end of the stream is a number of the sequence like a byte. */
static enum tcp_join_state pass_end(struct tcp_join *join, enum flow_way way)
{
	bool is_first =
		(__atomic_load_n(&join->slot->sides[other(way)].tcp_flags, __ATOMIC_RELAXED) & FLOW_TCP_FIN) == 0;
	uint8_t seen = FLOW_TCP_FIN | (is_first ? FLOW_TCP_FIN_FIRST : 0);
	join->has_ended[way] = true;
	__atomic_fetch_or(&join->slot->sides[way].tcp_flags, seen, __ATOMIC_SEQ_CST);
	__atomic_store_n(&join->slot->sides[way].first, join->next[way] + 1, __ATOMIC_SEQ_CST);
	return shutdown(join->sockets[other(way)], SHUT_WR) < 0 ? fail(join, other(way)) : TCP_JOIN_DONE;
}

/* Sends bytes that are still in the receive queue, and takes those out of it that were sent. Returns their number or -1. */
static ssize_t pass_bytes(struct tcp_join *join, enum flow_way way, void *scratch, size_t count)
{
	set_first(join, way, join->next[way] + (uint32_t)count);
	ssize_t sent = send(join->sockets[other(way)], scratch, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	size_t taken = sent > 0 ? (size_t)sent : 0;
	join->next[way] += (uint32_t)taken;
	join->tail_bytes[way] += taken;
	if (taken > 0 && recv(join->sockets[way], scratch, taken, MSG_DONTWAIT) != (ssize_t)taken)
		return -1;
	return sent < 0 && errno != EAGAIN ? -1 : (ssize_t)taken;
}

/* TCP_JOIN_DONE: nothing is left in the socket. */
static enum tcp_join_state pass_tail(struct tcp_join *join, enum flow_way way, void *scratch, size_t scratch_bytes)
{
	look_for_more(join, way);
	for (int i = 0; i < TURNS_MAX && !join->has_ended[way]; i++) {
		ssize_t count = recv(join->sockets[way], scratch, scratch_bytes, MSG_DONTWAIT | MSG_PEEK);
		if (count == 0)
			return pass_end(join, way);
		if (count < 0)
			return errno == EAGAIN ? TCP_JOIN_DONE : fail(join, way);
		ssize_t passed = pass_bytes(join, way, scratch, (size_t)count);
		if (passed < 0)
			return fail(join, other(way));
		if (passed == 0)
			return TCP_JOIN_GOES_ON;
	}
	return join->has_ended[way] ? TCP_JOIN_DONE : TCP_JOIN_GOES_ON;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

/* What a peer has sent to the socket, and is not acknowledged yet, it would send again later. */
static void acknowledge(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, QUICK_ACKNOWLEDGE, &one, sizeof(one));
}

/* Nobody is sent to the sockets any more: the stack answers for those that are not there. */
static void end_tail(struct tcp_join *join)
{
	if ((join->slot->flags & FLOW_SLOT_HAS_TAIL) == 0)
		return;
	uint8_t flags =
		join->slot->flags & (uint8_t) ~(FLOW_SLOT_HAS_SOCKET | FLOW_SLOT_HAS_TAIL | FLOW_SLOT_TAIL_IS_UNKNOWN);
	__atomic_store_n(&join->slot->flags, flags, __ATOMIC_SEQ_CST);
	/* An end that went through the sockets is no byte of what the flow has carried. */
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++)
		join->slot->sides[way].first -= join->has_ended[way];
}

static enum tcp_join_state close_sockets(struct tcp_join *join)
{
	end_tail(join);
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++) {
		if (join->sockets[way] < 0)
			continue;
		acknowledge(join->sockets[way]);
		if (tcp_repair_close(&join->sockets[way]) < 0)
			return TCP_JOIN_GOES_ON;
	}
	return TCP_JOIN_DONE;
}

/* One end has reset the connection, and the program has told the other one; nobody waits for a tail any more. */
static bool is_reset(const struct tcp_join *join)
{
	uint8_t flags = 0;
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++)
		flags |= __atomic_load_n(&join->slot->sides[way].tcp_flags, __ATOMIC_RELAXED);
	return (flags & FLOW_TCP_RST) != 0;
}

enum tcp_join_state tcp_join_step(struct tcp_join *join, uint64_t now_ms, void *scratch, size_t scratch_bytes)
{
	bool is_done = now_ms - join->start_ms >= TCP_JOIN_SETTLE_MS;
	if (is_reset(join))
		return close_sockets(join);
	learn_tail(join);
	release(join);
	for (enum flow_way way = 0; way < FLOW_WAY_COUNT; way++) {
		enum tcp_join_state state = pass_tail(join, way, scratch, scratch_bytes);
		if (state == TCP_JOIN_FAILED)
			return state;
		is_done = is_done && state == TCP_JOIN_DONE && is_tail_acknowledged(join, way);
	}
	if (is_done)
		return close_sockets(join);
	hold(join);
	return TCP_JOIN_GOES_ON;
}
