/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints for the configuration as a whole: reload, confirm, what it is and how it differs. Control thread. */
#ifndef CONTROL_ADMIN_CONFIG_H
#define CONTROL_ADMIN_CONFIG_H

#include "control/admin_answer.h"

void admin_config_reload(struct admin_request *request, struct admin_answer *answer);
void admin_config_confirm(struct admin_request *request, struct admin_answer *answer);
void admin_config_show(struct admin_request *request, struct admin_answer *answer);
void admin_config_replace(struct admin_request *request, struct admin_answer *answer);
void admin_config_diff(struct admin_request *request, struct admin_answer *answer);

#endif
