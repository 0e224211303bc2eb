/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel has to know of services whose flows begin there (`path nat`): their listen addresses, limits and access
 * rules, the servers of their pools with the way to each, and what is chosen from, which follows the pools' views
 * (balance/view.h). All that changes is published so that each packet finds one state or the other (kernel/nat_table.h).
 *
 * A few times a second the order of `least-connections` is written anew, limits are told how many of the service's flows are
 * in user space, and the program is told that this process is alive.
 *
 * What has no room in the kernel's tables begins in user space, where every service listens as well. Control thread.
 */
#ifndef CONTROL_NAT_SERVICES_H
#define CONTROL_NAT_SERVICES_H

#include "config/config.h"
#include "event/loop.h"
#include "event/timer_wheel.h"
#include "kernel/flow_table.h"
#include "kernel/interfaces.h"
#include "kernel/nat_table.h"
#include "pool/snapshot.h"
#include "kernel/nat_directory.h"

struct nat_services;

/* How much there has to be for this configuration, and room for others. */
struct nat_sizes nat_services_sizes(const struct config *config);

/* ephemeral_ports: as in relay_settings. The rest stays the caller's. Returns 0 or -errno. */
int nat_services_new(struct flow_table *flows, struct loop *loop, struct timer_wheel *wheel, uint32_t ephemeral_ports,
		     struct nat_services **ret_services);
/* No worker runs any more. Accepts NULL; clears the pointer. */
void nat_services_free(struct nat_services **services);

/* For the worker that takes what happens; stays until the end. */
const struct nat_directory *nat_services_directory(const struct nat_services *services);
const struct nat_table *nat_services_table(const struct nat_services *services);

/*
 * What is in force, and the interfaces, after the program was put at those that it has to be at; also when addresses or
 * routes have changed. Both stay until the next call, the list does not.
 */
void nat_services_apply(struct nat_services *services, const struct config *config, const struct snapshot *snapshot,
			const struct interface_list *list);
/* The pool has another view. */
void nat_services_publish_pool(struct nat_services *services, struct pool *pool);
/* What lists of networks hold has changed. */
void nat_services_update_rules(struct nat_services *services);
/* Nothing new is begun. */
void nat_services_stop(struct nat_services *services);

/* Those that are blocked everywhere. */
void nat_services_block(struct nat_services *services, const struct network *network);
void nat_services_unblock(struct nat_services *services, const struct network *network);

/* Why not all is there that should be; NULL: it is. */
const char *nat_services_cause(const struct nat_services *services);

#endif
