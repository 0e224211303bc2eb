/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the flow program (flow.bpf.c) and user space (src/kernel/flow_table.h) have in common: the layouts of its maps. They
 * are pinned and outlive both sides, so a change here is another FLOW_ABI_VERSION. Compiled as BPF and as C; plain types
 * only. Numbers are in host order where the name does not say _be16.
 *
 * A flow is a slot, and two keys that lead to it, one for each way its packets go; see flow_index.h. Addresses of IPv4 take
 * the first four bytes, and all others are zero.
 */
#ifndef BPF_FLOW_ABI_H
#define BPF_FLOW_ABI_H

#include <linux/types.h>

enum {
	FLOW_ABI_VERSION = 2,
	FLOW_TICK_SHIFT = 24, /* a tick is 2^24 ns of CLOCK_MONOTONIC, 16.8 ms; 32 bits of them are two years */
};

/* A packet as it arrives. */
struct flow_key {
	__u8 source[16];
	__u8 dest[16];
	__be16 source_port_be16;
	__be16 dest_port_be16;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 version;  /* 4 or 6 */
	__u16 zero;
} __attribute__((aligned(8)));

enum flow_way { FLOW_TO_SERVER, FLOW_TO_CLIENT, FLOW_WAY_COUNT };

enum { FLOW_BUCKET_ENTRIES = 15 };

/* Of the index of keys, flow_index.h. */
struct flow_bucket {
	__u32 entries[FLOW_BUCKET_ENTRIES];
	__u32 spilled; /* keys that belong here and stand elsewhere */
};

/*
 * A way out is the index of an interface; with this bit the destination is on the link there, and not behind a router, so that
 * nobody has to look for a route.
 */
enum { FLOW_INTERFACE_BITS = 0x7fffffff };
#define FLOW_ON_LINK 0x80000000u

/* What happens to the packets that go one way, and what did. */
struct flow_side {
	/* What they get. */
	__u8 source[16];
	__u8 dest[16];
	__be16 source_port_be16;
	__be16 dest_port_be16;
	__u32 way_out; /* where they leave, see FLOW_ON_LINK */
	/* TCP whose two connections were joined, see tcp_translate.h; else zero. */
	__u64 clock;       /* tcp_clock of who sends these; the program chooses it with the first segment */
	__u32 seq_delta;   /* added to sequence numbers; that of the other side is taken from acknowledgements */
	__u8 shift_in : 4; /* of windows, at most 14 */
	__u8 shift_out : 4;
	__u8 tcp_flags; /* all of enum flow_tcp_flags that were seen */
	__u16 path_mtu; /* as ICMP says, of flows with a socket: the largest IP packet that the path takes; else 0 */
	/* Counts. The program adds, user space only reads. */
	__u64 bytes;   /* of payload; TCP: where the next new byte stands, whose low 32 bits are its sequence number */
	__u32 packets; /* wraps around */
	__u32 seen_tick;
	/*
	 * What `bytes` was when the flow began. TCP whose connections were joined: the number of the first byte that does not go
	 * through the sockets, as far as user space knows, which moves it on before a socket sends more.
	 */
	__u32 first;
	__u32 acked; /* TCP: the highest acknowledgement in these packets */
};

/* The first five as in the TCP header. */
enum flow_tcp_flags {
	FLOW_TCP_FIN = 0x01,
	FLOW_TCP_SYN = 0x02,
	FLOW_TCP_RST = 0x04,
	FLOW_TCP_ACK = 0x10,
	FLOW_TCP_FIN_FIRST = 0x80, /* the other side had sent none before */
};

/* How far ahead of what was seen of a stream a reset may be: bytes that were lost on the way, or are on another processor. */
enum { FLOW_RESET_AHEAD_MAX = 65536 };

enum flow_slot_state {
	FLOW_SLOT_FREE,
	FLOW_SLOT_TAKEN,  /* user space is filling or emptying it; the program leaves its packets to the stack */
	FLOW_SLOT_ACTIVE, /* packets are sent on */
};

enum flow_slot_flags {
	FLOW_SLOT_TRANSLATES_TCP = 1, /* sequence numbers and the rest of joined connections */
	FLOW_SLOT_HAS_TIMESTAMPS = 2,
	FLOW_SLOT_HAS_SOCKET = 4, /* what the program cannot send on, the stack takes to a socket */
	FLOW_SLOT_IS_NAT = 8,     /* it began in the kernel */
	FLOW_SLOT_HAS_TAIL = 16,  /* the sockets of joined connections have sent what is not acknowledged */
	/* User space has not yet looked at what these sockets had received when the flow began. */
	FLOW_SLOT_TAIL_IS_UNKNOWN = 32,
};

struct flow_slot {
	__u32 state;
	__u8 version;
	__u8 protocol;
	__u8 flags;
	__u8 algorithm; /* by which user space has chosen the server */
	__u64 start_ns; /* CLOCK_MONOTONIC, when the flow began */
	struct flow_side sides[FLOW_WAY_COUNT];
	__u8 zero[16]; /* of three cache lines */
};

/*
 * What became of packets that belong to flows. Those that could not be sent on are left to the network stack, and dropped
 * when their flow has no socket there. Counters for each CPU.
 */
#define FLOW_COUNT_LIST(X)                                                                                             \
	X(FORWARDED, "forwarded", "sent on in the kernel")                                                             \
	X(ERRORS, "errors", "ICMP errors about flows without a socket, sent on in the kernel")                         \
	X(FRAGMENT, "fragment", "a fragment")                                                                          \
	X(OPTIONS, "options", "it has IP options or extension headers")                                                \
	X(LIFETIME, "lifetime", "its time to live is over")                                                            \
	X(TOO_BIG, "too_big", "larger than the way on can carry")                                                      \
	X(RETURNED, "returned", "left to the network stack: its flow goes back to user space, or has ended")           \
	X(SOCKET, "socket", "left to the network stack: it acknowledges what a socket of the flow has sent")           \
	X(DROPPED, "dropped", "dropped: a TCP header of a joined flow that cannot be read")                            \
	X(FAILED, "failed", "it could not be changed")

enum flow_count {
#define FLOW_COUNT_ENUM(name, word, meaning) FLOW_COUNT_##name,
	FLOW_COUNT_LIST(FLOW_COUNT_ENUM)
#undef FLOW_COUNT_ENUM
		FLOW_COUNT_COUNT
};

#endif
