/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP flows whose two connections were joined: their headers are translated (tcp_translate.h), and what they acknowledge is
 * noted in the slot, for user space. A segment that cannot be translated is dropped: no socket would know
 * it, and the stack would answer with a reset.
 */
#ifndef BPF_FLOW_TCP_H
#define BPF_FLOW_TCP_H

#include "bpf/flow_abi.h"
#include "bpf/flow_packet.h"
#include "bpf/flow_rewrite.h"
#include "bpf/tcp_translate.h"

enum { FLOW_TAIL_WINDOW = 32768 };

struct flow_tcp_copy {
	struct tcp_translation translation;
	struct tcp_header header;
	__u8 before[TCP_HEADER_BYTES_MAX];
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_tcp_copy);
} tcp_copies SEC(".maps");

static __always_inline bool flow_load_tcp(struct __sk_buff *skb, __u32 l4_at, struct flow_tcp_copy *copy,
					  __u32 *ret_bytes)
{
	struct tcp_header *header = &copy->header;
	if (bpf_skb_load_bytes(skb, l4_at, header, TCP_HEADER_BYTES_MIN) < 0)
		return false;
	__u32 bytes = header->fixed.doff * 4;
	if (bytes < TCP_HEADER_BYTES_MIN)
		return false;
	*ret_bytes = bytes;
	if (bytes > TCP_HEADER_BYTES_MIN &&
	    bpf_skb_load_bytes(skb, l4_at + TCP_HEADER_BYTES_MIN, header->bytes + TCP_HEADER_BYTES_MIN,
			       bytes - TCP_HEADER_BYTES_MIN) < 0)
		return false;
	__builtin_memcpy(copy->before, header->bytes, TCP_HEADER_BYTES_MAX);
	return true;
}

/* Acknowledgements that came in another order than they were sent in do not go back. */
static __always_inline void flow_note_acked(struct flow_side *side, __u32 acked)
{
	if ((__s32)(acked - side->acked) > 0)
		side->acked = acked;
}

/*
 * What the sender acknowledges when it has all that strait's socket has sent it, the tail; by so much less than that it
 * acknowledges now. 0 without a tail.
 */
static __always_inline __u32 flow_missing_tail(const struct flow_slot *slot, __u32 way, const struct tcp_header *header)
{
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	__s32 missing = (__s32)(back->first + back->seq_delta - bpf_ntohl(header->fixed.ack_seq));
	if ((slot->flags & FLOW_SLOT_HAS_TAIL) == 0 || !header->fixed.ack || missing < 0)
		return 0;
	return missing;
}

/*
 * While strait's socket still sends the sender something, it needs its acknowledgements: for its window, and to send again
 * what was lost. They tell the other side nothing that it has not heard before; so they are the socket's alone, unless they
 * carry something for the other side as well.
 *
 * They echo no time to it. The socket acknowledges less than the other side does meanwhile, and of what acknowledges too
 * little a receiver does not keep the time; so echoes stay behind, and the socket would take every loss for a mistake, and
 * every round trip for longer than the one before.
 */
static __always_inline bool flow_is_for_socket(const struct tcp_header *header, __u32 missing, __u32 payload_bytes)
{
	const struct tcphdr *tcp = &header->fixed;
	return missing > 0 && payload_bytes == 0 && !tcp->syn && !tcp->fin && !tcp->rst;
}

/*
 * The socket takes nothing whose number is beyond its window, and the sender may have sent the other side more than that; so
 * the number becomes the one that the socket expects.
 */
static __always_inline void flow_hide_progress(struct tcp_header *header, __u32 first)
{
	if ((__s32)(bpf_ntohl(header->fixed.seq) - first) > 0)
		header->fixed.seq = bpf_htonl(first);
}

static __always_inline struct tcp_translation flow_translation_for_socket(const struct flow_slot *slot)
{
	return (struct tcp_translation){
		.sender_clock = tcp_clock_make(0, 0), /* the same */
		.has_timestamps = (slot->flags & FLOW_SLOT_HAS_TIMESTAMPS) != 0,
	};
}

/*
 * What is for the other side acknowledges all that the other side knows to be acknowledged: for the same reason. Its window
 * ends where it did.
 */
