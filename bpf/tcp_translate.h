/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Translates the TCP header of a segment that goes from one of two joined connections to the other (docs/joining.md). Pure:
 * it changes a copy of the header and nothing else, knows neither packets nor maps, and leaves the checksum to the caller,
 * who makes the difference of the copy before and after (bpf_csum_diff) and writes ports and header back. Compiled as BPF
 * and as C for tests, which hold both against a model that is written in another way.
 *
 * A segment comes from its sender in the numbers of the sender's connection, and leaves in those of the other connection.
 * Sequence numbers, acknowledgements and the edges of SACK blocks move by constants, the window changes its scale, and
 * timestamps move by the difference of two clocks. Nothing else changes: the urgent pointer counts from the sequence number;
 * options that are not known here carry no such numbers, or belong to nobody at the other side.
 *
 * Options may stand at any offset, and a loop that goes from one to the next would be followed by the kernel's verifier through
 * every layout there is. So what is looked at is every offset in its turn, and whether an option begins there. The usual
 * layout is found without that.
 *
 * Sources: RFC 9293 (TCP), 7323 (window scale, timestamps), 2018 and 2883 (SACK, D-SACK), 6191 and 5961 (segments that do
 * not belong).
 */
#ifndef BPF_TCP_TRANSLATE_H
#define BPF_TCP_TRANSLATE_H

#include <linux/tcp.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Every turn of the loop that follows becomes code of its own, with offsets that are known; what is called there does not. */
#ifdef __bpf__
#define TCP_UNROLL _Pragma("clang loop unroll(full)")
#define TCP_ONCE   __attribute__((noinline))
#else
#define TCP_UNROLL
#define TCP_ONCE inline
#endif

enum {
	TCP_HEADER_BYTES_MIN = 20,
	TCP_HEADER_BYTES_MAX = 60, /* the data offset has four bits */
	TCP_SCALE_MAX = 14,        /* RFC 7323 2.3 */
	TCP_WINDOW_MAX = 65535,
	TCP_CLOCK_AHEAD_MS = 100, /* less than the least retransmission time-out of anybody */

	TCP_OPTION_END = 0,
	TCP_OPTION_NOTHING = 1,
	TCP_OPTION_SACK = 5,
	TCP_OPTION_TIMESTAMPS = 8,
	TCP_TIMESTAMPS_BYTES = 10, /* kind, length, TSval, TSecr */
	TCP_SACK_HEAD_BYTES = 2,
	TCP_EVERY_FOURTH = 0x11111111, /* bits at which the edges of up to four blocks stand */
	TCP_SACK_BLOCK_BYTES = 8,      /* two edges */

	/* The first four bytes of the usual layout: two NOPs before the option, whose numbers then stand at multiples of four. */
	TCP_ALIGNED_TIMESTAMPS = 0x0101080a,
	TCP_USUAL_OPTIONS_AT = 5, /* in words, as all of these */
	TCP_USUAL_TSVAL_AT = 6,
	TCP_USUAL_TSECR_AT = 7,
	TCP_USUAL_WORDS = 8,
	TCP_USUAL_BYTES = 4 * TCP_USUAL_WORDS,
};

/*
 * The clock of one side as the other side is shown it. It is chosen by the first of its segments that is translated, because
 * nothing tells a socket's owner what the peer's clock says. In one word, so that processors that meet here agree:
 *
 *   chosen      the high half is added to TSval; the low half, which is odd, is the TSval that was shown first
 *   not chosen  the high half is what strait's own clock says to that other side when CLOCK_MONOTONIC is 0, in
 *               milliseconds; the low half is 0
 */
typedef __u64 tcp_clock;

/*
 * What is done to segments of one direction. X is who sends them, Y who gets them, both joined by strait.
 */
struct tcp_translation {
	__u64 sender_clock;   /* tcp_clock of X, as Y is shown it: added to TSval */
	__u64 receiver_clock; /* tcp_clock of Y, as X is shown it: taken from TSecr */
	__u32 seq_delta;      /* added to the sequence number */
	__u32 ack_delta;      /* taken from the acknowledgement and from SACK edges: the other direction's seq_delta */
	__u8 shift_in;        /* the window scale that X announced to strait; 0 to TCP_SCALE_MAX */
	__u8 shift_out;       /* the one that strait announced to Y */
	__u8 has_timestamps;  /* both connections use them */
	__u8 reserved[5];
};

