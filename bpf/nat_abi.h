/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the program that begins flows in the kernel (nat.h) and user space (src/kernel/nat_table.h) have in common. Unlike
 * the flows themselves nothing of this outlives a process, but for struct nat_owner, so it has no version. Compiled as BPF
 * and as C; plain types only. Numbers are in host order where the name does not say _be16.
 *
 * Tables are arrays that both sides map into their memory. User space fills what nobody refers to yet and then publishes it
 * with one store: of a pool's word for its choices, of a service's for its networks, of a server's for its state.
 */
#ifndef BPF_NAT_ABI_H
#define BPF_NAT_ABI_H

#include "bpf/flow_abi.h"

enum {
	NAT_TRIED_MAX = 4,           /* servers that a half-open flow remembers to have failed it; a power of two */
	NAT_PORTS_MAX = 65536,       /* that flows may come from */
	NAT_NETWORKS_BLOCKED = 0,    /* the set of networks that no service takes anything from */
	NAT_OWNER_TICKS = 300,       /* 5 s: without a sign of life for so long nothing is begun */
	NAT_WAKE_TICKS = 1,          /* user space is woken at most so often because of events */
	NAT_PROTOCOL_COUNT = 2,      /* TCP, UDP, as enum flow_protocol has them */
	NAT_SLOTS_MAX = 1 << 14,     /* free slots that are set aside; a power of two */
	NAT_HALF_OPEN_MAX = 1 << 15, /* half-open flows; a power of two */
	NAT_CLIENTS_MAX = 4096,      /* clients the way to whom is remembered */
};

/* Key of the table of listen addresses, whose values are numbers of services. */
struct nat_listen {
	__u8 ip[16]; /* IPv4: the first four bytes, the others 0 */
	__be16 port_be16;
	__u8 protocol;
	__u8 version;
};

/* Key of the table of networks (BPF_MAP_TYPE_LPM_TRIE), whose values say whether clients there are let in. */
struct nat_network {
	__u32 prefix_bits; /* of what follows */
	__u32 set_be32;
	__u8 version;
	__u8 ip[16];
	__u8 zero[3];
};

enum { NAT_NETWORK_FIXED_BITS = 40 }; /* set and version */

/*
 * Key of the table of ways back: a client that has come by this interface. What is known is void when routes have changed.
 * Values are ways out, see FLOW_ON_LINK.
 */
struct nat_client {
	__u8 ip[16];
	__u32 version;
	__u32 interface_index;
	__u32 routes_epoch;
};

enum nat_service_state { NAT_SERVICE_UNUSED, NAT_SERVICE_ACTIVE };

struct nat_service {
	__u32 state;
	__u32 pool;
	__u32 networks;    /* the set of them; NAT_NETWORKS_BLOCKED: it has no rules */
	__u32 tries_max;   /* servers that a connection may be given, one after the other */
	__u32 new_ticks;   /* how long a UDP flow stays with a server that does not answer */
	__u32 idle_ticks;  /* how long a UDP flow is one */
	__u64 interval_ns; /* from one new flow to the next, see guard/rate.h; 0: no limit */
	__u64 ahead_ns;
	__u64 arrival_ns; /* moved on by the program */
	/* The program adds, user space subtracts. */
	__u32 flows[NAT_PROTOCOL_COUNT];
	__u32 flows_max[NAT_PROTOCOL_COUNT]; /* of those; the service's other flows are left out */
	__u32 pending[NAT_PROTOCOL_COUNT];   /* those of the flows that user space has not accounted for yet */
	__u8 zero[56];                       /* of two cache lines */
};

enum nat_choosing {
	NAT_CHOOSES_NONE,
	NAT_CHOOSES_NEXT,   /* entries in order, by a cursor that all share */
	NAT_CHOOSES_RANDOM, /* any entry */
	NAT_CHOOSES_MAGLEV, /* the entry at the client's hash, modulo the number of entries */
	NAT_CHOOSES_RING,   /* the first entry whose upper half is not below that of the client's hash; sorted */
	NAT_CHOOSES_FIRST,  /* the first entry that can be used */
};

struct nat_pool {
	__u64 choices; /* nat_choices_word */
	__u32 cursor;  /* the program's */
	__u32 zero[13];
};

static inline __u64 nat_choices_word(enum nat_choosing choosing, __u32 begin, __u32 count)
{
	return (__u64)choosing << 60 | (__u64)count << 30 | begin;
}

enum { NAT_CHOICES_BITS = 30, NAT_CHOICES_MASK = (1 << 30) - 1 };

enum { NAT_SERVER_AVAILABLE = 1, NAT_SERVER_GENERATION = 2 };

