// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The flow program: at tc ingress, before the system's network stack sees a packet, it finds the flow that the packet
 * belongs to, gives it the addresses of the other side, and sends it on. Packets of no flow, and those that it cannot send
 * on, go to whatever comes next at this hook, and then to the stack. Loaded and attached by src/kernel/flow_table.h.
 *
 * A packet goes through four steps, each of them a function: read it (flow_packet.h), find its flow, check that it can leave
 * by the interface, change it (flow_rewrite.h).
 *
 * Checksums of layer 4 are not looked at, only moved on by the difference, because those of packets that this machine, or a
 * virtual one on it, has sent are not complete; the kernel's helper knows which (net/core/filter.c, bpf_l4_csum_replace).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "bpf/flow_abi.h"
#include "bpf/flow_packet.h"
#include "bpf/nat_maps.h"

/* Sizes of 1 are set when they are loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} strait_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_slot);
} strait_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_COUNT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} strait_counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&strait_counts, &what);
	if (value != NULL)
		(*value)++;
}

static __always_inline int leave_to_stack(__u32 why)
{
	count(why);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop_packet(__u32 why)
{
	count(why);
	return TC_ACT_SHOT;
}

#include "bpf/flow_find.h"
#include "bpf/flow_send.h"

#include "bpf/flow_icmp.h"
#include "bpf/flow_rewrite.h"
#include "bpf/flow_tcp.h"

enum { PACKET_FOR_US = 0 }; /* PACKET_HOST of linux/if_packet.h */

/* --- counting ---------------------------------------------------------------------------------------------------- */

/*
 * Moves the position of a stream on to the end of what this packet carries: payload, or the end of the stream. What was sent
 * before, and is sent again, does not count; nor does what no window can have let through, and behind a FIN, which has a number
 * like a byte, there is nothing. Another CPU may move it meanwhile.
 */
static __always_inline void note_stream(struct flow_side *side, const struct flow_packet *packet)
{
	enum { TRIES = 4, WINDOW_MAX = 1 << 30 };
	__u32 end = packet->tcp_seq + packet->payload_bytes;
	if (side->tcp_flags & FLOW_TCP_FIN)
		return;
	for (int i = 0; i < TRIES; i++) {
		__u64 position = side->bytes;
		__u32 more = end - (__u32)position;
		if (more == 0 || more > WINDOW_MAX)
			return;
		if (__sync_val_compare_and_swap(&side->bytes, position, position + more) == position)
			return;
	}
}

/*
 * Would the receiver believe this reset? It has to have the number that the receiver expects next (RFC 5961 3.2), which is
 * among those that were sent and not acknowledged; or else anybody who knows addresses and ports could end a flow. What
 * was received and not passed on when connections were joined is not known at once.
 */
static __always_inline bool is_believable_reset(const struct flow_slot *slot, __u32 way,
						const struct flow_packet *packet)
{
	const struct flow_side *side = &slot->sides[way & 1];
	__u32 acked = slot->sides[(way & 1) ^ 1].acked - side->seq_delta;
	__u32 until = (__u32)side->bytes + FLOW_RESET_AHEAD_MAX;
	return (slot->flags & FLOW_SLOT_TAIL_IS_UNKNOWN) || packet->tcp_seq - acked <= until - acked;
}

/* A packet that ends the stream, or the connection. */
static __always_inline void note_end(struct flow_slot *slot, __u32 way, const struct flow_packet *packet)
{
	struct flow_side *side = &slot->sides[way & 1];
	bool is_end =
		(packet->tcp_flags & FLOW_TCP_FIN) && packet->tcp_seq + packet->payload_bytes == (__u32)side->bytes;
	__u8 seen = is_end ? FLOW_TCP_FIN : 0;
	if ((packet->tcp_flags & FLOW_TCP_RST) && is_believable_reset(slot, way, packet))
		seen |= FLOW_TCP_RST;
	if ((side->tcp_flags & seen) == seen)
		return;
	if (is_end && !(slot->sides[(way & 1) ^ 1].tcp_flags & FLOW_TCP_FIN))
		seen |= FLOW_TCP_FIN_FIRST;
	side->tcp_flags |= seen;
}

static __always_inline void note_segment(struct flow_slot *slot, __u32 way, const struct flow_packet *packet)
{
	struct flow_side *side = &slot->sides[way & 1];
	if ((packet->payload_bytes > 0 || (packet->tcp_flags & FLOW_TCP_FIN)) && !(packet->tcp_flags & FLOW_TCP_RST))
		note_stream(side, packet);
	if (!(slot->flags & FLOW_SLOT_TRANSLATES_TCP) && (packet->tcp_flags & FLOW_TCP_ACK))
		flow_note_acked(side, packet->tcp_ack);
	if (packet->tcp_flags & (FLOW_TCP_FIN | FLOW_TCP_RST))
		note_end(slot, way, packet);
}

