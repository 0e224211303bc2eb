/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of endpoints of the admin API: from a request in plain structs to the handler that answers it. Handlers
 * stand in admin_state.c, admin_config.c, admin_servers.c and admin_flows.c. Control thread.
 *
 * Changes are made by POST, PUT, PATCH and DELETE only, with a body of type application/json (a web page of somebody
 * else cannot send that without asking first), and each is an event in the log, `audit`, whatever came of it.
 */
#ifndef CONTROL_ADMIN_ROUTES_H
#define CONTROL_ADMIN_ROUTES_H

#include "control/admin_answer.h"

/* How many bytes of body the endpoint takes; 0 when there is no such endpoint or it takes none. */
size_t admin_routes_body_max(const struct admin_request *request);

/* Finds the endpoint, checks method, type and arguments, and lets it answer. */
void admin_routes_answer(struct admin_request *request, struct admin_answer *ret_answer);

#endif
