/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission of new flows to one service: access rules, then limits of rate and number, for the service and for each
 * source. Decisions only: no sockets, no clock (the caller passes the time), no allocation after guard_new.
 *
 * One guard per service, shared by all workers, for the service's whole life: guard_update gives it other settings while
 * its counts go on. Counts are atomic and exact: a limit cannot be exceeded by a race, and
 * what guard_admit took, guard_release gives back. Rates use the generic cell rate algorithm (GCRA, ITU-T I.371) on one
 * atomic word; the burst is a fifth of a second's worth, at least one flow (rate.h). A source is an IPv4 address, an
 * IPv6 /64, or all clients of unix sockets; sources live in a table of bounded size (source_table.h).
 *
 * What is judged first: the rules, then the source, then the service's number, then its rate.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/addr.h"
#include "base/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard_rule {
	bool is_allow;
	struct network network;
};

/* amount 0 = no limit. */
struct guard_rate {
	uint64_t amount;
	uint64_t per_ms;
};

struct guard_settings {
	const struct guard_rule *rules; /* in order, the first that matches wins; nothing matched = allowed; copied */
	size_t rule_count;
	uint64_t connections_max; /* 0 = no limit; TCP */
	uint64_t sessions_max;    /* 0 = no limit; UDP */
	struct guard_rate rate;   /* new flows of the service */
	uint64_t per_source_max;  /* 0 = no limit; flows of one client address at once */
	struct guard_rate per_source_rate;
};

enum guard_kind { GUARD_CONNECTION, GUARD_SESSION };

struct guard;

struct guard *guard_new(const struct guard_settings *settings);
/*
 * Other settings from now on; the counts of flows and of sources stay. Workers see them through RCU; flows that began
 * before limits per source were switched on are not counted for their sources. Control.
 */
void guard_update(struct guard *guard, const struct guard_settings *settings);
/* No worker uses it any more. */
void guard_free(struct guard **guard);

/* How a flow was counted; the flow keeps it until it is released. */
struct guard_ticket {
	uint32_t source_epoch; /* of the table its source is counted in; 0: in none */
};

/*
 * Judges a new flow. Returns REASON_NONE when it is admitted: its place is taken and is given back with guard_release,
 * with the same client, kind and ticket, when the flow has ended. Otherwise why not: REASON_DENIED_ACCESS,
 * REASON_LIMIT_RATE, REASON_LIMIT_CONNECTIONS, REASON_LIMIT_SESSIONS or REASON_LIMIT_PER_SOURCE; nothing was taken.
 * now_ns: monotonic. Any worker, inside its RCU read side.
 */
enum reason guard_admit(struct guard *guard, enum guard_kind kind, const struct endpoint *client, uint64_t now_ns,
			struct guard_ticket *ret_ticket);
void guard_release(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
		   struct guard_ticket ticket);

#endif
