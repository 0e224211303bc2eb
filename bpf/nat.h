/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flows that begin in the kernel. A packet of no flow that goes to a listen address of such a service is given a server
 * (nat_choose.h), if it may begin one (nat_admit.h). Until the flow is established it is half open, in a table of its own
 * which a flood may overrun (nat_half.h): TCP until the client has acknowledged the server's SYN, UDP until the server has
 * replied. Then it gets a slot, one of those that user space has set aside, and user space is told.
 *
 * A connection whose server says nothing is given to another one when the client sends its SYN again, which it does after a
 * second. A server's refusal is kept from the client as long as there is another server to be asked.
 *
 * Whatever cannot begin here is left to the stack, where the service's own listeners are: user space carries it, or refuses
 * it and says why. So does all that belongs to no flow: an end that has lost its connection is told by the stack.
 *
 * A half-open flow may become another one while it is read. What is read from one that is just going is a packet that goes
 * astray, as one of the network's.
 */
#ifndef BPF_NAT_H
#define BPF_NAT_H

#include "bpf/flow_rewrite.h"
#include "bpf/nat_admit.h"
#include "bpf/nat_choose.h"
#include "bpf/nat_mss.h"

enum {
	NAT_SLOT_TRIES_MAX = 8,
	/* How far behind its SYN the packet of a client may be that establishes a connection. */
	NAT_FIRST_BYTES_MAX = 1 << 20,
};

/* What is at hand for a packet. */
struct nat_visit {
	struct __sk_buff *skb;
	struct flow_packet *packet;
	struct flow_key *key;
	struct nat_scratch *scratch;
};

static __always_inline int nat_leave(__u32 why)
{
	nat_count(why);
	return TC_ACT_UNSPEC;
}

static __always_inline int nat_drop(__u32 why)
{
	nat_count(why);
	return TC_ACT_SHOT;
}

/* Of TCP: does it begin a connection? */
static __always_inline bool nat_is_first(const struct flow_packet *packet)
{
	enum { KINDS = FLOW_TCP_FIN | FLOW_TCP_SYN | FLOW_TCP_RST | FLOW_TCP_ACK };
	return (packet->tcp_flags & KINDS) == FLOW_TCP_SYN;
}

static __always_inline bool nat_is_owner(void)
{
	__u32 zero = 0;
	struct nat_owner *owner = bpf_map_lookup_elem(&strait_owner, &zero);
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	return owner != NULL && owner->owner == nat_shared.owner &&
	       (__s32)(now_tick - owner->alive_tick) < NAT_OWNER_TICKS;
}

/* --- telling user space ------------------------------------------------------------------------------------------ */