static __always_inline void note_packet(struct __sk_buff *skb, struct flow_slot *slot, __u32 way,
					const struct flow_packet *packet)
{
	struct flow_side *side = &slot->sides[way & 1];
	__u32 tick = bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
	__sync_fetch_and_add(&side->packets, skb->gso_segs > 1 ? skb->gso_segs : 1);
	if (packet->protocol == IPPROTO_TCP)
		note_segment(slot, way, packet);
	else
		__sync_fetch_and_add(&side->bytes, packet->payload_bytes);
	if (side->seen_tick != tick)
		side->seen_tick = tick;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* Is it narrow enough for the interface? The segments of a super-packet are looked at one by one. */
static __always_inline bool fits(struct __sk_buff *skb, const struct flow_packet *packet, const struct flow_side *side)
{
	enum { ALWAYS_FITS = 1280 }; /* what every link of IPv6 carries (RFC 8200, section 5) */
	__u32 mtu = 0;
	if (side->path_mtu != 0 && packet->ip_bytes > side->path_mtu)
		return false;
	if (packet->ip_bytes <= ALWAYS_FITS && skb->gso_segs <= 1)
		return true;
	return bpf_check_mtu(skb, side->way_out & FLOW_INTERFACE_BITS, &mtu, 0,
			     skb->gso_segs > 1 ? BPF_MTU_CHK_SEGS : 0) == 0;
}

/* The stack would answer with a reset what belongs to no socket. */
static __always_inline int give_up(const struct flow_slot *slot, __u32 why)
{
	return slot->flags & FLOW_SLOT_HAS_SOCKET ? leave_to_stack(why) : drop_packet(why);
}

#include "bpf/nat.h"

/*
 * Has the connection ended, so that a SYN from the same port begins another one? Then its keys are taken away, and user
 * space ends it when it looks at it the next time.
 */
static __always_inline bool makes_way(struct flow_slot *slot, __u32 number, const struct flow_packet *packet)
{
	return packet->protocol == IPPROTO_TCP && (slot->flags & FLOW_SLOT_IS_NAT) && nat_is_first(packet) &&
	       nat_has_ended(slot) && flow_take_out(slot, number);
}

static __always_inline int forward(struct __sk_buff *skb, const struct flow_packet *packet, const struct flow_key *key,
				   struct flow_slot *slot, __u32 way)
{
	struct flow_side *side = &slot->sides[way & 1];
	__u32 difference = 0;
	if (packet->has_obstacle)
		return give_up(slot, packet->obstacle);
	if (!fits(skb, packet, side))
		return give_up(slot, FLOW_COUNT_TOO_BIG);
	if ((slot->flags & FLOW_SLOT_TRANSLATES_TCP) != 0 &&
	    !flow_translate_usual(skb, packet, slot, way, &difference)) {
		int verdict = flow_translate_tcp(skb, slot, way, packet->l4_at, packet->payload_bytes);
		if (verdict == FLOW_TCP_FOR_SOCKET)
			return leave_to_stack(FLOW_COUNT_SOCKET);
		if (verdict == FLOW_TCP_ENDED)
			return leave_to_stack(FLOW_COUNT_RETURNED);
		if (verdict == FLOW_TCP_DROPPED)
			return drop_packet(FLOW_COUNT_DROPPED);
	}
	if (!flow_rewrite(skb, packet, key, side, difference))
		return give_up(slot, FLOW_COUNT_FAILED);
	note_packet(skb, slot, way, packet);
	count(FLOW_COUNT_FORWARDED);
	return flow_send(side, packet->version);
}

SEC("tc") int strait_flow(struct __sk_buff *skb)
{
	struct flow_packet packet = { 0 };
	struct flow_key key = { 0 };
	/* Of another host, which an interface in promiscuous mode lets in. */
	if (skb->pkt_type != PACKET_FOR_US)
		return TC_ACT_UNSPEC;
	int result = flow_packet_read(skb, &packet, &key);
	if (result == FLOW_PACKET_ICMP)
		return flow_icmp(skb, &packet, &key);
	if (result != FLOW_PACKET_READ)
		return TC_ACT_UNSPEC;
	__u32 entry = flow_find(&key);
	__u32 number = flow_entry_number(entry);
	__u32 way = flow_entry_way(entry);
	struct flow_slot *slot = NULL;
	if (entry != 0 && !(entry & FLOW_ENTRY_HALF_OPEN)) {
		slot = bpf_map_lookup_elem(&strait_slots, &number);
		if (slot == NULL || slot->state != FLOW_SLOT_ACTIVE)
			return leave_to_stack(FLOW_COUNT_RETURNED);
		if (way == FLOW_TO_SERVER && makes_way(slot, number, &packet)) {
			slot = NULL;
			entry = 0;
		}
	}
	/* In one place, because what is inlined twice is verified twice. */
	if (slot == NULL)
		return nat_packet(skb, &packet, &key, entry);
	return forward(skb, &packet, &key, slot, way);
}

char _license[] SEC("license") = "Dual BSD/GPL";
