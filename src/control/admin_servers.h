/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints that change single servers of a pool. Control thread. */
#ifndef CONTROL_ADMIN_SERVERS_H
#define CONTROL_ADMIN_SERVERS_H

#include "control/admin_answer.h"

void admin_servers_add(struct admin_request *request, struct admin_answer *answer);
void admin_servers_show(struct admin_request *request, struct admin_answer *answer);
void admin_servers_change(struct admin_request *request, struct admin_answer *answer);
void admin_servers_remove(struct admin_request *request, struct admin_answer *answer);

#endif
