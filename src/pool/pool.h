/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool: a named set of servers, how to choose among them and how to watch them. The object is the pool's identity and
 * outlives snapshots. Two things hang on it and are replaced whole through userspace RCU:
 *
 *   policy  what the configuration says; replaced by a reload
 *   view    what the balancing algorithm chooses from (balance/view.h); rebuilt by control whenever a server's
 *           availability or weight changes
 *
 * Control owns pools; workers read policy and view inside their RCU read side and never keep either across a turn.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include "base/http_statuses.h"
#include "base/published.h"
#include "pool/pool_queue.h"
#include "pool/server.h"
#include "stats/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <urcu-qsbr.h>

enum {
	POOL_NAME_BYTES = 64,
	POOL_MAGLEV_SERVERS_MAX = 65535, /* of one tier: its table holds 16-bit indexes */
};

enum pool_algorithm {
	POOL_ROUND_ROBIN,
	POOL_LEAST_CONNECTIONS,
	POOL_SOURCE_HASH,
	POOL_RANDOM,
	POOL_MAGLEV,
	POOL_FIRST,
	POOL_ALGORITHM_COUNT
};

enum pool_check {
	POOL_CHECK_NONE,
	POOL_CHECK_TCP,
	POOL_CHECK_UDP,
	POOL_CHECK_HTTP,
	POOL_CHECK_DNS,
	POOL_CHECK_EXEC,
	POOL_CHECK_COUNT
};

struct pool_bytes {
	char *data; /* NULL and 0 = none */
	size_t len;
};

/* Addresses of one family, with port 0. */
struct pool_addrs {
	struct addr *addrs;
	uint32_t count;
};

/* Immutable once published. */
struct pool_policy {
	enum pool_algorithm algorithm;
	uint64_t slow_start_ms; /* 0 = none */
	uint32_t
		load_percent; /* most that a server may have, of its fair share of the active flows; 0 = no such bound */
	struct {
		enum pool_check kind;
		uint64_t every_ms;
		uint64_t timeout_ms;
		uint32_t rise;
		uint32_t fall;
		uint16_t port; /* 0 = the server's own */
		struct pool_bytes send;
		struct pool_bytes expect;
		struct {
			const char *method; /* "GET"; not owned, lives for ever */
			char *path;
			char *host; /* NULL = the server's address */
			struct http_statuses statuses;
		} http;
		struct {
			char *name;
			uint16_t type;   /* as on the wire */
			uint32_t rcodes; /* that are good: bit n for RCODE n */
		} dns;
		char *program; /* NULL = none */
	} check;
	uint32_t eject_failures; /* 0 = never */
	uint64_t eject_for_ms;
	uint32_t panic_percent;
	bool closes_tcp_on_down; /* on-down close */
	uint8_t proxy_version;   /* of the PROXY header that servers get; 0 = none */
	bool has_proxy_unique_id;
	bool has_proxy_authority;
	bool is_proxy_header_once;   /* UDP: only before the first datagram of a session */
	bool keeps_sessions_on_down; /* on-down keep, written out */
	/* Where connections to servers come from; the kernel chooses for a family without addresses. */
	struct {
		bool is_client; /* from the client's own address and port; there are no addresses then */
		struct pool_addrs ipv4;
		struct pool_addrs ipv6;
	} source;
	struct rcu_head rcu;
};

/*
 * Active flows of the servers of one tier of the view together, for `load=`. They are counted only while the view's policy
 * has a bound (server_count_in), so other pools have nothing of it. Signed, because a flow's end may be counted before
 * its beginning, when another worker is late. On a line of its own: every worker changes it with every flow.
 */
struct pool_total {
	alignas(CACHE_LINE_BYTES) _Atomic int64_t active;
};

/* One worker's counts in one pool; written by that worker only. */
struct pool_counters {
	alignas(CACHE_LINE_BYTES) struct histogram connect; /* connects that succeeded; histogram_answer_scale */
	uint32_t source_turn;                               /* the worker's own: which source address is next */
	uint64_t answer_ns; /* likewise: how long servers have lately taken for their first datagram; 0: unknown */
	uint64_t source_reported_ms; /* likewise: when control was last told that none can be used; 0: never */
};

struct pool {
	char name[POOL_NAME_BYTES];
	struct pool_policy *policy; /* published; never NULL after build */
	struct balance_view *view;  /* read by balance_enter; NULL until control has built the first */
	/* Control's own: the servers in the order written. Workers see them through the view only. */
	struct server **servers;
	size_t server_count;
	uint32_t nat_number; /* control's own: its number in the kernel's tables, and 1; 0: none */
	bool is_view_stale;  /* control's own: availability or weights have changed since the view was built */
	/* The round-robin order is shared by all workers, so that a cycle is exact; on a line of its own. */
	alignas(CACHE_LINE_BYTES) _Atomic uint64_t cursor;
	struct pool_total totals[2]; /* of enum server_total, from SERVER_TOTAL_PRIMARY on */
	struct pool_queue queue;     /* who waits for a place at one of the servers; has lines once it was built */
	struct histogram check;      /* control's own: health checks that were decided; histogram_answer_scale */
	uint32_t worker_count;
	struct pool_counters counters[];
};

/* For workers, inside their RCU read side. */
static inline const struct pool_policy *pool_policy(const struct pool *pool)
{
	return published_read(pool->policy);
}

/* The source addresses for servers of a family. */
static inline const struct pool_addrs *pool_policy_sources(const struct pool_policy *policy, sa_family_t family)
{
	return family == AF_INET6 ? &policy->source.ipv6 : &policy->source.ipv4;
}

const char *pool_algorithm_word(enum pool_algorithm algorithm);
const char *pool_check_word(enum pool_check check);

/* Heap; counters for worker_count workers, all 0. */
struct pool *pool_new(const char *name, uint32_t worker_count);
/* Accepts NULL; clears the pointer. For a policy that no worker can see any more. */
void pool_policy_free(struct pool_policy **policy);
/* Frees the policy and the list, not the servers or the view. Accepts NULL; clears the pointer. */
void pool_free(struct pool **pool);
/* NULL when there is none of that name. */
struct server *pool_find_server(const struct pool *pool, const char *name);

#endif
