/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /openapi.json: the admin API as an OpenAPI 3.1 document, made of the table of endpoints (admin_routes.h) and the
 * table of documents (admin_documents.h). Control thread.
 */
#ifndef CONTROL_ADMIN_OPENAPI_H
#define CONTROL_ADMIN_OPENAPI_H

#include "control/admin_answer.h"

/* A new reference. */
json_t *admin_openapi_build(void);

void admin_openapi_show(struct admin_request *request, struct admin_answer *answer);

#endif
