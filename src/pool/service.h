/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service: what clients connect to. Identity (name, counters) and policy are kept apart like a pool's: live flows
 * point at the identity and follow the policy of the moment.
 *
 * Flows need no reference count here: each worker's flows_active says how many of its flows still use the service.
 */
#ifndef POOL_SERVICE_H
#define POOL_SERVICE_H

#include "base/list.h"
#include "base/published.h"
#include "base/reason.h"
#include "guard/byte_rate.h"
#include "pool/pool.h"
#include "stats/counters.h"
#include "stats/flow_record.h"
#include "stats/histogram.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <urcu-qsbr.h>

enum { SERVICE_NAME_BYTES = 64 };

/* Limits of bandwidth. */
struct service_bandwidth {
	struct byte_rate total;                      /* of all flows together, in each direction */
	struct byte_rate flow[FLOW_DIRECTION_COUNT]; /* of one flow */
	uint32_t epoch;                              /* of these limits; others have another */
	bool is_limited;                             /* one of them is a limit */
};

/* Immutable once published. */
struct service_policy {
	struct pool *pool;
	uint64_t connect_ms;
	uint64_t idle_ms;
	uint64_t half_closed_ms;
	uint64_t queue_ms;  /* how long a connection waits for a place at a server; 0 = not at all */
	uint32_t queue_max; /* how many may wait at a time */
	uint32_t retries;
	uint64_t session_idle_ms;
	uint64_t session_new_ms;
	bool has_session_replies;
	uint64_t session_replies;       /* per datagram of the client; counts only with has_session_replies */
	uint64_t session_requests;      /* 0 = no limit */
	uint64_t session_amplification; /* bytes to an unverified client for each byte from it; 0 = no bound */
	uint64_t proxy_header_ms;
	uint64_t hello_ms;
	struct service_bandwidth bandwidth;
	const char *path;                             /* the word that was written, static */
	uint32_t path_obstacles[FLOW_PROTOCOL_COUNT]; /* what keeps flows from it: bit n for enum flow_obstacle n */
	bool begins_in_kernel;                        /* flows may begin there */
	bool offloads[FLOW_PROTOCOL_COUNT];           /* flows that have proved long may go into the kernel */
	uint64_t offload_after_bytes;                 /* of TCP: the first of both; 0 = does not count */
	uint64_t offload_after_ms;
	struct rcu_head rcu;
	/* Whose connections begin with a PROXY header. */
	size_t proxy_network_count;
	struct network proxy_networks[];
};

/* One worker's counts of one service; written by that worker only. */
struct service_counters {
	alignas(CACHE_LINE_BYTES) counter flows[FLOW_PROTOCOL_COUNT]; /* accepted and begun, refused ones not */
	counter flows_active[FLOW_PROTOCOL_COUNT];
	counter bytes_in; /* from clients */
	counter bytes_out;
	counter packets_in; /* UDP datagrams */
	counter packets_out;
	counter packets_dropped;                 /* datagrams that could not be passed on */
	counter packets_limited;                 /* those of them that came faster than their source may send */
	counter queued;                          /* connections that have begun to wait for a place at a server */
	counter queue_timeouts;                  /* and waited in vain until the time-out */
	counter throttled[FLOW_DIRECTION_COUNT]; /* times that a flow had to wait for its bandwidth or the service's */
	counter ended[REASON_COUNT];             /* flows that began */
	counter refused[REASON_COUNT];           /* flows that never began */
	counter spared[REASON_COUNT];            /* flows and datagrams that limits on trial would have refused */
	struct histogram duration;               /* of flows that began and have ended; histogram_flow_scale */
	struct list unanswered; /* the worker's own: its UDP sessions that no server has answered, the oldest first */
};

/* The line of one direction that the service's flows share on all workers; written only while there is a limit. */
struct service_line {
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t taken_until; /* see byte_rate.h */
};

struct service {
	char name[SERVICE_NAME_BYTES];
	uint32_t number;               /* no other service of this process has had it; later ones are higher */
	uint32_t nat_number;           /* control's own: its number in the kernel's tables, and 1; 0: none */
	struct guard *guard;           /* access rules and limits; lives as long as the service */
	struct service_policy *policy; /* published; never NULL after build */
	uint32_t worker_count;
	/* Connections of all workers that wait now; on a line of its own, which is written only while some do. */
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t queued_now;
	struct service_line lines[FLOW_DIRECTION_COUNT];
	struct service_counters counters[];
};

/* For workers, inside their RCU read side. */
static inline const struct service_policy *service_policy(const struct service *service)
{
	return published_read(service->policy);
}

/* Takes a place in the service's queue, if fewer than max are taken. Any worker. */
bool service_queue_enter(struct service *service, uint32_t max);
void service_queue_leave(struct service *service);

/* The lines are idle: for other limits of bandwidth. Control. */
void service_reset_lines(struct service *service);

/* Does a connection of this peer have to begin with a PROXY header? */
bool service_policy_wants_proxy_header(const struct service_policy *policy, const struct endpoint *peer);

struct service *service_new(const char *name, uint32_t worker_count);
/* Frees policy and guard, too. Accepts NULL; clears the pointer. */
void service_free(struct service **service);

/* Sum over workers, of one counter or array element at `offset` of struct service_counters. Control. */
uint64_t service_sum(const struct service *service, size_t offset);

#endif
