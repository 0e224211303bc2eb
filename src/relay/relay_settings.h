/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon gives to all relays alike; immutable while workers run, but for what says otherwise. */
#ifndef RELAY_RELAY_SETTINGS_H
#define RELAY_RELAY_SETTINGS_H

#include "event/mailbox.h"
#include "guard/flow_budget.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct flow_table;
struct own_ports;
struct relay;

struct relay_settings {
	struct flow_budget *budget;    /* shared by all workers */
	struct own_flows *own_flows;   /* likewise */
	struct reflection *reflection; /* likewise; published, control replaces it */
	struct block_list *blocks;     /* likewise; control changes it */
	struct mailbox *to_control;    /* takes messages of enum relay_report */
	uint32_t worker_count;
	struct relay **relays; /* by worker; each enters itself before any of them runs */
	/* As many as there can ever be, whatever the configuration will say: the sizes of tables. */
	uint32_t connections_capacity;
	uint32_t sessions_capacity;
	uint32_t tails_capacity;          /* of one worker */
	_Atomic bool writes_records;      /* a log sink wants access records; control changes it, with release */
	_Atomic uint64_t progress_ms;     /* how often flows that go on are told of, 0: never; likewise */
	_Atomic uint32_t ephemeral_ports; /* that the kernel gives away: first | last << 16; control changes it */
	_Atomic bool wants_ring;          /* workers may use io_uring; control changes it */
	_Atomic(struct flow_table *) flow_table; /* where flows may go into the kernel, else NULL; control changes it */
	/* For connections that may go into the kernel; NULL as long as none may. Control writes it once. */
	_Atomic(const struct own_ports *) own_ports;
	_Atomic uint32_t routes_epoch; /* another one when routes or interfaces have changed; control changes it */
	void (*wake_log)(void *log);   /* cheap; called after turns that wrote records */
	void *log;
};

/* Acquires: whoever puts a record because of it has seen that the log was given sinks that want it. */
static inline bool relay_settings_write_records(const struct relay_settings *settings)
{
	return atomic_load_explicit(&settings->writes_records, memory_order_acquire);
}

static inline uint64_t relay_settings_progress_ms(const struct relay_settings *settings)
{
	return atomic_load_explicit(&settings->progress_ms, memory_order_acquire);
}

static inline bool relay_settings_want_ring(const struct relay_settings *settings)
{
	return atomic_load_explicit(&settings->wants_ring, memory_order_relaxed);
}

static inline struct flow_table *relay_settings_flow_table(const struct relay_settings *settings)
{
	return atomic_load_explicit(&settings->flow_table, memory_order_acquire);
}

static inline uint32_t relay_settings_routes_epoch(const struct relay_settings *settings)
{
	return atomic_load_explicit(&settings->routes_epoch, memory_order_acquire);
}

static inline bool relay_settings_is_ephemeral(const struct relay_settings *settings, uint16_t port)
{
	uint32_t ports = atomic_load_explicit(&settings->ephemeral_ports, memory_order_relaxed);
	return port >= (ports & UINT16_MAX) && port <= ports >> 16;
}

/* message.kind of what workers tell control. */
enum relay_report {
	RELAY_REPORT_EJECTED = 1,  /* subject: the server that has just reached eject failures= */
	RELAY_REPORT_REFUSAL,      /* subject: the service; number: the reason; the first refusal in a while */
	RELAY_REPORT_DRAINED,      /* number: the index of a worker that drains and has no flow left */
	RELAY_REPORT_NO_SOURCE,    /* subject: a pool of whose sources none can be used; number: the last errno */
	RELAY_REPORT_RING_REFUSED, /* number: the errno that a worker got in place of io_uring */
	RELAY_REPORT_SPARED,       /* as REFUSAL, of a service whose limits are on trial */
	/* A source was refused often: subject: the service; number: family << 8 | prefix_bits, address: its network. */
	RELAY_REPORT_BLOCK_DUE,
};

#endif
