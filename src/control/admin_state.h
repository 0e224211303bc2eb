/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints that tell what there is: liveness, readiness, status, services and pools. Control thread. */
#ifndef CONTROL_ADMIN_STATE_H
#define CONTROL_ADMIN_STATE_H

#include "control/admin_answer.h"

void admin_state_livez(struct admin_request *request, struct admin_answer *answer);
void admin_state_readyz(struct admin_request *request, struct admin_answer *answer);
void admin_state_status(struct admin_request *request, struct admin_answer *answer);
void admin_state_services(struct admin_request *request, struct admin_answer *answer);
void admin_state_service(struct admin_request *request, struct admin_answer *answer);
void admin_state_pools(struct admin_request *request, struct admin_answer *answer);
void admin_state_pool(struct admin_request *request, struct admin_answer *answer);

#endif