/*
 * A copy of a header, to be changed, and what is found out about its options: numbers at the offset N are bit N. The copy
 * has to lie in a map's value. Of what is there the verifier knows nothing, so that it need not follow every layout apart;
 * volatile, so that the compiler reads it from there.
 */
struct tcp_header {
	union {
		struct tcphdr fixed;
		__be32 words[TCP_HEADER_BYTES_MAX / 4];
		__u8 bytes[TCP_HEADER_BYTES_MAX];
	};
	volatile __u32 next;         /* where the next option begins; at the end of the header there is none */
	volatile __u64 tsval_places; /* TSecr follows */
	volatile __u64 edge_places;  /* of SACK blocks */
	volatile __u32 is_broken;
	__u32 reserved;
};

enum tcp_translated {
	TCP_TRANSLATED,
	/*
	 * Options that cannot be read to their end, or that say something that nobody sends. The copy may be changed in part. To
	 * be dropped: the stack has no socket for the segment any more and would answer with a reset.
	 */
	TCP_BROKEN,
	/* There is a timestamp, and the sender's clock is not chosen yet: tcp_found_tsval, tcp_clock_choose, and again. */
	TCP_WANTS_CLOCK,
};

/* --- clocks ------------------------------------------------------------------------------------------------------ */

static __always_inline tcp_clock tcp_clock_before(__u32 at_zero_ms)
{
	return (__u64)at_zero_ms << 32;
}

static __always_inline bool tcp_clock_is_chosen(tcp_clock clock)
{
	return (__u32)clock != 0;
}

/* The clock by which a segment that says tsval says shown. */
static __always_inline tcp_clock tcp_clock_make(__u32 tsval, __u32 shown)
{
	return (__u64)(shown - tsval) << 32 | shown | 1;
}

/*
 * Chooses: the clock goes on from strait's own, and a little ahead of it. Segments that are translated then are never behind
 * what strait's socket said before, or says at the same time, even when they were under way longer than the first one; and
 * the socket's last segments, which are behind, are taken when they are sent again at the latest (docs/joining.md).
 */
static __always_inline tcp_clock tcp_clock_choose(tcp_clock before, __u32 tsval, __u64 monotonic_ns)
{
	__u32 own = (__u32)(before >> 32) + (__u32)(monotonic_ns / 1000000);
	return tcp_clock_make(tsval, own + TCP_CLOCK_AHEAD_MS);
}

static __always_inline __u32 tcp_clock_delta(tcp_clock clock)
{
	return clock >> 32;
}

static __always_inline __u32 tcp_clock_since(tcp_clock clock)
{
	return (__u32)clock;
}

/*
 * An echo from before the receiver's clock was chosen is an echo of what strait's own socket had said, in a clock of which
 * the receiver knows nothing. It becomes 0, as does an echo of nothing (RFC 7323 3.2): who gets a 0 measures nothing with it.
 */
static __always_inline __u32 tcp_translate_tsecr(tcp_clock clock, __u32 tsecr)
{
	if (tsecr == 0 || !tcp_clock_is_chosen(clock) || (__s32)(tsecr - tcp_clock_since(clock)) < 0)
		return 0;
	return tsecr - tcp_clock_delta(clock);
}

/* --- windows ----------------------------------------------------------------------------------------------------- */

/*
 * Rounded down, because more than there is must not be promised; but what is not 0 does not become 0. A 0 says that the
 * other side takes nothing, and a receiver whose whole window is less than one unit of the scale would never be sent
 * anything again; so it is promised one unit, which is more than it said by less than that unit: what it cannot take it
 * drops, acknowledges what it has, and is sent the rest again. More than 16 bits hold is cut: a window may always be
 * announced smaller.
 */
static __always_inline __u16 tcp_translate_window(__u16 window, __u8 shift_in, __u8 shift_out)
{
	__u32 bytes = (__u32)window << (shift_in & 15);
	__u32 units = bytes >> (shift_out & 15);
	if (units == 0 && bytes != 0)
		return 1;
	return units < TCP_WINDOW_MAX ? units : TCP_WINDOW_MAX;
}