static __always_inline void flow_hide_missing(struct tcp_header *header, __u32 missing, __u8 shift_in)
{
	__u32 window = (__u32)bpf_ntohs(header->fixed.window) << (shift_in & 15);
	header->fixed.ack_seq = bpf_htonl(bpf_ntohl(header->fixed.ack_seq) + missing);
	header->fixed.window = bpf_htons(window > missing ? (window - missing) >> (shift_in & 15) : 0);
}

/*
 * While the receiver of this segment, X, still has to get a tail, strait's socket tells it an acknowledgement that stands still. A
 * receiver drops what acknowledges less than it knows to be acknowledged by more than the largest window that it was ever
 * given (RFC 5961 5.2); so X must not get further than FLOW_TAIL_WINDOW ahead of that socket, and is told of no larger window.
 * Neither as long as nobody knows whether there is a tail.
 */
static __always_inline void flow_bound_window(const struct flow_slot *slot, __u32 way, struct tcp_header *header)
{
	const struct flow_side *side = &slot->sides[way & 1];
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	bool has_tail = (slot->flags & FLOW_SLOT_TAIL_IS_UNKNOWN) != 0 ||
			(__s32)(back->acked - (side->first + side->seq_delta)) < 0;
	if ((slot->flags & FLOW_SLOT_HAS_TAIL) == 0 || !has_tail || !header->fixed.ack || header->fixed.syn)
		return;
	__s32 ahead = (__s32)(bpf_ntohl(header->fixed.ack_seq) - (back->first + back->seq_delta));
	__u32 bound = ahead >= FLOW_TAIL_WINDOW ? 0 : FLOW_TAIL_WINDOW - (ahead > 0 ? ahead : 0);
	if (((__u32)bpf_ntohs(header->fixed.window) << side->shift_in) > bound)
		header->fixed.window = bpf_htons(bound >> side->shift_in);
}

/*
 * A sender numbers what carries nothing by the end of its window when it has sent more than that (Linux, tcp_acceptable_seq),
 * which happens when the window was made smaller meanwhile. The receiver, which has taken what was sent, drops a segment
 * with such an old number, its acknowledgement unread; and with both sides in this state neither ever hears of the other
 * again. So the number becomes the one that the receiver expects. One number less is left alone: that is how a sender asks
 * whether the other side is still there.
 */
static __always_inline bool flow_is_behind(const struct flow_slot *slot, __u32 way, __u32 seq, __u32 payload_bytes)
{
	const struct flow_side *side = &slot->sides[way & 1];
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	return payload_bytes == 0 && (__s32)(seq + side->seq_delta + 1 - back->acked) < 0;
}

static __always_inline void flow_catch_up(const struct flow_slot *slot, __u32 way, struct tcp_header *header,
					  __u32 payload_bytes)
{
	struct tcphdr *tcp = &header->fixed;
	if (flow_is_behind(slot, way, bpf_ntohl(tcp->seq), payload_bytes) && !tcp->syn && !tcp->fin && !tcp->rst)
		tcp->seq = bpf_htonl(slot->sides[(way & 1) ^ 1].acked - slot->sides[way & 1].seq_delta);
}

/*
 * A client that begins a connection with the ports of one that has ended, which is still here for what may be sent again:
 * from here on the flow's packets are the stack's, until user space ends it. In a flow that has not ended a SYN goes on like
 * everything else, and is answered by the server as RFC 5961 says, so that a client that has forgotten its connection resets
 * it.
 */
static __always_inline bool flow_begins_anew(struct flow_slot *slot, __u32 way, const struct tcp_header *header)
{
	__u8 to_server = slot->sides[FLOW_TO_SERVER].tcp_flags;
	__u8 to_client = slot->sides[FLOW_TO_CLIENT].tcp_flags;
	if (to_server & FLOW_TCP_SYN)
		return true;
	bool has_ended = ((to_server & to_client & FLOW_TCP_FIN) | ((to_server | to_client) & FLOW_TCP_RST)) != 0;
	if (way != FLOW_TO_SERVER || !header->fixed.syn || header->fixed.ack || !has_ended)
		return false;
	slot->sides[FLOW_TO_SERVER].tcp_flags = to_server | FLOW_TCP_SYN;
	return true;
}

