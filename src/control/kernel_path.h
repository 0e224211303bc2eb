/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel path as a whole (kernel/flow_table.h): opens the table when the first service wants it, tells workers of it, and
 * keeps the program at the interfaces that carry listen addresses and lead to servers, as interfaces, addresses and routes
 * come and go. Where eBPF is not allowed all flows stay in user space, and why is told.
 *
 * Flows that a daemon before this one has left in the kernel, because it was killed, are given to the workers when the table
 * is opened (control/adopted_flows.h); where nobody wants the kernel path any more they end.
 *
 * The table is opened once and stays until the end, because workers have flows in it; without a service that wants it, the
 * program is at no interface, and workers take their flows back. Control thread.
 */
#ifndef CONTROL_KERNEL_PATH_H
#define CONTROL_KERNEL_PATH_H

#include "config/config.h"
#include "event/loop.h"
#include "event/timer_wheel.h"
#include "kernel/flow_table.h"
#include "pool/snapshot.h"
#include "worker/worker.h"

struct kernel_path;
struct nat_services;
struct worker;
struct log_writer;

enum kernel_path_state {
	KERNEL_PATH_OFF,    /* nobody wants it */
	KERNEL_PATH_ACTIVE, /* it is everywhere where it should be, or else why is said */
	KERNEL_PATH_UNAVAILABLE,
};

/* "off", "active" or "unavailable". */
const char *kernel_path_state_word(enum kernel_path_state state);

/* Who carries flows. All stays the caller's. */
struct kernel_path_carriers {
	struct relay_settings *settings;
	struct worker *const *workers;
	uint32_t worker_count;
};

struct kernel_path *kernel_path_new(struct loop *loop, struct timer_wheel *wheel, struct log_writer *log,
				    const struct kernel_path_carriers *carriers);
/* Workers have stopped. Ends what is left in the kernel. Accepts NULL; clears the pointer. */
void kernel_path_free(struct kernel_path **path);

/*
 * Before the workers' threads begin: connections that come before the kernel has its tables can be moved there later, too. The rest
 * of all that is here wants them to run.
 */
void kernel_path_reserve_ports(struct kernel_path *path, const struct config *config);
/*
 * What is in force now; both stay until the next call. Never fails: what cannot be done is told by state, cause and events.
 */
void kernel_path_apply(struct kernel_path *path, const struct config *config, const struct snapshot *snapshot);
/* Servers have come or gone: looks in a moment where the program has to be. */
void kernel_path_review(struct kernel_path *path);

/* For services whose flows begin in the kernel (nat_services.h); nothing where there are none. Accept NULL. */
/* The pool has another view. */
void kernel_path_publish_pool(struct kernel_path *path, struct pool *pool);
/* What lists of networks hold has changed. */
void kernel_path_update_rules(struct kernel_path *path);
/* Nothing new is begun in the kernel. */
void kernel_path_stop(struct kernel_path *path);

enum kernel_path_state kernel_path_state(const struct kernel_path *path);
/* What keeps it from being everywhere where it should be; NULL: nothing. Stays until the next turn. */
const char *kernel_path_cause(const struct kernel_path *path);
/* Whether flows outlive a daemon that is killed, or why they do not; NULL: they do. */
const char *kernel_path_pins_cause(const struct kernel_path *path);

/* NULL: flows begin in user space only. */
struct nat_services *kernel_path_nat(const struct kernel_path *path);

/* NULL as long as it was never opened. */
const struct flow_table *kernel_path_table(const struct kernel_path *path);

#endif
