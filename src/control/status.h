/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says about itself: the document of GET /v1/status and its parts. Reads everything, changes nothing, keeps nothing.
 * Sums over workers are taken while they run, so two numbers of one document may be a moment apart. Control thread.
 *
 * In objects of counts by reason only the reasons that occurred are listed.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include "control/daemon.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* New references: everything, and its parts. */
json_t *status_build(const struct daemon *daemon);
json_t *status_build_services(const struct snapshot *snapshot);
/* The interfaces that a program is at; none when NULL. */
json_t *status_build_places(const struct ingress_places *places);
json_t *status_build_service(const struct snapshot *snapshot, const struct service *service);
json_t *status_build_pools(const struct daemon *daemon);
json_t *status_build_pool(const struct daemon *daemon, size_t number); /* of the pool in the snapshot */
json_t *status_build_server(const struct daemon *daemon, const struct server *server);

/* Some pool has a server that is down, a name that cannot be resolved, or no server left. */
bool status_is_degraded(const struct daemon *daemon);

/* How many servers of the pool may receive new flows, backups included; room is not considered. */
size_t status_available_count(const struct pool *pool);

#endif