/* The first segment of a side chooses its clock; of two at the same time, the one that is first here. */
static __always_inline tcp_clock flow_choose_clock(struct flow_side *side, const struct tcp_header *header)
{
	tcp_clock before = side->clock;
	if (tcp_clock_is_chosen(before))
		return before;
	tcp_clock chosen = tcp_clock_choose(before, tcp_found_tsval(header), bpf_ktime_get_ns());
	tcp_clock found = __sync_val_compare_and_swap(&side->clock, before, chosen);
	return found == before ? chosen : found;
}

/*
 * A segment from before the tail's end, which was sent again, or overtaken, must not be ahead of the tail in time: the receiver
 * would take the tail, which the socket sends by its own clock, for a duplicate from another age (RFC 7323 5.3).
 */
static __always_inline tcp_clock flow_clock_for(const struct flow_slot *slot, const struct flow_side *side,
						tcp_clock clock, const struct tcp_header *header)
{
	bool is_old = (__s32)(bpf_ntohl(header->fixed.seq) - side->first) <= 0;
	if ((slot->flags & FLOW_SLOT_HAS_TAIL) == 0 || !is_old || !tcp_clock_is_chosen(clock))
		return clock;
	return clock - ((tcp_clock)TCP_CLOCK_AHEAD_MS << 32);
}

static __always_inline struct tcp_translation flow_translation(const struct flow_slot *slot,
							       const struct flow_side *side,
							       const struct flow_side *back)
{
	return (struct tcp_translation){
		.sender_clock = side->clock,
		.receiver_clock = back->clock,
		.seq_delta = side->seq_delta,
		.ack_delta = back->seq_delta,
		.shift_in = side->shift_in,
		.shift_out = side->shift_out,
		.has_timestamps = (slot->flags & FLOW_SLOT_HAS_TIMESTAMPS) != 0,
	};
}

/* A function that the verifier follows apart. It wants the pointer to be looked at. */
int flow_translate_header(struct flow_tcp_copy *copy, __u32 bytes)
{
	return copy != NULL ? (int)tcp_translate(&copy->translation, &copy->header, bytes) : TCP_BROKEN;
}

enum flow_tcp_verdict { FLOW_TCP_TRANSLATED, FLOW_TCP_FOR_SOCKET, FLOW_TCP_ENDED, FLOW_TCP_DROPPED };

/* What new words make of old ones in the sum over the header of a segment of the usual layout. */
static __always_inline __u32 flow_difference_usual(const __be32 *old, const __be32 *words, __u32 bytes)
{
	enum { SEQ_AT = 1, ACK_AT, FLAGS_AND_WINDOW_AT };
	__u32 sum = flow_add(~old[SEQ_AT], words[SEQ_AT]);
	sum = flow_add(sum, flow_add(~old[ACK_AT], words[ACK_AT]));
	sum = flow_add(sum, flow_add(~old[FLAGS_AND_WINDOW_AT], words[FLAGS_AND_WINDOW_AT]));
	if (bytes < TCP_USUAL_BYTES)
		return sum;
	sum = flow_add(sum, flow_add(~old[TCP_USUAL_TSVAL_AT], words[TCP_USUAL_TSVAL_AT]));
	return flow_add(sum, flow_add(~old[TCP_USUAL_TSECR_AT], words[TCP_USUAL_TSECR_AT]));
}

/* l4_at, bytes: where the header is, and how long; known when this is compiled. Returns false when nothing has changed. */
static __always_inline bool flow_translate_in_place(struct __sk_buff *skb, __u32 l4_at,
						    const struct tcp_translation *translation, __u32 bytes,
						    __u32 *ret_difference)
{
	struct tcphdr *tcp = flow_data(skb) + l4_at;
	__be32 *words = (__be32 *)tcp;
	__be32 old[TCP_USUAL_WORDS];
	if ((void *)tcp + bytes > flow_data_end(skb))
		return false;
	__builtin_memcpy(old, words, bytes);
	if (!tcp_translate_usual_options(translation, words, bytes))
		return false;
	tcp_translate_fixed(translation, tcp);
	*ret_difference = flow_difference_usual(old, words, bytes);
	return true;
}

static __always_inline bool flow_translate_by_length(struct __sk_buff *skb, const struct flow_packet *packet,
						     __u32 l4_at, const struct tcp_translation *translation,
						     __u32 *ret_difference)
{
	if (packet->tcp_header_bytes == TCP_USUAL_BYTES)
		return flow_translate_in_place(skb, l4_at, translation, TCP_USUAL_BYTES, ret_difference);
	if (packet->tcp_header_bytes == TCP_HEADER_BYTES_MIN)
		return flow_translate_in_place(skb, l4_at, translation, TCP_HEADER_BYTES_MIN, ret_difference);
	return false;
}

