/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server: one backend address in a pool, its state and its counts. The object is the server's identity: it outlives
 * snapshots, and is freed by control only when it is in no pool, no view and has neither flows nor holders.
 *
 * Control writes the state bits (workers set SERVER_EJECTED only); workers read them relaxed: a worker may use a state
 * that is a moment old. The number of active flows (server_active) is that of all workers and exact at every moment: a
 * flow takes its place before it connects, so max-connections cannot be exceeded by a race.
 *
 * Where flows are balanced by their number in all (`load=`), a server's flows are counted a second time, in one of the
 * totals of its pool (pool.h). Which one, if any, stands in the same word as the number of flows: whoever changes the
 * number learns by the same atomic step whether the total has to follow, and control, which changes the membership, learns
 * how many flows the total gains or loses by it. So a total is exactly the sum of its members' flows, however flows and
 * changes of the configuration meet; it is late by no more than the steps that are under way.
 */
#ifndef POOL_SERVER_H
#define POOL_SERVER_H

#include "base/addr.h"
#include "stats/counters.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SERVER_NAME_BYTES = 64 };

/* A server's state as people see it. */
enum server_condition { SERVER_IS_UP, SERVER_IS_DOWN, SERVER_IS_DRAINING, SERVER_IS_IN_MAINT, SERVER_CONDITION_COUNT };

/* Why a server receives nothing new; 0 = it is up. */
enum server_state_bits {
	SERVER_DOWN = 1 << 0,    /* its health check says so */
	SERVER_EJECTED = 1 << 1, /* too many failures in a row; a worker sets it, control clears it after eject for= */
	SERVER_DRAIN = 1 << 2,   /* asked for: existing flows go on */
	SERVER_MAINT = 1 << 3,   /* asked for: as drain, and not checked; UDP sessions move */
	SERVER_REMOVED = 1 << 4, /* no longer configured: existing flows go on, unless `on-down close` */
};
/* The total that a server's flows are counted in. */
enum server_total { SERVER_TOTAL_NONE, SERVER_TOTAL_PRIMARY, SERVER_TOTAL_BACKUP };

enum {
	SERVER_TOTAL_SHIFT = 30, /* of enum server_total, above the number of flows */
	SERVER_ACTIVE_MASK = (1 << SERVER_TOTAL_SHIFT) - 1,
};
enum {
	SERVER_UNHEALTHY = SERVER_DOWN | SERVER_EJECTED, /* set aside when the pool panics */
	SERVER_WITHDRAWN = SERVER_DRAIN | SERVER_MAINT,  /* never set aside */
};

/* One worker's counts of one server; written by that worker only. */
struct server_counters {
	alignas(CACHE_LINE_BYTES) counter flows;
	counter bytes_in; /* from clients to the server */
	counter bytes_out;
	counter connect_refused; /* connects that failed, by kind */
	counter connect_timeout;
	counter connect_failed;
	uint8_t own_ip[16]; /* of strait, from which the worker has reached it last from an own port; zeros before */
};

struct server {
	/* Set when made. */
	char name[SERVER_NAME_BYTES];
	uint32_t number; /* no other server of this process has had it; later ones are higher */
	struct addr addr;
	struct endpoint endpoint; /* of addr */
	struct pool *pool;
	uint32_t worker_count;
	/* Written by control. */
	_Atomic uint32_t state;           /* enum server_state_bits */
	_Atomic uint32_t weight;          /* 1..1000; workers use the copy in the view */
	_Atomic uint32_t connections_max; /* UINT32_MAX = no limit */
	_Atomic bool is_backup;
	_Atomic bool is_own;         /* its address is a listener of this daemon */
	_Atomic uint32_t references; /* holders other than flows; see server_acquire_reference */
	uint32_t configured_weight;  /* control's own: what the file said last, to tell run-time changes from it */
	uint32_t configured_state;   /* control's own: likewise */
	uint64_t up_since_ms;        /* control's own: when it last became usable; 0 = from the start */
	uint64_t state_since_ms;     /* control's own: when its state last changed */
	struct {
		enum server_condition noted;
		bool is_noted;
		uint64_t counts[SERVER_CONDITION_COUNT]; /* how often it came into each, its first one left out */
	} conditions;                                    /* control's own; see server_note_condition */
	uint32_t nat_number;                             /* control's own: in the kernel's tables, and 1; 0: none */
	bool is_in_view;                                 /* control's own, of the moment in which a view is replaced */
	/* Written by workers, on a line of their own. */
	alignas(CACHE_LINE_BYTES) _Atomic uint32_t places; /* taken, and the total they count in; see server_active */
	_Atomic uint32_t failures;                         /* in a row; reset by a success */
	struct server_counters counters[];                 /* worker_count of them */
};

