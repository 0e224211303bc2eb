/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of a worker whose packets the kernel sends on (kernel/flow_table.h), and what UDP sessions and TCP connections have
 * in common there: the way in, a look at each of them a few times a second, and the way out.
 *
 * What the kernel counts is added to the flow's counts, its service's and its server's when it is looked at (folded), so
 * these are exact once the flow has ended and at most KERNEL_FLOWS_ROUND_MS late before. A look also finds whatever ends the
 * flow, or takes it back into user space: its server is gone, its client blocked, its service has another path, there is
 * another route. Looks are made in slices, so that many flows hold up nobody.
 *
 * The worker's thread.
 */
#ifndef RELAY_KERNEL_FLOW_H
#define RELAY_KERNEL_FLOW_H

#include "base/list.h"
#include "base/slab.h"
#include "bpf/flow_abi.h"
#include "event/timer_wheel.h"
#include "kernel/route.h"
#include "stats/counters.h"
#include "stats/flow_record.h"

#include <stdbool.h>
#include <stdint.h>

struct flow_table;
struct relay;

enum {
	KERNEL_FLOWS_ROUND_MS = 250, /* from one look at a flow to the next, while there is time */
	KERNEL_FLOWS_SLICE = 128,    /* looked at in one go, each millisecond */
};

struct kernel_flow {
	struct list link;
	struct relay *relay;
	struct flow_table *table;
	struct flow_slot *slot;
	uint32_t number;       /* of the slot */
	uint32_t routes_epoch; /* for which its interfaces are right */
	/* What was folded. */
	uint32_t packets[FLOW_WAY_COUNT];
	uint64_t bytes[FLOW_WAY_COUNT];
	/* Has to fold, and may end the flow. */
	void (*on_look)(struct kernel_flow *flow);
	void *owner;              /* the session or connection */
	bool is_way_back_unknown; /* whether the client is on the link of its interface, or behind a router */
};

struct kernel_flows {
	struct slab slab;
	struct list all; /* the one that was looked at last stands last */
	struct timer timer;
	struct route_finder routes;
	uint32_t left; /* of this round */
	uint64_t round_ms;
	/* Read by control. */
	counter active;
	counter bytes;
};

void kernel_flows_init(struct relay *relay, uint32_t flows_max);
void kernel_flows_done(struct relay *relay);

/* Whose packets, by whose addresses. */
struct kernel_flow_ends {
	struct endpoint client;
	struct endpoint listen;
	struct endpoint local;
	struct endpoint server;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
};

/*
 * A flow that is not yet in force: its slot has addresses, interfaces and flags 0, and may be filled further. NULL when that
 * is not possible now: there is no table, it is full, or the packets come or go by an interface that the program is not at.
 */
struct kernel_flow *kernel_flow_new(struct relay *relay, const struct kernel_flow_ends *ends, void *owner,
				    void (*on_look)(struct kernel_flow *flow));
/*
 * From here on the kernel sends its packets on; streams of TCP stand where sides[].first of the slot says. Returns 0 or
 * -errno, and then it is still not in force.
 */
int kernel_flow_begin(struct kernel_flow *flow);
/*
 * One that was in force before this process began, or that began in the kernel: nothing of it is folded yet. The caller sets
 * owner and on_look at once. NULL when there is no memory for it.
 */
struct kernel_flow *kernel_flow_adopt(struct relay *relay, struct flow_table *table, uint32_t number);
/* The kernel leaves its packets to the stack. What it has counted is not folded yet. */
void kernel_flow_end(struct kernel_flow *flow);
/* One that is not in force. Accepts NULL; clears the pointer. */
void kernel_flow_free(struct kernel_flow **flow);

/* What has passed since it was folded last. */
struct kernel_flow_counts {
	uint64_t packets[FLOW_WAY_COUNT];
	uint64_t bytes[FLOW_WAY_COUNT];
};
struct kernel_flow_counts kernel_flow_fold(struct kernel_flow *flow);

/* May it stay in the kernel, as far as interfaces and routes go? Looks for them anew when they have changed. */
bool kernel_flow_has_way(struct kernel_flow *flow);

/*
 * One that began in the kernel answers its client by the interface by which it has come: is the client on the link there?
 * Returns the way, which the flow has from now on, and for which routes.
 */
uint32_t kernel_flow_learn_way_back(struct kernel_flow *flow, uint32_t *ret_routes_epoch);

/* When its last packet passed; of the loop's clock. */
uint64_t kernel_flow_last_ms(const struct kernel_flow *flow);

#endif
