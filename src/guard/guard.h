/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission to one service: access rules, then limits of rate and number, for the service and for each source, of new
 * flows and of datagrams. Decisions only: no sockets, no clock (the caller passes the time), no allocation after guard_new.
 *
 * One guard per service, shared by all workers, for the service's whole life: guard_update gives it other settings while
 * its counts go on. Counts are atomic and exact: a limit cannot be exceeded by a race, and
 * what guard_admit took, guard_release gives back. Rates use the generic cell rate algorithm (GCRA, ITU-T I.371) on one
 * atomic word; the burst is a fifth of a second's worth, at least one flow (rate.h). Sources live in a table of bounded
 * size (source_table.h).
 *
 * What is judged first: the rules, then the source, then the service's number, then its rate. A source that the rules or
 * its own limits refuse often is reported to be blocked; what the service's limits refuse is nobody's fault.
 *
 * A guard on trial (is_trial) says what it would have done and lets everybody in.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/addr.h"
#include "base/reason.h"
#include "stats/source.h"

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

/* Whom to block: sources refused so often; count 0 = nobody. */
struct guard_block {
	uint32_t count;
	uint64_t window_ms;
};

struct guard_settings {
	const struct guard_rule *rules; /* in order, the first that matches wins; nothing matched = allowed; copied */
	size_t rule_count;
	uint64_t connections_max; /* 0 = no limit; TCP */
	uint64_t sessions_max;    /* 0 = no limit; UDP */
	struct guard_rate rate;   /* new flows of the service */
	uint64_t per_source_max;  /* 0 = no limit; flows of one client address at once */
	struct guard_rate per_source_rate;
	struct guard_rate per_source_packets; /* datagrams of all sessions of a source together */
	struct source_prefixes source_prefixes;
	struct guard_block block;
	bool is_trial;
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

struct guard_verdict {
	enum reason reason;         /* REASON_NONE: admitted */
	enum reason spared;         /* on trial: why the flow would have been refused; else REASON_NONE */
	bool is_block_due;          /* the source has been refused often enough to be blocked */
	struct guard_ticket ticket; /* of an admitted flow */
};

/*
 * Judges a new flow. When it is admitted its place is taken and is given back with guard_release, with the same client,
 * kind and ticket, when the flow has ended. Otherwise nothing was taken, and the reason is REASON_DENIED_ACCESS,
 * REASON_LIMIT_RATE, REASON_LIMIT_CONNECTIONS, REASON_LIMIT_SESSIONS or REASON_LIMIT_PER_SOURCE.
 * now_ns: monotonic. Any worker, inside its RCU read side.
 */
struct guard_verdict guard_admit(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
				 uint64_t now_ns);
/*
 * The same for a flow that is to have the place of another one of its kind, which the caller ends when this one was
 * admitted: how many there are is not asked, all else is. Until the other is released there is one more than allowed.
 */
struct guard_verdict guard_admit_instead(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
					 uint64_t now_ns);
void guard_release(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
		   struct guard_ticket ticket);
/*
 * Somebody else lets flows in, too, and says here how many of a kind have begun that were not entered yet: they count.
 * NULL: nobody. Control; what it points to stays for as long as it may be read.
 */
void guard_set_pending(struct guard *guard, enum guard_kind kind, const uint32_t *pending);
/*
 * Takes the place of a flow that has begun already, whatever the limits say: somebody else has judged it. The rate of the
 * service counts it.
 */
struct guard_ticket guard_enter(struct guard *guard, enum guard_kind kind, const struct endpoint *client,
				uint64_t now_ns);

struct guard_packets_verdict {
	uint32_t admitted;
	uint32_t spared;   /* on trial: so many of the admitted would have been dropped */
	bool is_block_due; /* as above */
};

/* How many of so many datagrams of a flow's client may pass, from the first on. Any worker, inside its RCU read side. */
struct guard_packets_verdict guard_admit_packets(struct guard *guard, const struct endpoint *client, uint64_t now_ns,
						 uint32_t count);
/* Without it guard_admit_packets lets all pass and need not be asked. */
bool guard_limits_packets(const struct guard *guard);

/*
 * Others refused a flow of the client for what the client has done. True when it is to be blocked now. Any worker, inside
 * its RCU read side.
 */
bool guard_note_refusal(struct guard *guard, const struct endpoint *client, uint64_t now_ns);

/* Who is one source to this guard. Any worker, inside its RCU read side. */
struct network guard_source(const struct guard *guard, const struct endpoint *client);

bool guard_is_trial(const struct guard *guard);

#endif
