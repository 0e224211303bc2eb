/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint that tells where a client would go. Control thread. */
#ifndef CONTROL_ADMIN_TRACE_H
#define CONTROL_ADMIN_TRACE_H

#include "control/admin_answer.h"

void admin_trace(struct admin_request *request, struct admin_answer *answer);

#endif