struct nat_server {
	__u32 state;   /* NAT_SERVER_AVAILABLE, and a multiple of NAT_SERVER_GENERATION that says whose number it is */
	__u32 way_out; /* by which it is reached; 0: it is not */
	__u8 ip[16];
	__u8 local[16]; /* where flows to it come from */
	__be16 port_be16;
	__u8 version;
	__u8 zero[17];
	__u32 port_cursor; /* the program's: the port that was used longest ago comes next */
};

enum nat_half_stage {
	NAT_HALF_NEW,       /* the server has not answered */
	NAT_HALF_ANSWERED,  /* TCP: with SYN and ACK */
	NAT_HALF_ELSEWHERE, /* UDP: user space has it; it has the client's key only */
	NAT_HALF_REFUSED,   /* the server does not want to: the next try goes to another one */
};

/* A flow that is not established. */
struct nat_half {
	/* What it will be; it began with this server. FREE: nobody has it, ACTIVE: keys lead here, TAKEN: they come or go. */
	struct flow_slot flow;
	__u32 stage;
	__u32 service;
	__u32 server;
	__u32 server_state; /* when it was chosen */
	/* TCP: the numbers of the first bytes, behind the SYNs. */
	__u32 client_first;
	__u32 server_first;
	__u32 tried_count;
	__u32 tried[NAT_TRIED_MAX];
	__u32 is_way_known; /* back to the client */
	__u32 next;         /* of free ones: the next one's number and 1, or 0 */
};

/* A state of its flow: it is free, and nobody knows, because too many gave theirs back at the same time. */
enum { NAT_HALF_LOST = 3 };

enum nat_event_kind {
	NAT_EVENT_BEGUN = 1, /* slot: the flow's */
	NAT_EVENT_REFUSED,   /* the server has refused a connection, or sent no SYN before the client asked again */
	NAT_EVENT_UNANSWERED,
	NAT_EVENT_LIMITED, /* a limit of the service has ended a connection as it was established */
};

/* What the program tells user space, through a ring buffer. */
struct nat_event {
	__u32 kind;
	__u32 slot;
	__u32 service;
	__u32 server;
	__u32 server_state;
	__u32 tried_count;
	__u32 connect_us;
	__u8 is_limited_by_rate;
	__u8 is_way_known; /* of NAT_EVENT_BEGUN: nobody has to look for the way back to the client */
	__u16 zero;
	__u8 client[16];
	__be16 client_port_be16;
	__u8 protocol;
	__u8 version;
};

/* What both sides have in common besides tables. */
struct nat_shared {
	__u32 is_on;       /* 0: there is no service that begins flows in the kernel */
	__u32 owner;       /* the process that this program is of */
	__u32 has_blocked; /* NAT_NETWORKS_BLOCKED has an entry */
	__u32 routes_epoch;
	__u32 woken_tick; /* the program's: when it woke user space last */
	/* Free slots that the program may take: those from head on, up to tail. User space adds, the program takes. */
	__u32 head;
	__u32 tail;
	__u32 slots[NAT_SLOTS_MAX];
	/* Half-open flows that are free, the last one first: its number and 1, and in the upper half how often that has changed. */
	__u64 half_free;
	__u32 half_fresh;  /* from this one on they were never used */
	__u32 half_cursor; /* where the next one is looked for that has to make room */
	/* Ports that flows may come from, in the order in which they are used. */
	__u32 port_count;
	__u16 ports[NAT_PORTS_MAX];
};

/* Shared by all processes that have the flows, one after the other: only the latest one's program begins any. */
struct nat_owner {
	__u32 owner;
	__u32 alive_tick;
	__u64 seed; /* of the index of flows */
};

/* What became of packets that could have begun a flow. Counters for each CPU. */
#define NAT_COUNT_LIST(X)                                                                                              \
	X(BEGUN, "begun", "flows that were established in the kernel")                                                 \
	X(RETRIED, "retried", "connections that were given to another server, because the first did not answer")       \
	X(LEFT_ACCESS, "left_access", "left to user space: the client is not let in")                                  \
	X(LEFT_LIMIT, "left_limit", "left to user space: a limit of the service is reached")                           \
	X(LEFT_FULL, "left_full", "left to user space: the table of flows is full")                                    \
	X(LEFT_NO_SERVER, "left_no_server", "left to user space: no server can be used")                               \
	X(LEFT_NO_PORT, "left_no_port", "left to user space: no port was free")                                        \
	X(LEFT_OTHER, "left_other", "left to user space: it has no right beginning, such as fragments")                \
	X(DROPPED_FULL, "dropped_full", "dropped: the table became full before the connection was established")        \
	X(DROPPED_LIMIT, "dropped_limit", "ended: a limit was reached before the connection was established")

enum nat_count {
#define NAT_COUNT_ENUM(name, word, meaning) NAT_COUNT_##name,
	NAT_COUNT_LIST(NAT_COUNT_ENUM)
#undef NAT_COUNT_ENUM
		NAT_COUNT_COUNT
};

#endif