/* --- options ----------------------------------------------------------------------------------------------------- */

/*
 * Numbers at offsets that are known when this is compiled, and need not be even. Every machine that has a JIT worth the
 * name reads them in one instruction; the verifier refuses the program on others.
 */
#ifdef __bpf__
static __always_inline __u32 tcp_load_number(const struct tcp_header *header, __u32 at)
{
	return bpf_ntohl(*(const __be32 *)(header->bytes + at));
}

static __always_inline void tcp_store_number(struct tcp_header *header, __u32 at, __u32 number)
{
	*(__be32 *)(header->bytes + at) = bpf_htonl(number);
}
#else
static inline __u32 tcp_load_number(const struct tcp_header *header, __u32 at)
{
	__be32 number_be32;
	__builtin_memcpy(&number_be32, header->bytes + at, sizeof(number_be32));
	return bpf_ntohl(number_be32);
}

static inline void tcp_store_number(struct tcp_header *header, __u32 at, __u32 number)
{
	__be32 number_be32 = bpf_htonl(number);
	__builtin_memcpy(header->bytes + at, &number_be32, sizeof(number_be32));
}
#endif

/*
 * Notes the numbers of the option that begins at an offset, and where the next one begins. A D-SACK is a block like others:
 * its edges are numbers of the same sequence, even below the acknowledgement. No part of the code that is unrolled.
 */
static TCP_ONCE void tcp_note_option(struct tcp_header *header, __u32 at, __u8 kind, __u8 length)
{
	__u32 number_at = (at + 2) & 63;
	header->next = at + length;
	if (kind == TCP_OPTION_TIMESTAMPS) {
		header->is_broken |= length != TCP_TIMESTAMPS_BYTES;
		header->tsval_places |= 1ULL << number_at;
	} else if (kind == TCP_OPTION_SACK) {
		__u32 blocks_bytes = (length - TCP_SACK_HEAD_BYTES) & 63;
		header->is_broken |= blocks_bytes == 0 || blocks_bytes % TCP_SACK_BLOCK_BYTES != 0;
		header->edge_places |= (TCP_EVERY_FOURTH & ((1ULL << blocks_bytes) - 1)) << number_at;
	}
}

static TCP_ONCE void tcp_look_at_option(struct tcp_header *header, __u32 at, __u8 kind, __u8 length, __u32 header_bytes)
{
	if (kind == TCP_OPTION_END) {
		header->next = TCP_HEADER_BYTES_MAX;
	} else if (kind == TCP_OPTION_NOTHING) {
		header->next = at + 1;
	} else if (length < 2 || at + length > header_bytes) {
		header->next = TCP_HEADER_BYTES_MAX;
		header->is_broken = 1;
	} else {
		tcp_note_option(header, at, kind, length);
	}
}

static __always_inline void tcp_find_places(struct tcp_header *header, __u32 header_bytes)
{
	header->next = TCP_HEADER_BYTES_MIN;
	header->tsval_places = 0;
	header->edge_places = 0;
	header->is_broken = 0;
	TCP_UNROLL
	for (__u32 at = TCP_HEADER_BYTES_MIN; at < TCP_HEADER_BYTES_MAX; at++) {
		__u8 length = at + 1 < TCP_HEADER_BYTES_MAX ? header->bytes[at + 1] : 0;
		if (header->next == at && at < header_bytes)
			tcp_look_at_option(header, at, header->bytes[at], length, header_bytes);
	}
}

static __always_inline void tcp_translate_timestamps(const struct tcp_translation *translation,
						     struct tcp_header *header)
{
	__u32 delta = tcp_clock_delta(translation->sender_clock);
	TCP_UNROLL
	for (__u32 at = TCP_HEADER_BYTES_MIN + 2; at <= TCP_HEADER_BYTES_MAX - 8; at++) {
		if ((header->tsval_places & 1ULL << at) == 0)
			continue;
		__u32 tsecr = tcp_load_number(header, at + 4);
		tcp_store_number(header, at, tcp_load_number(header, at) + delta);
		tcp_store_number(header, at + 4, tcp_translate_tsecr(translation->receiver_clock, tsecr));
	}
}

