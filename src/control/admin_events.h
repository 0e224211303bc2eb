/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints that tell what has happened and what happens: /v1/history and /v1/events. Control thread. */
#ifndef CONTROL_ADMIN_EVENTS_H
#define CONTROL_ADMIN_EVENTS_H

#include "control/admin_answer.h"

void admin_events_history(struct admin_request *request, struct admin_answer *answer);
void admin_events_stream(struct admin_request *request, struct admin_answer *answer);

#endif