/* The first event in a while wakes it; the others it finds then, or a moment later. */
static __always_inline __u64 nat_wake_flags(void)
{
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	if (now_tick - nat_shared.woken_tick < NAT_WAKE_TICKS)
		return BPF_RB_NO_WAKEUP;
	nat_shared.woken_tick = now_tick;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void nat_fill_event(struct nat_event *event, const struct flow_key *client_key,
					   const struct nat_half *half)
{
	event->slot = 0;
	event->service = half->service;
	event->server = half->server;
	event->server_state = half->server_state;
	event->tried_count = half->tried_count;
	event->connect_us = 0;
	event->is_limited_by_rate = 0;
	event->is_way_known = half->is_way_known;
	event->zero = 0;
	__builtin_memcpy(event->client, client_key->source, sizeof(event->client));
	event->client_port_be16 = client_key->source_port_be16;
	event->protocol = client_key->protocol;
	event->version = client_key->version;
}

/* Of what may be lost when user space is far behind. */
static __attribute__((noinline)) void nat_tell(__u32 kind, const struct flow_key *client_key,
					       const struct nat_half *half, bool is_limited_by_rate)
{
	struct nat_event *event = bpf_ringbuf_reserve(&nat_events, sizeof(*event), 0);
	if (event == NULL)
		return;
	nat_fill_event(event, client_key, half);
	event->kind = kind;
	event->is_limited_by_rate = is_limited_by_rate;
	bpf_ringbuf_submit(event, nat_wake_flags());
}

/* --- sending on -------------------------------------------------------------------------------------------------- */

static __always_inline void nat_note(const struct nat_visit *visit, struct flow_side *side)
{
	__sync_fetch_and_add(&side->packets, 1);
	if (visit->packet->protocol == IPPROTO_UDP)
		__sync_fetch_and_add(&side->bytes, visit->packet->payload_bytes);
	side->seen_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
}

/* A packet of a half-open flow. It belongs to no socket. */
static __attribute__((noinline)) int nat_forward(const struct nat_visit *visit, struct flow_side *side)
{
	struct flow_packet *packet = visit->packet;
	__u32 way_out = side->way_out & FLOW_INTERFACE_BITS;
	if (packet->has_obstacle)
		return drop_packet(packet->obstacle);
	if (!fits(visit->skb, packet, side))
		return drop_packet(FLOW_COUNT_TOO_BIG);
	if (packet->protocol == IPPROTO_TCP && (packet->tcp_flags & FLOW_TCP_SYN)) {
		__u16 mss_max = nat_mss_max(visit->skb, packet, way_out);
		if (mss_max != 0)
			nat_clamp_mss(visit->skb, packet->l4_at, packet->tcp_header_bytes, mss_max);
	}
	if (!flow_rewrite(visit->skb, packet, visit->key, side, 0))
		return drop_packet(FLOW_COUNT_FAILED);
	nat_note(visit, side);
	count(FLOW_COUNT_FORWARDED);
	return flow_send(side, packet->version);
}

/* The packet with which a half-open flow has just been established. */
static __always_inline int nat_forward_first(const struct nat_visit *visit, struct flow_slot *slot, __u32 way)
{
	struct flow_side *side = &slot->sides[way & 1];
	if (visit->packet->has_obstacle)
		return drop_packet(visit->packet->obstacle);
	if (!fits(visit->skb, visit->packet, side))
		return drop_packet(FLOW_COUNT_TOO_BIG);
	if (!flow_rewrite(visit->skb, visit->packet, visit->key, side, 0))
		return drop_packet(FLOW_COUNT_FAILED);
	note_packet(visit->skb, slot, way, visit->packet);
	count(FLOW_COUNT_FORWARDED);
	return flow_send(side, visit->packet->version);
}

/* Makes a reset of a client's segment, before it is sent on: its sequence number is the one that the server expects. */
static __always_inline void nat_make_reset(const struct nat_visit *visit)
{
	enum { FLAGS_AT = 12 }; /* of the word that has header length and flags */
	__u32 at = visit->packet->l4_at;
	__be16 old, new;
	if (bpf_skb_load_bytes(visit->skb, at + FLAGS_AT, &old, sizeof(old)) < 0)
		return;
	new = (old & bpf_htons(0xff00)) | bpf_htons(FLOW_TCP_RST);
	bpf_skb_store_bytes(visit->skb, at + FLAGS_AT, &new, sizeof(new), 0);
	bpf_l4_csum_replace(visit->skb, at + offsetof(struct tcphdr, check), old, new, sizeof(new));
}

/* --- slots ------------------------------------------------------------------------------------------------------- */

static __always_inline bool nat_has_slots(void)
{
	return *(volatile __u32 *)&nat_shared.head != *(volatile __u32 *)&nat_shared.tail;
}

/* Nobody else has a number that was read before the head was moved past it. */
static __always_inline bool nat_take_slot(struct nat_scratch *scratch, __u32 *ret_number)
{
	if (scratch->spare_slot != 0) {
		*ret_number = scratch->spare_slot - 1;
		scratch->spare_slot = 0;
		return true;
	}
	for (int i = 0; i < NAT_SLOT_TRIES_MAX; i++) {
		__u32 head = *(volatile __u32 *)&nat_shared.head;
		if (head == __sync_fetch_and_add(&nat_shared.tail, 0))
			return false;
		__u32 number = *(volatile __u32 *)&nat_shared.slots[head & (NAT_SLOTS_MAX - 1)];
		if (__sync_val_compare_and_swap(&nat_shared.head, head, head + 1) == head) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

/* Of TCP. */
static __always_inline void nat_set_first(struct flow_side *side, struct flow_side *back, __u32 first)
{
	side->first = first;
	side->bytes = first;
	back->acked = first;
}

static __always_inline void nat_fill_slot(struct flow_slot *slot, const struct nat_half *half)
{
	struct flow_side *to_server = &slot->sides[FLOW_TO_SERVER];
	struct flow_side *to_client = &slot->sides[FLOW_TO_CLIENT];
	*slot = half->flow; /* and with it that it is taken */
	if (slot->protocol == IPPROTO_TCP) {
		nat_set_first(to_server, to_client, half->client_first);
		nat_set_first(to_client, to_server, half->server_first);
	}
	/* User space, which maps it, sees what is in it when it sees that it is active. */
	__sync_lock_test_and_set(&slot->state, FLOW_SLOT_ACTIVE);
}

/* The keys that led to the half-open flow lead to the slot. */
static __always_inline bool nat_move_keys(const struct nat_half *half, __u32 half_number, __u32 number)
{
	struct flow_key key;
	flow_slot_key(&half->flow, FLOW_TO_CLIENT, &key);
	if (!flow_change_key(&key, nat_half_entry(half_number, FLOW_TO_CLIENT), flow_entry(number, FLOW_TO_CLIENT)))
		return false;
	flow_slot_key(&half->flow, FLOW_TO_SERVER, &key);
	return flow_change_key(&key, nat_half_entry(half_number, FLOW_TO_SERVER), flow_entry(number, FLOW_TO_SERVER));
}

/* --- establishing ------------------------------------------------------------------------------------------------ */

enum nat_outcome { NAT_ESTABLISHED, NAT_FULL, NAT_LIMITED, NAT_LIMITED_BY_RATE, NAT_LOST };

static __always_inline bool nat_make_flow(struct nat_scratch *scratch, const struct nat_half *half, __u32 half_number,
					  __u32 *ret_number, struct flow_slot **ret_slot)
{
	__u32 number = 0;
	if (!nat_take_slot(scratch, &number))
		return false;
	struct flow_slot *slot = bpf_map_lookup_elem(&strait_slots, &number);
	if (slot == NULL)
		return false;
	nat_fill_slot(slot, half);
	if (!nat_move_keys(half, half_number, number)) {
		flow_take_out(slot, number);
		scratch->spare_slot = number + 1;
		return false;
	}
	*ret_number = number;
	*ret_slot = slot;
	return true;
}

/* The event is reserved first, so that none of a slot that was taken is ever lost. */
static __always_inline enum nat_outcome nat_begin_flow(struct nat_scratch *scratch, const struct nat_half *half,
						       __u32 half_number, struct flow_slot **ret_slot)
{
	struct flow_key client_key;
	__u32 number;
	struct nat_event *event = bpf_ringbuf_reserve(&nat_events, sizeof(*event), 0);
	if (event == NULL)
		return NAT_FULL;
	if (!nat_make_flow(scratch, half, half_number, &number, ret_slot)) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return NAT_FULL;
	}
	flow_slot_key(&half->flow, FLOW_TO_SERVER, &client_key);
	nat_fill_event(event, &client_key, half);
	event->kind = NAT_EVENT_BEGUN;
	event->slot = number;
	event->connect_us = (__u32)((bpf_ktime_get_ns() - half->flow.start_ns) / 1000);
	bpf_ringbuf_submit(event, nat_wake_flags());
	return NAT_ESTABLISHED;
}

/* Of a half-open flow that the caller has claimed. */
static __always_inline enum nat_outcome nat_begin_in_place(const struct nat_visit *visit, struct nat_service *service,
							   const struct nat_half *half, __u32 half_number,
							   struct flow_slot **ret_slot)
{
	enum nat_taken taken = nat_take_place(service, visit->key);
	if (taken != NAT_TAKEN)
		return taken == NAT_TAKEN_NO_RATE ? NAT_LIMITED_BY_RATE : NAT_LIMITED;
	enum nat_outcome outcome = nat_begin_flow(visit->scratch, half, half_number, ret_slot);
	if (outcome != NAT_ESTABLISHED)
		nat_give_place(service, visit->key);
	return outcome;
}

/* NAT_LOST: another packet of the flow does it at this moment, or the flow makes room for others. */
static __attribute__((noinline)) enum nat_outcome nat_establish(const struct nat_visit *visit, struct nat_half *half,
								__u32 half_number, struct flow_slot **ret_slot)
{
	struct nat_service *service = bpf_map_lookup_elem(&nat_services, &half->service);
	if (service == NULL || !nat_is_owner())
		return NAT_FULL;
	if (!nat_half_claim(half))
		return NAT_LOST;
	enum nat_outcome outcome = nat_begin_in_place(visit, service, half, half_number, ret_slot);
	if (outcome != NAT_ESTABLISHED) {
		__sync_lock_test_and_set(&half->flow.state, FLOW_SLOT_ACTIVE);
		return outcome;
	}
	nat_half_give(half_number);
	nat_count(NAT_COUNT_BEGUN);
	return outcome;
}

/* --- beginning --------------------------------------------------------------------------------------------------- */

/* Its keys are the packet's, and the one in the scratch. */
static __always_inline void nat_fill_half(const struct nat_visit *visit, const struct nat_server *server,
					  struct nat_half *half)
{
	struct flow_side *to_server = &half->flow.sides[FLOW_TO_SERVER];
	const struct flow_key *back = &visit->scratch->back_key;
	__builtin_memcpy(to_server->source, back->dest, 16);
	__builtin_memcpy(to_server->dest, back->source, 16);
	to_server->source_port_be16 = back->dest_port_be16;
	to_server->dest_port_be16 = back->source_port_be16;
	to_server->way_out = server->way_out;
	half->stage = NAT_HALF_NEW;
	half->server_state = server->state;
	half->client_first = visit->packet->tcp_seq;
	half->tried_count = visit->scratch->tried_count;
	__builtin_memcpy(half->tried, visit->scratch->tried, sizeof(half->tried));
}

/* Answers leave by the interface by which the client has come; user space learns whether it is on the link there. */
static __always_inline void nat_find_way_back(const struct nat_visit *visit, struct nat_half *half)
{
	struct nat_client client = {
		.version = visit->key->version,
		.interface_index = visit->skb->ifindex,
		.routes_epoch = nat_shared.routes_epoch,
	};
	__builtin_memcpy(client.ip, visit->key->source, sizeof(client.ip));
	const __u32 *way_out = bpf_map_lookup_elem(&nat_clients, &client);
	half->is_way_known = way_out != NULL;
	half->flow.sides[FLOW_TO_CLIENT].way_out = way_out != NULL ? *way_out : client.interface_index;
}

/* A half-open flow of the client's, and nothing else in it. The caller has it; NULL: there is none. */
static __always_inline struct nat_half *nat_new_half(const struct nat_visit *visit, __u32 service, __u32 *ret_number)
{
	struct nat_half *half = nat_half_take(ret_number) ? nat_half_at(*ret_number) : NULL;
	if (half == NULL)
		return NULL;
	struct flow_side *to_client = &half->flow.sides[FLOW_TO_CLIENT];
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	__builtin_memset(half, 0, sizeof(*half));
	half->flow.state = FLOW_SLOT_TAKEN;
	half->flow.version = visit->key->version;
	half->flow.protocol = visit->key->protocol;
	half->flow.flags = FLOW_SLOT_IS_NAT;
	half->flow.start_ns = bpf_ktime_get_ns();
	half->flow.sides[FLOW_TO_SERVER].seen_tick = to_client->seen_tick = now_tick;
	__builtin_memcpy(to_client->source, visit->key->dest, 16);
	__builtin_memcpy(to_client->dest, visit->key->source, 16);
	to_client->source_port_be16 = visit->key->dest_port_be16;
	to_client->dest_port_be16 = visit->key->source_port_be16;
	half->service = service;
	nat_find_way_back(visit, half);
	return half;
}

/* The servers that were tried are in the scratch. Returns the number of the server, or -1. */
static __always_inline int nat_choose_server(const struct nat_visit *visit, __u32 pool)
{
	const struct nat_scratch *scratch = visit->scratch;
	struct nat_ask ask = {
		.client_hash = nat_client_hash(visit->key),
		.pool = pool,
		.version = visit->key->version,
		.tried_count = scratch->tried_count,
	};
	__builtin_memcpy(ask.tried, scratch->tried, sizeof(ask.tried));
	return nat_choose(&ask);
}

/* Puts the key that the server's packets will have into the scratch. Returns the server, or NULL, and why. */
static __always_inline const struct nat_server *nat_find_back(const struct nat_visit *visit,
							      const struct nat_service *service, __u32 *ret_at,
							      int *ret_why)
{
	struct flow_key *back = &visit->scratch->back_key;
	int number = nat_choose_server(visit, service->pool);
	*ret_at = (__u32)number;
	*ret_why = NAT_COUNT_LEFT_NO_SERVER;
	const struct nat_server *server = number >= 0 ? bpf_map_lookup_elem(&nat_servers, ret_at) : NULL;
	if (server == NULL)
		return NULL;
	__builtin_memset(back, 0, sizeof(*back));
	__builtin_memcpy(back->source, server->ip, 16);
	__builtin_memcpy(back->dest, server->local, 16);
	back->source_port_be16 = server->port_be16;
	back->protocol = visit->key->protocol;
	back->version = visit->key->version;
	*ret_why = NAT_COUNT_LEFT_NO_PORT;
	return nat_find_port(back, *ret_at) ? server : NULL;
}

/* former: the entry of the half-open flow in whose place it comes, or 0. */
static __always_inline bool nat_add_keys(const struct nat_visit *visit, __u32 number, __u32 former)
{
	__u32 to_server = nat_half_entry(number, FLOW_TO_SERVER);
	__u32 to_client = nat_half_entry(number, FLOW_TO_CLIENT);
	if (flow_add_key(&visit->scratch->back_key, to_client) != FLOW_INDEX_ADDED)
		return false;
	if (former != 0 ? flow_change_key(visit->key, former, to_server)
			: flow_add_key(visit->key, to_server) == FLOW_INDEX_ADDED)
		return true;
	flow_remove_key(&visit->scratch->back_key, to_client);
	return false;
}

/* Makes a half-open flow of the packet and sends it on; as nat_add_keys. Returns -1 when that is not possible, and why. */
static __attribute__((noinline)) int nat_give(const struct nat_visit *visit, const struct nat_service *service,
					      __u32 service_number, __u32 former, int *ret_why)
{
	__u32 at, number;
	const struct nat_server *server = nat_find_back(visit, service, &at, ret_why);
	if (server == NULL)
		return -1;
	*ret_why = NAT_COUNT_LEFT_FULL;
	struct nat_half *half = nat_new_half(visit, service_number, &number);
	if (half == NULL)
		return -1;
	half->server = at;
	nat_fill_half(visit, server, half);
	__sync_lock_test_and_set(&half->flow.state, FLOW_SLOT_ACTIVE);
	if (nat_add_keys(visit, number, former))
		return nat_forward(visit, &half->flow.sides[FLOW_TO_SERVER]);
	nat_forget(number);
	return -1;
}

/* A UDP session that begins in user space stays there, though there may be room in the kernel a moment later. */
static __always_inline int nat_leave_for_good(const struct nat_visit *visit, __u32 service, __u32 why)
{
	__u32 number;
	struct nat_half *half = visit->key->protocol == IPPROTO_UDP ? nat_new_half(visit, service, &number) : NULL;
	if (half == NULL)
		return nat_leave(why);
	half->stage = NAT_HALF_ELSEWHERE;
	__sync_lock_test_and_set(&half->flow.state, FLOW_SLOT_ACTIVE);
	if (flow_add_key(visit->key, nat_half_entry(number, FLOW_TO_SERVER)) != FLOW_INDEX_ADDED)
		nat_forget(number);
	return nat_leave(why);
}

/* A packet of no flow, to a listen address of the service of this number. */
static __attribute__((noinline)) int nat_begin(const struct nat_visit *visit, __u32 number)
{
	struct nat_service *service = bpf_map_lookup_elem(&nat_services, &number);
	int why;
	if (service == NULL || service->state != NAT_SERVICE_ACTIVE || !nat_is_owner())
		return TC_ACT_UNSPEC;
	if (visit->key->protocol == IPPROTO_TCP && !nat_is_first(visit->packet))
		return TC_ACT_UNSPEC;
	if (visit->packet->has_obstacle)
		return nat_leave(NAT_COUNT_LEFT_OTHER);
	if (!nat_lets_in(service, visit->key))
		return nat_leave(NAT_COUNT_LEFT_ACCESS);
	if (!nat_has_room(service, visit->key))
		return nat_leave_for_good(visit, number, NAT_COUNT_LEFT_LIMIT);
	if (!nat_has_slots())
		return nat_leave_for_good(visit, number, NAT_COUNT_LEFT_FULL);
	visit->scratch->tried_count = 0;
	int action = nat_give(visit, service, number, 0, &why);
	return action >= 0 ? action : nat_leave_for_good(visit, number, why);
}

/* --- half-open flows, from the client ---------------------------------------------------------------------------- */

static __always_inline int nat_forward_half(const struct nat_visit *visit, struct nat_half *half, __u32 way)
{
	return nat_forward(visit, &half->flow.sides[way & 1]);
}

/* The same client asks once more. The flow's server has not answered, so another one is asked, if there is one. */
static __always_inline int nat_retry(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	struct nat_service *service = bpf_map_lookup_elem(&nat_services, &half->service);
	struct nat_scratch *scratch = visit->scratch;
	int why;
	if (service == NULL || half->tried_count + 1 >= service->tries_max || half->tried_count >= NAT_TRIED_MAX)
		return nat_forward_half(visit, half, FLOW_TO_SERVER);
	__builtin_memcpy(scratch->tried, half->tried, sizeof(scratch->tried));
	scratch->tried[half->tried_count & (NAT_TRIED_MAX - 1)] = half->server;
	scratch->tried_count = half->tried_count + 1;
	if (half->stage == NAT_HALF_NEW)
		nat_tell(NAT_EVENT_UNANSWERED, visit->key, half, false);
	int action = nat_give(visit, service, half->service, nat_half_entry(number, FLOW_TO_SERVER), &why);
	if (action < 0)
		return nat_forward_half(visit, half, FLOW_TO_SERVER);
	nat_forget(number);
	nat_count(NAT_COUNT_RETRIED);
	return action;
}

static __always_inline bool nat_is_within(__u32 number, __u32 from, __u32 bytes)
{
	return number - from < bytes;
}

/* Does it acknowledge the server's SYN, from where the client's bytes begin? */
static __always_inline bool nat_establishes(const struct flow_packet *packet, const struct nat_half *half)
{
	return half->stage == NAT_HALF_ANSWERED &&
	       nat_is_within(packet->tcp_ack, half->server_first, NAT_FIRST_BYTES_MAX) &&
	       nat_is_within(packet->tcp_seq, half->client_first, NAT_FIRST_BYTES_MAX);
}

/* What ends it has to be sent on first. */
static __always_inline int nat_forward_last(const struct nat_visit *visit, struct nat_half *half, __u32 number,
					    __u32 way)
{
	int action = nat_forward_half(visit, half, way);
	nat_forget(number);
	return action;
}

/* A limit was reached meanwhile: the server is told that there is no connection, and the client finds out. */
static __always_inline int nat_end_limited(const struct nat_visit *visit, struct nat_half *half, __u32 number,
					   bool is_by_rate)
{
	nat_tell(NAT_EVENT_LIMITED, visit->key, half, is_by_rate);
	nat_count(NAT_COUNT_DROPPED_LIMIT);
	nat_make_reset(visit);
	return nat_forward_last(visit, half, number, FLOW_TO_SERVER);
}

/* The client's half of the handshake is there. */
static __always_inline int nat_complete(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	struct flow_slot *slot;
	enum nat_outcome outcome = nat_establish(visit, half, number, &slot);
	if (outcome == NAT_LIMITED || outcome == NAT_LIMITED_BY_RATE)
		return nat_end_limited(visit, half, number, outcome == NAT_LIMITED_BY_RATE);
	/* It comes again. */
	if (outcome == NAT_FULL)
		return nat_drop(NAT_COUNT_DROPPED_FULL);
	if (outcome == NAT_LOST)
		return nat_forward_half(visit, half, FLOW_TO_SERVER);
	return nat_forward_first(visit, slot, FLOW_TO_SERVER);
}

static __always_inline int nat_begin_anew(const struct nat_visit *visit, __u32 service, __u32 number)
{
	nat_forget(number);
	return nat_begin(visit, service);
}

/* Would the server believe this reset of the client's? One that has not answered has perhaps told it numbers that are not here. */
static __always_inline bool nat_gives_up(const struct flow_packet *packet, const struct nat_half *half)
{
	return half->stage != NAT_HALF_ANSWERED ||
	       nat_is_within(packet->tcp_seq, half->client_first, NAT_FIRST_BYTES_MAX);
}

static __always_inline int nat_from_client_tcp(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	const struct flow_packet *packet = visit->packet;
	if (packet->tcp_flags & FLOW_TCP_RST)
		return nat_gives_up(packet, half) ? nat_forward_last(visit, half, number, FLOW_TO_SERVER)
						  : nat_forward_half(visit, half, FLOW_TO_SERVER);
	if (nat_is_first(packet) && packet->tcp_seq == half->client_first)
		return half->stage == NAT_HALF_ANSWERED ? nat_forward_half(visit, half, FLOW_TO_SERVER)
							: nat_retry(visit, half, number);
	if (nat_is_first(packet))
		return nat_begin_anew(visit, half->service, number);
	return nat_establishes(packet, half) ? nat_complete(visit, half, number) : TC_ACT_UNSPEC;
}

/* As long as its server has not replied a flow may go to another one. */
static __always_inline int nat_from_client_udp(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	struct nat_service *service = bpf_map_lookup_elem(&nat_services, &half->service);
	const struct nat_server *server = bpf_map_lookup_elem(&nat_servers, &half->server);
	__u32 *seen_tick = &half->flow.sides[FLOW_TO_SERVER].seen_tick;
	__u32 now_tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	if (half->stage == NAT_HALF_ELSEWHERE && service != NULL && now_tick - *seen_tick < service->idle_ticks) {
		*seen_tick = now_tick;
		return TC_ACT_UNSPEC;
	}
	__u32 age_ticks = (bpf_ktime_get_ns() - half->flow.start_ns) >> FLOW_TICK_SHIFT;
	if (half->stage != NAT_HALF_ELSEWHERE && service != NULL && server != NULL &&
	    server->state == half->server_state && age_ticks < service->new_ticks)
		return nat_forward_half(visit, half, FLOW_TO_SERVER);
	return nat_begin_anew(visit, half->service, number);
}

/* --- half-open flows, from the server ---------------------------------------------------------------------------- */

/* The server refuses. As long as another one can be asked the client does not hear of it. */
static __always_inline int nat_refuse(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	struct nat_service *service = bpf_map_lookup_elem(&nat_services, &half->service);
	struct flow_key client_key;
	bool was_answered = half->stage == NAT_HALF_ANSWERED;
	flow_slot_key(&half->flow, FLOW_TO_SERVER, &client_key);
	if (!was_answered)
		nat_tell(NAT_EVENT_REFUSED, &client_key, half, false);
	if (!was_answered && service != NULL && half->tried_count + 1 < service->tries_max &&
	    half->tried_count < NAT_TRIED_MAX) {
		half->stage = NAT_HALF_REFUSED;
		return TC_ACT_SHOT;
	}
	return nat_forward_last(visit, half, number, FLOW_TO_CLIENT);
}

/* Would the client believe this reset of the server's (RFC 9293 3.5.3)? Others it gets, and leaves them alone. */
static __always_inline bool nat_is_refusal(const struct flow_packet *packet, const struct nat_half *half)
{
	if (half->stage == NAT_HALF_ANSWERED)
		return nat_is_within(packet->tcp_seq, half->server_first, NAT_FIRST_BYTES_MAX);
	return (packet->tcp_flags & FLOW_TCP_ACK) && packet->tcp_ack == half->client_first;
}

static __always_inline int nat_from_server_tcp(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	const struct flow_packet *packet = visit->packet;
	if (packet->tcp_flags & FLOW_TCP_RST)
		return nat_is_refusal(packet, half) ? nat_refuse(visit, half, number)
						    : nat_forward_half(visit, half, FLOW_TO_CLIENT);
	if ((packet->tcp_flags & FLOW_TCP_SYN) && (packet->tcp_flags & FLOW_TCP_ACK)) {
		half->server_first = packet->tcp_seq;
		half->stage = NAT_HALF_ANSWERED;
	} else if (half->stage == NAT_HALF_NEW) {
		/* It still has the connection that came from this port before; the client's reset ends that. */
		half->stage = NAT_HALF_REFUSED;
	}
	return nat_forward_half(visit, half, FLOW_TO_CLIENT);
}

static __always_inline int nat_from_server_udp(const struct nat_visit *visit, struct nat_half *half, __u32 number)
{
	struct flow_slot *slot;
	enum nat_outcome outcome = nat_establish(visit, half, number, &slot);
	if (outcome == NAT_ESTABLISHED)
		return nat_forward_first(visit, slot, FLOW_TO_CLIENT);
	if (outcome == NAT_LOST)
		return nat_forward_half(visit, half, FLOW_TO_CLIENT);
	return nat_drop(outcome == NAT_FULL ? NAT_COUNT_DROPPED_FULL : NAT_COUNT_DROPPED_LIMIT);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static __always_inline int nat_packet_of_half(const struct nat_visit *visit, __u32 entry)
{
	__u32 number = flow_entry_number(entry);
	struct nat_half *half = nat_half_at(number);
	bool is_tcp = visit->key->protocol == IPPROTO_TCP;
	if (half == NULL)
		return TC_ACT_UNSPEC;
	if (flow_entry_way(entry) == FLOW_TO_CLIENT)
		return is_tcp ? nat_from_server_tcp(visit, half, number) : nat_from_server_udp(visit, half, number);
	return is_tcp ? nat_from_client_tcp(visit, half, number) : nat_from_client_udp(visit, half, number);
}

/* A packet that belongs to no established flow. entry: of the half-open one, or 0. */
static __always_inline int nat_packet(struct __sk_buff *skb, struct flow_packet *packet, struct flow_key *key,
				      __u32 entry)
{
	__u32 zero = 0;
	struct nat_visit visit = { .skb = skb, .packet = packet, .key = key };
	if (!nat_shared.is_on)
		return TC_ACT_UNSPEC;
	visit.scratch = bpf_map_lookup_elem(&nat_scratches, &zero);
	if (visit.scratch == NULL)
		return TC_ACT_UNSPEC;
	if (entry != 0)
		return nat_packet_of_half(&visit, entry);
	struct nat_listen listen = {
		.port_be16 = key->dest_port_be16,
		.protocol = key->protocol,
		.version = key->version,
	};
	__builtin_memcpy(listen.ip, key->dest, sizeof(listen.ip));
	__u32 *service = bpf_map_lookup_elem(&nat_listens, &listen);
	return service != NULL ? nat_begin(&visit, *service) : TC_ACT_UNSPEC;
}

#endif
