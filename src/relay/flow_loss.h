/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a flow that goes on cannot stay with its server: REASON_NONE, or what it ends with. The worker's thread, inside its
 * RCU read side.
 */
#ifndef RELAY_FLOW_LOSS_H
#define RELAY_FLOW_LOSS_H

#include "base/reason.h"
#include "pool/server.h"

enum reason flow_loss_of_connection(const struct server *server);
enum reason flow_loss_of_session(const struct server *server);

#endif
