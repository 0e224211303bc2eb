/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are this daemon's own: servers that are its listeners, and the endpoints of its UDP listeners, a
 * wildcard counting for every address of this machine as they are at the time. Control thread, before workers see the
 * snapshot.
 */
#ifndef CONTROL_OWN_ADDRESSES_H
#define CONTROL_OWN_ADDRESSES_H

#include "guard/reflection.h"
#include "pool/snapshot.h"

/* Sets is_own of the servers of the snapshot's pools, or of one of them. */
void own_addresses_mark_servers(const struct snapshot *snapshot);
void own_addresses_mark_pool(const struct snapshot *snapshot, struct pool *pool);

/* The caller's. */
struct reflection *own_addresses_build_reflection(const struct snapshot *snapshot);

#endif