static __always_inline void tcp_translate_edges(const struct tcp_translation *translation, struct tcp_header *header)
{
	TCP_UNROLL
	for (__u32 at = TCP_HEADER_BYTES_MIN + 2; at <= TCP_HEADER_BYTES_MAX - 4; at++) {
		if ((header->edge_places & 1ULL << at) != 0)
			tcp_store_number(header, at, tcp_load_number(header, at) - translation->ack_delta);
	}
}

/* Any layout. Timestamps that were not agreed on are left as they are: the other side does not look at them. */
static __always_inline enum tcp_translated tcp_translate_options(const struct tcp_translation *translation,
								 struct tcp_header *header, __u32 header_bytes)
{
	tcp_find_places(header, header_bytes);
	if (header->is_broken)
		return TCP_BROKEN;
	if (header->tsval_places != 0 && translation->has_timestamps) {
		if (!tcp_clock_is_chosen(translation->sender_clock))
			return TCP_WANTS_CLOCK;
		tcp_translate_timestamps(translation, header);
	}
	if (header->edge_places != 0)
		tcp_translate_edges(translation, header);
	return TCP_TRANSLATED;
}

/*
 * Returns whether the options are just timestamps in the usual layout, or none at all, and does them. The words of a header
 * are TCP_USUAL_WORDS, or five, as its length says.
 */
static __always_inline bool tcp_translate_usual_options(const struct tcp_translation *translation, __be32 *words,
							__u32 header_bytes)
{
	if (header_bytes == TCP_HEADER_BYTES_MIN)
		return true;
	if (header_bytes != TCP_USUAL_BYTES || !tcp_clock_is_chosen(translation->sender_clock) ||
	    translation->has_timestamps == 0 || words[TCP_USUAL_OPTIONS_AT] != bpf_htonl(TCP_ALIGNED_TIMESTAMPS))
		return false;
	__u32 tsval = bpf_ntohl(words[TCP_USUAL_TSVAL_AT]) + tcp_clock_delta(translation->sender_clock);
	__u32 tsecr = bpf_ntohl(words[TCP_USUAL_TSECR_AT]);
	words[TCP_USUAL_TSVAL_AT] = bpf_htonl(tsval);
	words[TCP_USUAL_TSECR_AT] = bpf_htonl(tcp_translate_tsecr(translation->receiver_clock, tsecr));
	return true;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* The header without its options. The acknowledgement of a segment that has none, like some resets, is no number. */
static __always_inline void tcp_translate_fixed(const struct tcp_translation *translation, struct tcphdr *tcp)
{
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) + translation->seq_delta);
	if (tcp->ack)
		tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->ack_seq) - translation->ack_delta);
	/* A window in a SYN has no scale (RFC 7323 2.2), whoever sends one here. */
	if (!tcp->syn)
		tcp->window = bpf_htons(
			tcp_translate_window(bpf_ntohs(tcp->window), translation->shift_in, translation->shift_out));
}

/*
 * Translates the header but for its ports and its checksum. header_bytes: four times its data offset, TCP_HEADER_BYTES_MIN
 * to TCP_HEADER_BYTES_MAX. Only after TCP_TRANSLATED the copy may be used.
 */
static __always_inline enum tcp_translated tcp_translate(const struct tcp_translation *translation,
							 struct tcp_header *header, __u32 header_bytes)
{
	if (header_bytes < TCP_HEADER_BYTES_MIN || header_bytes > TCP_HEADER_BYTES_MAX)
		return TCP_BROKEN;
	if (!tcp_translate_usual_options(translation, header->words, header_bytes)) {
		enum tcp_translated result = tcp_translate_options(translation, header, header_bytes);
		if (result != TCP_TRANSLATED)
			return result;
	}
	tcp_translate_fixed(translation, &header->fixed);
	return TCP_TRANSLATED;
}

/*
 * Finds the time that a segment says, after TCP_WANTS_CLOCK and before the copy is changed. Where an option is there twice
 * it is the first; both get the same clock.
 */
static __always_inline __u32 tcp_found_tsval(const struct tcp_header *header)
{
	TCP_UNROLL
	for (__u32 at = TCP_HEADER_BYTES_MIN + 2; at <= TCP_HEADER_BYTES_MAX - 8; at++) {
		if ((header->tsval_places & 1ULL << at) != 0)
			return tcp_load_number(header, at);
	}
	return 0;
}

#endif
