/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user-space side of the flow program (bpf/flow.bpf.c): loads it and its maps, puts it at interfaces, and has its flows.
 *
 * A flow is a slot (struct flow_slot), which both sides map into their memory, so what the program counts is read without a
 * system call; and two keys in an index of which the same is true (bpf/flow_index.h). Whoever has taken a slot owns it until
 * it is given back: fills it, begins, ends. Slots and keys are bounded by flows_max and take their memory when the table is
 * opened: sizeof(struct flow_slot) and between 17 and 34 bytes of the index for each flow.
 *
 * Life of a slot: flow_table_take -> fill the sides -> flow_table_begin -> flow_table_end -> flow_table_give. It comes back
 * into use at the earliest SLOT_REST after it was given, so that no packet that is on its way through the program on
 * another CPU can meet another flow in it.
 *
 * With pins, maps and links stay when the process ends in any way but flow_table_close, and whoever opens the table next
 * finds all flows again (flow_table_find_adopted).
 *
 * Control opens, closes and attaches. Flows: any thread.
 */
#ifndef KERNEL_FLOW_TABLE_H
#define KERNEL_FLOW_TABLE_H

#include "base/addr.h"
#include "bpf/flow_abi.h"
#include "kernel/ingress_places.h"
#include "kernel/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FLOW_TABLE_FLOWS_MIN = 64,
	FLOW_TABLE_FLOWS_MAX = 4 << 20,
	/* Open while it is loaded: program, maps, descriptions, a lock; and one more for each interface. */
	FLOW_TABLE_DESCRIPTORS = 12,
};

struct flow_table;
struct nat_shared;

/* How much there may be of what flows begin with in the kernel (nat_table.h); 0 is one. */
struct nat_sizes {
	uint32_t listens;
	uint32_t networks;
	uint32_t services;
	uint32_t pools;
	uint32_t servers;
	uint32_t choices;
};

struct flow_table_settings {
	uint32_t flows_max;
	const char *pins; /* a directory of a BPF file system, which is there; NULL: nothing outlives the process */
	struct nat_sizes nat;
};

/*
 * Returns 0 or -errno: -EPERM without CAP_BPF and CAP_NET_ADMIN, -EACCES
 * without CAP_PERFMON, which programs need that compute where in a packet they read, -EADDRINUSE when another process has the pins. A table of
 * a process before keeps its size.
 */
int flow_table_open(const struct flow_table_settings *settings, struct flow_table **ret_table);
/* Is there a table of a process before? pins: may be empty or not there. */
bool flow_table_is_pinned(const char *pins);

/* Detaches the program everywhere and forgets all flows, pinned or not. Accepts NULL; clears the pointer. */
void flow_table_close(struct flow_table **table);

/* --- interfaces. Control --- */

/* As ingress_places_attach; -EMEDIUMTYPE for an interface whose packets have no Ethernet header. */
int flow_table_attach(struct flow_table *table, const struct interface *interface);
const struct ingress_places *flow_table_places(const struct flow_table *table);
void flow_table_detach(struct flow_table *table, size_t number);
/* Takes the program away from where a process before had it, and this one does not. */
void flow_table_detach_strays(struct flow_table *table);
/* Any thread. */
bool flow_table_is_at(const struct flow_table *table, uint32_t interface_index);

/* --- flows. Any thread --- */

/* A slot of zeros, and its number; NULL when all are taken. */
struct flow_slot *flow_table_take(struct flow_table *table, uint32_t *ret_number);
void flow_table_give(struct flow_table *table, uint32_t number);

/*
 * From here on packets of the flow are sent on. Version, protocol, flags and sides of the slot are filled. Returns 0 or
 * -errno: -EEXIST when there is a flow with one of its keys, -ENOSPC when the index has no room for a key, which happens to
 * some when the table is nearly full (flow_index.h).
 */
int flow_table_begin(struct flow_table *table, uint32_t number);
/*
 * The program does not know it any more; what it has counted stays in the slot. It may have taken it out by itself, when
 * the connection had ended and its client began another one.
 */
void flow_table_end(struct flow_table *table, uint32_t number);

/* Is there a flow to this server's address from this one of strait's? Half-open ones, which are the program's, are not seen. */
bool flow_table_has_server_side(const struct flow_table *table, uint8_t protocol, const struct endpoint *local,
				const struct endpoint *server);

/* Of a table that was just opened: the first active slot from number *number on; false when there is none. Control. */
bool flow_table_find_adopted(const struct flow_table *table, uint32_t *number);

struct flow_slot *flow_table_slot(const struct flow_table *table, uint32_t number);

/* An address and port as a side has them, and back. */
void flow_side_set_source(struct flow_side *side, const struct endpoint *endpoint);
void flow_side_set_dest(struct flow_side *side, const struct endpoint *endpoint);
struct endpoint flow_side_source(const struct flow_side *side, uint8_t version);
struct endpoint flow_side_dest(const struct flow_side *side, uint8_t version);

static inline uint32_t flow_way_out(const struct route_answer *route)
{
	return route->interface_index | (route->is_on_link ? FLOW_ON_LINK : 0);
}

/* How long ago the flow's last packet passed; from its begin on when none did. now_ns: CLOCK_MONOTONIC. */
uint64_t flow_slot_idle_ms(const struct flow_slot *slot, uint64_t now_ns);

/* --- for nat_table.h --- */

/*
 * A slot for a flow that is not there yet, and does not count; false when there is none. flow_table_use says that it has
 * become a flow, which ends as others do.
 */
bool flow_table_set_aside(struct flow_table *table, uint32_t *ret_number);
void flow_table_give_aside(struct flow_table *table, uint32_t number);
void flow_table_use(struct flow_table *table);

/* Of a map of the program. */
int flow_table_map(const struct flow_table *table, const char *name);
struct nat_shared *flow_table_shared(const struct flow_table *table);
/* What it was opened with. */
const struct nat_sizes *flow_table_nat_sizes(const struct flow_table *table);
/* This process is there: without it the program begins no flow for longer than a few seconds. Control. */
void flow_table_note_alive(struct flow_table *table);

/* --- how it is --- */

struct flow_table_counts {
	uint64_t by_kind[FLOW_COUNT_COUNT];
};
/* Packets since the table was made. Control. */
void flow_table_read_counts(const struct flow_table *table, struct flow_table_counts *ret_counts);
const char *flow_count_word(enum flow_count kind);

uint32_t flow_table_flows_max(const struct flow_table *table);
/* Slots that are taken. Any thread. */
uint32_t flow_table_flows(const struct flow_table *table);

/* To be run on packets of one's own (BPF_PROG_TEST_RUN); the table's. */
int flow_table_program(const struct flow_table *table);

#endif
