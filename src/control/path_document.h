/* SPDX-License-Identifier: Apache-2.0 */
/* What the API says of the ways that flows take: of the kernel path as a whole, and of each service. Control thread. */
#ifndef CONTROL_PATH_DOCUMENT_H
#define CONTROL_PATH_DOCUMENT_H

#include "control/daemon.h"

#include <jansson.h>

/* Whether flows can go into the kernel, where, how many have, and what became of their packets. */
json_t *path_document_build(const struct daemon *daemon);

/* Which way the service's flows may go, by protocol, and what keeps them from a faster one. */
json_t *path_document_build_service(const struct snapshot *snapshot, const struct service *service);

#endif
