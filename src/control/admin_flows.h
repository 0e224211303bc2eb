/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints for live flows. Control thread. */
#ifndef CONTROL_ADMIN_FLOWS_H
#define CONTROL_ADMIN_FLOWS_H

#include "control/admin_answer.h"

void admin_flows_list(struct admin_request *request, struct admin_answer *answer);
void admin_flows_close(struct admin_request *request, struct admin_answer *answer);

#endif