/*
 * Almost every segment: without a tail, of a connection that goes on, not behind, with timestamps in the usual layout or no
 * options. It is translated where it is. Returns false when it is another one, and then nothing has changed.
 */
static __attribute__((noinline)) bool flow_translate_usual(struct __sk_buff *skb, const struct flow_packet *packet,
							   struct flow_slot *slot, __u32 way, __u32 *ret_difference)
{
	struct flow_side *side = &slot->sides[way & 1];
	bool is_changed = false;
	if ((packet->tcp_flags & FLOW_TCP_SYN) != 0 || (slot->flags & FLOW_SLOT_HAS_TAIL) != 0 ||
	    (slot->sides[FLOW_TO_SERVER].tcp_flags & FLOW_TCP_SYN) != 0 ||
	    flow_is_behind(slot, way, packet->tcp_seq, packet->payload_bytes))
		return false;
	struct tcp_translation translation = flow_translation(slot, side, &slot->sides[(way & 1) ^ 1]);
	if (packet->version == 4)
		is_changed = flow_translate_by_length(skb, packet, ETH_HLEN + sizeof(struct iphdr), &translation,
						      ret_difference);
	else
		is_changed = flow_translate_by_length(skb, packet, ETH_HLEN + sizeof(struct ipv6hdr), &translation,
						      ret_difference);
	if (is_changed && (packet->tcp_flags & FLOW_TCP_ACK) != 0)
		flow_note_acked(side, packet->tcp_ack);
	return is_changed;
}

/* l4_at: of a packet without IP options. A function of its own, with a stack of its own. */
static __attribute__((noinline)) int flow_translate_tcp(struct __sk_buff *skb, struct flow_slot *slot, __u32 way,
							__u32 l4_at, __u32 payload_bytes)
{
	__u32 key = 0;
	__u32 bytes;
	struct flow_side *side = &slot->sides[way & 1];
	const struct flow_side *back = &slot->sides[(way & 1) ^ 1];
	struct flow_tcp_copy *copy = bpf_map_lookup_elem(&tcp_copies, &key);
	if (copy == NULL || !flow_load_tcp(skb, l4_at, copy, &bytes))
		return FLOW_TCP_DROPPED;
	if (flow_begins_anew(slot, way, &copy->header))
		return FLOW_TCP_ENDED;
	if (copy->header.fixed.ack)
		flow_note_acked(side, bpf_ntohl(copy->header.fixed.ack_seq));
	__u32 missing = flow_missing_tail(slot, way, &copy->header);
	bool is_for_socket = flow_is_for_socket(&copy->header, missing, payload_bytes);
	copy->translation = is_for_socket ? flow_translation_for_socket(slot) : flow_translation(slot, side, back);
	if (!is_for_socket)
		copy->translation.sender_clock = flow_clock_for(slot, side, side->clock, &copy->header);
	if (is_for_socket)
		flow_hide_progress(&copy->header, side->first);
	else if (missing > 0)
		flow_hide_missing(&copy->header, missing, side->shift_in);
	if (!is_for_socket) {
		flow_bound_window(slot, way, &copy->header);
		flow_catch_up(slot, way, &copy->header, payload_bytes);
	}
	int result = flow_translate_header(copy, bytes);
	if (result == TCP_WANTS_CLOCK) {
		tcp_clock clock = flow_choose_clock(side, &copy->header);
		copy->translation.sender_clock = flow_clock_for(slot, side, clock, &copy->header);
		result = flow_translate_header(copy, bytes);
	}
	if (result != TCP_TRANSLATED)
		return FLOW_TCP_DROPPED;
	__u32 difference = flow_difference(copy->before, copy->header.bytes, bytes, 0);
	if (bpf_skb_store_bytes(skb, l4_at, copy->header.bytes, bytes, 0) < 0 ||
	    bpf_l4_csum_replace(skb, l4_at + offsetof(struct tcphdr, check), 0, difference, 0) < 0)
		return FLOW_TCP_DROPPED;
	return is_for_socket ? FLOW_TCP_FOR_SOCKET : FLOW_TCP_TRANSLATED;
}

#endif
