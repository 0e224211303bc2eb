/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of the trends: who uses the services and how much (docs/trends.md). Control thread. */
#ifndef CONTROL_ADMIN_TRENDS_H
#define CONTROL_ADMIN_TRENDS_H

#include "control/admin_answer.h"

/* GET /v1/trends */
void admin_trends_list(struct admin_request *request, struct admin_answer *answer);
/* GET /v1/trends/{service} */
void admin_trends_service(struct admin_request *request, struct admin_answer *answer);

#endif
