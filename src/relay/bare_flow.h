/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow that lives in the kernel only (kernel_flow.h): it has no socket and cannot come back into user space. That is what a
 * TCP connection becomes when its two connections were joined and their sockets closed, a flow that began in the kernel
 * (path nat), and one that outlived the daemon that had begun it.
 *
 * It is accounted as any other flow: counts of service and server, places in limits, an access record at the end; it is
 * found among live flows and can be closed. There is no timer for each: every look at it (kernel_flow.h) asks whether it
 * has ended, been idle for too long, or lost its right.
 *
 * TCP ends with a reset, or when both ends have sent a FIN and have acknowledged the other's: the program notes what it has
 * seen. The entries stay a while after that (BARE_FLOW_LINGER_MS), for what is sent again. Closing one by command takes the entries away: both ends
 * find out with their next packet, which the stack answers with a reset.
 *
 * What user space can carry is bounded by descriptors; bare flows have none, so they count in the limits of their service and
 * not in the daemon's `limit connections=` and `sessions=`. The kernel path's table bounds them.
 *
 * From a slab of its worker. The worker's thread.
 */
#ifndef RELAY_BARE_FLOW_H
#define RELAY_BARE_FLOW_H

#include "base/addr.h"
#include "base/reason.h"
#include "event/loop.h"
#include "guard/guard.h"
#include "relay/kernel_flow.h"
#include "stats/flow_record.h"

struct bare_flow {
	struct kernel_flow *kernel;
	struct loop_deferred deferred; /* frees it at the end of the turn */
	struct relay *relay;
	struct service *service;
	struct server *server; /* entered; the flow gives the place back. NULL: not known any more */
	struct pool *pool;
	struct endpoint client;     /* for whom it is, also behind a proxy */
	struct guard_ticket ticket; /* its place in the guard, likewise */
	uint64_t id;
	uint64_t start_ns;
	uint64_t connect_us;
	/* All that has passed, before it became bare and since. */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t packets_in; /* UDP only */
	uint64_t packets_out;
	uint64_t finished_ms; /* TCP: when both ends were seen to have finished, and to know it; 0: not yet */
	uint8_t path;         /* enum flow_path */
	uint8_t algorithm;    /* enum pool_algorithm that chose the server */
	uint8_t protocol;     /* enum flow_protocol */
	uint8_t retries;
	uint32_t *kernel_count; /* of its service's flows, which the program keeps for limits; NULL: it is in none */
	int port_fd; /* a socket that keeps the port from others; -1: none, it is not one that the kernel gives away */
	bool has_ticket;
	bool is_ended;
};

enum { BARE_FLOW_LINGER_MS = 1000 };

/* What a new one is made of; all else is zero. */
struct bare_flow_origin {
	struct service *service;
	struct server *server; /* or NULL */
	struct pool *pool;
	struct endpoint client;
	struct guard_ticket ticket; /* with has_ticket */
	uint64_t id;                /* 0: a new one */
	uint64_t start_ns;
	uint64_t connect_us;
	/* What passed before. */
	uint64_t bytes_in;
	uint64_t bytes_out;
	enum flow_path path;
	enum flow_protocol protocol;
	uint8_t algorithm;
	uint8_t retries;
	uint32_t *kernel_count; /* or NULL */
	bool has_ticket;
	bool has_port_fd;
	int port_fd; /* is taken over, together with its place under the ceiling of descriptors */
};

/*
 * Takes over a flow of the kernel that is in force: its owner and on_look become those of the bare flow. The service has
 * counted it as begun and active, and so has the server, whose place is taken over. NULL when there is no memory for it.
 */
struct bare_flow *bare_flow_new(struct relay *relay, struct kernel_flow *kernel, const struct bare_flow_origin *origin);

/* Addresses that only the slot has. */
struct endpoint bare_flow_listen_endpoint(const struct bare_flow *flow);
struct endpoint bare_flow_local_endpoint(const struct bare_flow *flow);

/* Brings its counts up to date. */
void bare_flow_fold(struct bare_flow *flow);

/* Takes it out of the kernel and accounts for it. */
void bare_flow_end(struct bare_flow *flow, enum reason reason);

#endif
