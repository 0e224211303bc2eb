/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the packet guard (kernel/packet_guard.h) where the configuration wants it: at the interfaces that packets for the
 * listen addresses come in by, as interfaces and addresses come and go. Where eBPF is not allowed strait works without.
 *
 * An address that no interface has, or only the loopback interface, may be reached by any; so it counts as a wildcard.
 * The loopback interface itself is never guarded: source and destination are often the same there. Control thread.
 */
#ifndef CONTROL_INGRESS_GUARD_H
#define CONTROL_INGRESS_GUARD_H

#include "config/config.h"
#include "event/loop.h"
#include "event/timer_wheel.h"
#include "kernel/packet_guard.h"
#include "pool/snapshot.h"

struct ingress_guard;
struct log_writer;

enum ingress_guard_state {
	INGRESS_GUARD_OFF,
	INGRESS_GUARD_ACTIVE,      /* it is everywhere where it should be, or else why is said */
	INGRESS_GUARD_UNAVAILABLE, /* it is nowhere, although it should be */
};

/* "off", "active" or "unavailable". */
const char *ingress_guard_state_word(enum ingress_guard_state state);

struct ingress_guard *ingress_guard_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log);
/* Accepts NULL; clears the pointer. */
void ingress_guard_free(struct ingress_guard **guard);

/*
 * What is in force now; both stay until the next call. What was counted and blocked stays, also while the guard is off.
 * Never fails: what cannot be done is told by state, cause and events.
 */
void ingress_guard_apply(struct ingress_guard *guard, const struct config *config, const struct snapshot *snapshot);

enum ingress_guard_state ingress_guard_state(const struct ingress_guard *guard);
/* What keeps it from being everywhere where it should be; NULL: nothing. Stays until the next turn. */
const char *ingress_guard_cause(const struct ingress_guard *guard);

/*
 * For blocks, places and counts; NULL as long as it was never loaded. Once it is there it stays, but may be attached
 * nowhere. What was blocked while it was not there is not known to it.
 */
struct packet_guard *ingress_guard_packets(const struct ingress_guard *guard);

/* Zeros when it was never loaded. */
void ingress_guard_read_counts(const struct ingress_guard *guard, struct packet_guard_counts *ret_counts);

#endif
