/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a change of one pool into force while strait runs: what the tree now says of its servers goes to workers,
 * health checks and views, and servers that are gone are retired. Control thread.
 */
#ifndef CONTROL_POOL_UPDATE_H
#define CONTROL_POOL_UPDATE_H

#include "control/daemon.h"

/* number: the pool's in daemon->config and daemon->snapshot. In force when it returns. */
void pool_update_publish(struct daemon *daemon, size_t number);

/* The servers of the leftovers are gone for good: flows that `on-down close` speaks of end. */
void pool_update_retire(struct daemon *daemon, struct snapshot_leftovers *leftovers);

#endif
