/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which servers are listeners of this daemon: by comparing addresses, a wildcard listener counting for all addresses of
 * this machine as they are at the time. Control thread, before workers see the snapshot.
 */
#ifndef CONTROL_OWN_SERVERS_H
#define CONTROL_OWN_SERVERS_H

#include "pool/snapshot.h"

#include <stdbool.h>

/* Sets is_own of the snapshot's servers. Returns true when there is one. */
bool own_servers_mark(const struct snapshot *snapshot);

#endif