/* Of enum server_state_bits; ejected is down, too. */
enum server_condition server_condition_of(uint32_t state);
/* "up", "down", "drain" or "maint". */
const char *server_condition_word(enum server_condition condition);
const char *server_state_word(uint32_t state);
/* Notes when the condition changed, and counts it. Control, after it may have. now_ms: monotonic. */
void server_note_condition(struct server *server, uint64_t now_ms);

/* Flows now, of all workers. */
static inline uint32_t server_active(const struct server *server)
{
	return atomic_load_explicit(&server->places, memory_order_relaxed) & SERVER_ACTIVE_MASK;
}

/*
 * The one predicate of eligibility, in two halves: available is decided by control and changes rarely, room changes
 * with every flow. ignored_bits: SERVER_UNHEALTHY in a pool that panics, else 0.
 */
static inline bool server_is_available(const struct server *server, uint32_t ignored_bits)
{
	return (atomic_load_explicit(&server->state, memory_order_relaxed) & ~ignored_bits) == 0;
}

static inline bool server_has_room(const struct server *server)
{
	return server_active(server) < atomic_load_explicit(&server->connections_max, memory_order_relaxed);
}

static inline bool server_is_eligible(const struct server *server, uint32_t ignored_bits)
{
	return server_is_available(server, ignored_bits) && server_has_room(server);
}

/* As server_has_room, for who has just said that it waits for a place (relay/tcp_queue.h). */
static inline bool server_has_room_now(const struct server *server)
{
	return (atomic_load_explicit(&server->places, memory_order_seq_cst) & SERVER_ACTIVE_MASK) <
	       atomic_load_explicit(&server->connections_max, memory_order_relaxed);
}

/* Takes a place for one flow if the server is eligible. Any worker. The flow gives it back with server_leave. */
bool server_enter(struct server *server, uint32_t ignored_bits);
/* The same, whatever its state, for a flow that it has already. */
void server_enter_always(struct server *server);
/* The same, but only while it has less than flows_max flows. */
bool server_enter_below(struct server *server, uint32_t ignored_bits, uint32_t flows_max);
void server_leave(struct server *server);

/* True if it has no flow; then all that its flows did is visible to the caller. */
bool server_is_idle(const struct server *server);

/* Counts the server's flows, those it has and those to come, in this total of its pool and in no other. Control. */
void server_count_in(struct server *server, enum server_total total);

/* A holder that is not a flow (a list of tried servers, a running health check). */
void server_acquire_reference(struct server *server);
void server_release_reference(struct server *server);

/*
 * Notes a failed connect (or an unanswered UDP session). Returns true when this one made it failures_max in a row and
 * SERVER_EJECTED was set by this call: then the caller tells control. failures_max 0: only counts.
 */
bool server_note_failure(struct server *server, uint32_t failures_max);
void server_note_success(struct server *server);

/* Heap; counters for worker_count workers, all 0; references 1, the caller's. */
struct server *server_new(const char *name, const struct addr *addr, uint32_t worker_count);
/* Accepts NULL and clears the pointer. The caller knows that nobody else has it (see above). */
void server_free(struct server **server);

#endif
