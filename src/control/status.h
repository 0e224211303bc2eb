/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says about itself: the document of GET /v1/status. Reads everything, changes nothing, keeps nothing.
 * Sums over workers are taken while they run, so two numbers of one document may be a moment apart. Control thread.
 *
 * In objects of counts by reason only the reasons that occurred are listed.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include "control/daemon.h"

#include <jansson.h>
#include <stddef.h>

/* A new reference. */
json_t *status_build(const struct daemon *daemon);

/* How many servers of the pool may receive new flows, backups included; room is not considered. */
size_t status_available_count(const struct pool *pool);

#endif
