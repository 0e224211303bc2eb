/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives one pool of the running daemon the servers that its part of the tree comes to now, after names were resolved or
 * servers were changed at run time. Flows, counters, health and ejections of servers that stay are untouched; servers
 * that go are retired, and their flows go on. Nothing of any other pool is looked at. Control thread.
 */
#ifndef CONTROL_POOL_UPDATE_H
#define CONTROL_POOL_UPDATE_H

#include "control/daemon.h"

/*
 * pool_number: of daemon->config and daemon->snapshot alike. In force when this returns. Not within a verdict of health
 * checks.
 */
void pool_update_publish(struct daemon *daemon, size_t pool_number);

/* A names_changed_fn; owner is the struct daemon. */
void pool_update_on_names(void *owner, size_t pool_number);

/* The servers of the leftovers are gone for good: flows that `on-down close` speaks of end. */
void pool_update_retire(struct daemon *daemon, struct snapshot_leftovers *leftovers);

#endif
